/**
 * Counts as OTLP metrics: sums and a histogram of what happened since the last export (delta temporality), per route. Pure.
 */
import { usdFromNanos } from '../measure/pricing.ts';
import { attributes, resourceOf, SCOPE, unixNano } from './attributes.ts';
import { LATENCY_BOUNDS_MS, type OtlpMetrics, type OtlpRouteCounts } from './metrics.ts';

const DELTA = 1;

export function renderOtlpMetrics(
  { sinceMs, routes }: OtlpMetrics,
  nowMs: number,
  service: Parameters<typeof resourceOf>[0],
): Readonly<Record<string, unknown>> {
  const span = { startTimeUnixNano: unixNano(sinceMs), timeUnixNano: unixNano(Math.max(nowMs, sinceMs)) };
  const points = <T extends object>(pointOf: (counts: OtlpRouteCounts) => T) =>
    Array.from(routes, ([route, counts]) => ({
      attributes: attributes({ 'hybrid.route': route }),
      ...span,
      ...pointOf(counts),
    }));
  const sum = (name: string, unit: string, valueOf: (counts: OtlpRouteCounts) => number) => ({
    name,
    unit,
    sum: {
      aggregationTemporality: DELTA,
      isMonotonic: true,
      dataPoints: points((counts) => ({ asInt: String(valueOf(counts)) })),
    },
  });
  const metrics = [
    sum('hybrid.requests', '{request}', ({ requests }) => requests),
    sum('hybrid.errors', '{request}', ({ errors }) => errors),
    sum('hybrid.fallbacks', '{request}', ({ fallbacks }) => fallbacks),
    sum('hybrid.escalations', '{request}', ({ escalations }) => escalations),
    sum('hybrid.items', '{item}', ({ items }) => items),
    sum('hybrid.edge_items', '{item}', ({ edgeItems }) => edgeItems),
    {
      name: 'hybrid.cost',
      unit: 'USD',
      sum: {
        aggregationTemporality: DELTA,
        isMonotonic: true,
        dataPoints: points(({ costNanos }) => ({ asDouble: usdFromNanos(costNanos) })),
      },
    },
    {
      name: 'hybrid.request.duration',
      unit: 'ms',
      histogram: {
        aggregationTemporality: DELTA,
        dataPoints: points(({ requests, latencySumMs, buckets }) => ({
          count: String(requests),
          sum: latencySumMs,
          bucketCounts: buckets.map(String),
          explicitBounds: [...LATENCY_BOUNDS_MS],
        })),
      },
    },
  ];
  return { resourceMetrics: [{ resource: resourceOf(service), scopeMetrics: [{ scope: SCOPE, metrics }] }] };
}
