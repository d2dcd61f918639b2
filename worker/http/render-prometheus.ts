/**
 * Metrics in Prometheus' text exposition format, version 0.0.4. Owns names, help and escaping; leaves out what is counted.
 * Rates are left to the reader's own queries where a counter says the same.
 */
import type { LatencySummary, MetricsSummary, RouteFigures } from '../../shared/measure/summary.ts';

type Sample = { readonly labels: Readonly<Record<string, string>>; readonly value: number; readonly suffix?: string };

const PREFIX = 'hybrid_inference';

export function renderPrometheus(summary: MetricsSummary & { readonly queue_depth: number }): string {
  const perRoute = (pick: (figures: RouteFigures) => number): Sample[] =>
    summary.by_route.map((figures) => ({ labels: { route: figures.route }, value: pick(figures) }));
  const lines = [
    ...family(
      'request_count',
      'gauge',
      'Requests in the window.',
      perRoute((figures) => figures.request_count),
    ),
    ...family(
      'error_count',
      'gauge',
      'Requests answered with an error in the window.',
      perRoute((figures) => figures.error_count),
    ),
    ...family(
      'error_rate',
      'gauge',
      'Errors over requests.',
      perRoute((figures) => figures.error_rate),
    ),
    ...family(
      'fallback_rate',
      'gauge',
      'Requests with a failed attempt and another one after it, over requests.',
      perRoute((figures) => figures.fallback_rate),
    ),
    ...family(
      'escalation_rate',
      'gauge',
      'Requests whose first answer was not good enough, over requests.',
      perRoute((figures) => figures.escalation_rate),
    ),
    ...family(
      'edge_utilization',
      'gauge',
      'Inputs answered by the edge or a cache, over inputs.',
      perRoute((figures) => figures.edge_utilization),
    ),
    ...family(
      'cost_usd',
      'gauge',
      'Spent in the window.',
      perRoute((figures) => figures.cost_usd),
    ),
    ...family(
      'audit_count',
      'gauge',
      'Accepted answers asked again of the reference in the window.',
      perRoute((figures) => figures.audit_count),
    ),
    ...family(
      'audit_disagreement_count',
      'gauge',
      'Of them, those on which the reference said otherwise.',
      perRoute((figures) => figures.audit_disagreement_count),
    ),
    ...family(
      'audit_cost_usd',
      'gauge',
      'Spent on audits in the window; in no other cost.',
      perRoute((figures) => figures.audit_cost_usd),
    ),
    ...family(
      'cost_saved_usd',
      'gauge',
      'Saved against the large model alone.',
      perRoute((figures) => figures.cost_saved_usd),
    ),
    ...family(
      'response_time_ms',
      'summary',
      'Gateway time per request.',
      summary.by_route.flatMap((figures) => quantiles({ route: figures.route }, figures.response_time_ms)),
    ),
    ...family(
      'attempt_count',
      'gauge',
      'Attempts per target in the window.',
      summary.by_target.map((figures) => ({ labels: targetLabels(figures), value: figures.attempt_count })),
    ),
    ...family(
      'attempt_failure_count',
      'gauge',
      'Failed attempts per target.',
      summary.by_target.map((figures) => ({ labels: targetLabels(figures), value: figures.failure_count })),
    ),
    ...family(
      'attempt_time_ms',
      'summary',
      'Time per attempt.',
      summary.by_target.flatMap((figures) => quantiles(targetLabels(figures), figures.response_time_ms)),
    ),
    ...family('queue_depth', 'gauge', 'Requests this isolate is working on.', [
      { labels: {}, value: summary.queue_depth },
    ]),
  ];
  return `${lines.join('\n')}\n`;
}

function family(name: string, type: 'gauge' | 'summary', help: string, samples: readonly Sample[]): string[] {
  const full = `${PREFIX}_${name}`;
  return [
    `# HELP ${full} ${help}`,
    `# TYPE ${full} ${type}`,
    ...samples.map(({ labels, value, suffix }) => `${full}${suffix ?? ''}${labelText(labels)} ${value}`),
  ];
}

function quantiles(labels: Readonly<Record<string, string>>, latency: LatencySummary): Sample[] {
  const levels = [
    ['0.5', latency.p50],
    ['0.95', latency.p95],
    ['0.99', latency.p99],
  ] as const;
  return [
    ...levels.flatMap(([quantile, value]) => (value === null ? [] : [{ labels: { ...labels, quantile }, value }])),
    { labels, value: latency.sum, suffix: '_sum' },
    { labels, value: latency.count, suffix: '_count' },
  ];
}

function targetLabels(figures: { target: string; model: string; variant: string }): Record<string, string> {
  return { target: figures.target, model: figures.model, variant: figures.variant };
}

function labelText(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function escapeLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
