/**
 * `hybrid metrics`: the gateway's figures as a table that redraws itself, read from `GET /v1/metrics`.
 */
import { Command } from 'commander';
import * as z from 'zod';
import { CommandFailure } from '../command-failure.ts';
import type { GlobalFlags } from './connection.ts';
import { askGateway, mustNameGateway } from './gateway.ts';
import { perform, type Operator } from './operator.ts';
import { parseCount } from './parse-option.ts';
import { table, type Report } from './terminal.ts';

type MetricsFlags = GlobalFlags & { readonly minutes: number; readonly every: number; readonly once?: boolean };

const latencySchema = z.looseObject({
  p50: z.number().nullable(),
  p95: z.number().nullable(),
  p99: z.number().nullable(),
});
const figuresSchema = z.object({
  request_count: z.number(),
  error_rate: z.number(),
  fallback_rate: z.number(),
  escalation_rate: z.number(),
  edge_utilization: z.number(),
  cost_usd: z.number(),
  cost_saved_usd: z.number(),
  response_time_ms: latencySchema,
});
const metricsSchema = z.looseObject({
  ...figuresSchema.shape,
  source: z.string(),
  queue_depth: z.number(),
  by_route: z.array(z.looseObject({ ...figuresSchema.shape, route: z.string() })),
  by_target: z.array(
    z.looseObject({
      target: z.string(),
      model: z.string(),
      variant: z.string(),
      attempt_count: z.number(),
      failure_rate: z.number(),
      accepted_ratio: z.number(),
      cost_usd: z.number(),
      response_time_ms: latencySchema,
    }),
  ),
});

type Metrics = z.infer<typeof metricsSchema>;
type Figures = z.infer<typeof figuresSchema>;

const CLEAR_SCREEN = '\u001B[H\u001B[2J';

export function createMetricsCommand(operator: Operator): Command {
  return new Command('metrics')
    .description('Requests, latency, cost and places of the last minutes; redraws itself until Ctrl-C.')
    .option('--minutes <count>', 'how far back', parseCount, 5)
    .option('--every <seconds>', 'how often it is drawn', parseCount, 5)
    .option('--once', 'print it once (so do --json and an output that is no terminal)')
    .action(async (_flags: MetricsFlags, command: Command) => {
      const flags = command.optsWithGlobals<MetricsFlags>();
      if (flags.once === true || flags.json === true || !operator.terminal.isInteractive) {
        await perform(operator, command.optsWithGlobals<MetricsFlags>(), () => metricsReport(operator, flags));
        return;
      }
      await redraw(operator, flags);
    });
}

/** One bad answer is shown in the table's place, not the end of watching. */
async function redraw(operator: Operator, flags: MetricsFlags): Promise<void> {
  while (!operator.signal.aborted) {
    const text = await metricsReport(operator, flags).then(
      (report) => report.text,
      (error: unknown) => {
        if (!(error instanceof CommandFailure) || error.code === 'usage') throw error;
        return error.message;
      },
    );
    operator.terminal.out(`${CLEAR_SCREEN}${text}`);
    await operator.sleep(flags.every * 1_000);
  }
  operator.ended(0);
}

async function metricsReport({ env }: Operator, flags: MetricsFlags): Promise<Report> {
  const url = mustNameGateway(flags, env);
  const { status, body } = await askGateway(url, `/v1/metrics?minutes=${flags.minutes}`, env);
  const metrics = metricsSchema.safeParse(body);
  if (status !== 200 || !metrics.success) {
    throw new CommandFailure(
      'unreachable',
      `${url} does not answer like this gateway: /v1/metrics gave HTTP ${status}.`,
    );
  }
  return { value: metrics.data, text: metricsText(url, flags.minutes, metrics.data) };
}

function metricsText(url: string, minutes: number, metrics: Metrics): string {
  const scope = metrics.source === 'isolate' ? 'one isolate only, the table cannot be read' : 'all isolates';
  const head = [
    'route',
    'requests',
    'errors',
    'fallback',
    'escalated',
    'at edge',
    'p50',
    'p95',
    'p99 ms',
    'USD',
    'saved',
  ];
  const routes = metrics.by_route.map(({ route, ...figures }) => routeRow(route, figures));
  const targets = metrics.by_target.map((row) => [
    row.target,
    `${row.model}/${row.variant}`,
    String(row.attempt_count),
    percent(row.failure_rate),
    percent(row.accepted_ratio),
    ms(row.response_time_ms.p50),
    ms(row.response_time_ms.p95),
    ms(row.response_time_ms.p99),
    usd(row.cost_usd),
  ]);
  return [
    `${url}: the last ${minutes} minutes, ${scope}; ${metrics.queue_depth} requests under way in the isolate that answered`,
    '',
    table(head, [...routes, routeRow('all', metrics)]),
    '',
    table(['target', 'variant', 'attempts', 'failed', 'accepted', 'p50', 'p95', 'p99 ms', 'USD'], targets),
  ].join('\n');
}

function routeRow(name: string, figures: Figures): string[] {
  return [
    name,
    String(figures.request_count),
    percent(figures.error_rate),
    percent(figures.fallback_rate),
    percent(figures.escalation_rate),
    percent(figures.edge_utilization),
    ms(figures.response_time_ms.p50),
    ms(figures.response_time_ms.p95),
    ms(figures.response_time_ms.p99),
    usd(figures.cost_usd),
    usd(figures.cost_saved_usd),
  ];
}

function percent(ratio: number): string {
  return `${(100 * ratio).toFixed(1)} %`;
}

function ms(value: number | null): string {
  if (value === null) return '-';
  return value < 10 ? value.toFixed(1) : value.toFixed(0);
}

function usd(value: number): string {
  return value.toFixed(6);
}
