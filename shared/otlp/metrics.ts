/**
 * What is exported as OTLP metrics, counted per route since the last export. Labels come from configuration and are bounded.
 * Owns counting; the form is render-metrics.ts.
 */
import type { RequestRecord } from '../schema/record.ts';

/** Upper bounds in milliseconds; a last bucket holds what is above. */
export const LATENCY_BOUNDS_MS = [1, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000] as const;

export type OtlpRouteCounts = {
  requests: number;
  errors: number;
  fallbacks: number;
  escalations: number;
  items: number;
  edgeItems: number;
  costNanos: number;
  latencySumMs: number;
  readonly buckets: number[];
};

export type OtlpMetrics = { readonly sinceMs: number; readonly routes: Map<string, OtlpRouteCounts> };

const MAX_ROUTES = 200;
const OTHER_ROUTE = 'other';

export function emptyOtlpMetrics(nowMs: number): OtlpMetrics {
  return { sinceMs: nowMs, routes: new Map() };
}

/** In place. */
export function addToOtlpMetrics({ routes }: OtlpMetrics, record: RequestRecord): void {
  const name = routes.has(record.route) || routes.size < MAX_ROUTES - 1 ? record.route : OTHER_ROUTE;
  const counts = routes.get(name) ?? newCounts();
  routes.set(name, counts);
  counts.requests += 1;
  if (record.outcome === 'error') counts.errors += 1;
  if (record.attempts.some(({ why }) => why === 'fallback')) counts.fallbacks += 1;
  if (record.attempts.some(({ why }) => why === 'escalation')) counts.escalations += 1;
  counts.items += record.items;
  counts.edgeItems += record.edgeItems;
  counts.costNanos += record.costNanos;
  counts.latencySumMs += record.latencyMs;
  const above = LATENCY_BOUNDS_MS.findIndex((bound) => record.latencyMs <= bound);
  const bucket = above < 0 ? LATENCY_BOUNDS_MS.length : above;
  counts.buckets[bucket] = (counts.buckets[bucket] ?? 0) + 1;
}

function newCounts(): OtlpRouteCounts {
  return {
    requests: 0,
    errors: 0,
    fallbacks: 0,
    escalations: 0,
    items: 0,
    edgeItems: 0,
    costNanos: 0,
    latencySumMs: 0,
    buckets: Array.from({ length: LATENCY_BOUNDS_MS.length + 1 }, () => 0),
  };
}
