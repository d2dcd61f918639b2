/**
 * `GET /v1/metrics`: counts and latency quantiles of the last minutes over all isolates, from what they flushed, plus
 * what this isolate has not flushed yet. JSON, or Prometheus text with `?format=prometheus` or `accept: text/plain`.
 */
import { GatewayError } from '../../shared/errors.ts';
import { decodeMetrics, mergeMetrics, type MetricsSnapshot } from '../../shared/measure/metrics.ts';
import { metricsSortKey } from '../../shared/names.ts';
import { SKETCH_RELATIVE_ERROR } from '../../shared/measure/sketch.ts';
import { summarizeMetrics } from '../../shared/measure/summary.ts';
import type { Services } from '../pipeline/services.ts';
import { renderPrometheus } from './render-prometheus.ts';

const DEFAULT_MINUTES = 5;
/** Each minute costs one query per shard. */
const MAX_MINUTES = 15;
const READ_TIMEOUT_MS = 3_000;
const NONE_STORED: ReadonlySet<string> = new Set();
const MINUTE_MS = 60_000;

export async function metrics(request: Request, services: Services): Promise<Response> {
  const { searchParams } = new URL(request.url);
  const minutes = parseMinutes(searchParams.get('minutes'));
  const { merged, source, unreadable } = await gather(minutes, services);
  const summary = { ...summarizeMetrics(merged), queue_depth: services.state.inFlight };
  if (searchParams.get('format') === 'prometheus' || request.headers.get('accept')?.startsWith('text/plain') === true) {
    return new Response(renderPrometheus(summary), {
      headers: { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' },
    });
  }
  return Response.json({
    minutes,
    source,
    unreadable_windows: unreadable,
    quantile_relative_error: SKETCH_RELATIVE_ERROR,
    ...summary,
  });
}

type Gathered = { merged: MetricsSnapshot; source: 'isolate' | 'table'; unreadable: number };

/** Where the table cannot be read, this isolate's own figures are still true of this isolate: said in `source`. */
async function gather(minutes: number, services: Services): Promise<Gathered> {
  const own = (): Gathered => ({ merged: services.sink.pending(NONE_STORED), source: 'isolate', unreadable: 0 });
  if (services.metricsStore === undefined) return own();
  const nowMinute = Math.floor(services.clock.now() / MINUTE_MS);
  const wanted = Array.from({ length: minutes }, (_, index) => nowMinute - index);
  try {
    const windows = await services.metricsStore.read(wanted, AbortSignal.timeout(READ_TIMEOUT_MS));
    const merged = services.sink.pending(
      new Set(windows.map((window) => metricsSortKey(window.isolateId, window.sequence))),
    );
    let unreadable = 0;
    for (const window of windows) {
      const decoded = decodeMetrics(window.body);
      if (decoded === undefined) unreadable += 1;
      else mergeMetrics(merged, decoded);
    }
    return { merged, source: 'table', unreadable };
  } catch (error) {
    services.logger.log('warn', 'metrics are not readable', '', {
      detail: error instanceof Error ? error.message : String(error),
    });
    return own();
  }
}

function parseMinutes(text: string | null): number {
  if (text === null) return DEFAULT_MINUTES;
  const minutes = Number(text);
  if (!Number.isInteger(minutes) || minutes < 1 || minutes > MAX_MINUTES) {
    throw new GatewayError('invalid_request', `minutes: must be a whole number from 1 to ${MAX_MINUTES}.`, {
      field: 'minutes',
    });
  }
  return minutes;
}
