/**
 * `GET /v1/metrics`: counts, rates, costs and latency quantiles over all isolates for a range of time. JSON, or Prometheus
 * text with `?format=prometheus` or `accept: text/plain`.
 */
import { SKETCH_RELATIVE_ERROR } from '../../shared/measure/sketch.ts';
import { summarizeMetrics } from '../../shared/measure/summary.ts';
import type { Services } from '../pipeline/services.ts';
import { gatherMetrics, type Gathered } from './gather-metrics.ts';
import { parseMetricsRange, type MetricsRange } from './metrics-range.ts';
import { renderPrometheus } from './render-prometheus.ts';

const READ_TIMEOUT_MS = 10_000;
const NONE_STORED: ReadonlySet<string> = new Set();

export async function metrics(request: Request, services: Services): Promise<Response> {
  const { searchParams } = new URL(request.url);
  const range = parseMetricsRange(searchParams, services.clock.now());
  const { merged, source, unreadable, fromMinute, rolledThrough } = await gather(range, services);
  const summary = { ...summarizeMetrics(merged), queue_depth: services.state.inFlight };
  if (searchParams.get('format') === 'prometheus' || asksForText(request.headers.get('accept'))) {
    return new Response(renderPrometheus(summary), {
      headers: { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' },
    });
  }
  return Response.json({
    minutes: range.toMinute - fromMinute,
    from: timeOf(fromMinute),
    to: timeOf(range.toMinute),
    source,
    rolled_up_through: rolledThrough === null ? null : timeOf(rolledThrough),
    unreadable_windows: unreadable,
    quantile_relative_error: SKETCH_RELATIVE_ERROR,
    ...summary,
  });
}

/** Scrapers name several forms of text and never JSON; clients of JSON may name any text besides. */
function asksForText(accept: string | null): boolean {
  return accept !== null && accept.includes('text/plain') && !accept.includes('application/json');
}

/** Where the table cannot be read, this isolate's own figures are still true of this isolate: said in `source`. */
async function gather(
  range: MetricsRange,
  { metricsStore, sink, clock, logger }: Services,
): Promise<Gathered & { readonly source: 'isolate' | 'table' }> {
  const own = () =>
    ({
      merged: sink.pending(NONE_STORED),
      source: 'isolate',
      unreadable: 0,
      fromMinute: range.fromMinute,
      rolledThrough: null,
    }) as const;
  if (metricsStore === undefined) return own();
  try {
    const gathered = await gatherMetrics(range, metricsStore, sink, clock, AbortSignal.timeout(READ_TIMEOUT_MS));
    return { ...gathered, source: 'table' };
  } catch (error) {
    logger.log('warn', 'metrics are not readable', '', {
      detail: error instanceof Error ? error.message : String(error),
    });
    return own();
  }
}

function timeOf(minute: number): string {
  return new Date(minute * 60_000).toISOString();
}
