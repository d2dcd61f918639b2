/**
 * A snapshot as the body of one item, which DynamoDB bounds. Owns what gives way: the least used targets fold into one.
 */
import { encodeMetrics, mergeMetrics, OTHER_SERIES, type MetricsSnapshot } from '../../shared/measure/metrics.ts';

/** Under DynamoDB's 400 KB, keys and names beside it. */
const MAX_BODY_BYTES = 380_000;

export function fitInItem(metrics: MetricsSnapshot, maxBytes = MAX_BODY_BYTES): string {
  let kept = metrics;
  for (;;) {
    const body = encodeMetrics(kept);
    if (Buffer.byteLength(body) <= maxBytes || kept.targets.size <= 1) return body;
    kept = foldHalf(kept);
  }
}

function foldHalf(metrics: MetricsSnapshot): MetricsSnapshot {
  const byUse = [...metrics.targets].sort(([, a], [, b]) => b.attempts - a.attempts);
  const middle = Math.floor(byUse.length / 2);
  const folded: MetricsSnapshot = { ...metrics, targets: new Map(byUse.slice(0, middle)) };
  for (const [, series] of byUse.slice(middle)) {
    mergeMetrics(folded, { ...metrics, routes: new Map(), targets: new Map([[OTHER_SERIES, series]]) });
  }
  return folded;
}
