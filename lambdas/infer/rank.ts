/**
 * Logits -> calibrated confidence and the most probable labels. Owns softmax and order; ties keep the labels' order.
 */
import type { RankedLabel } from '../../shared/schema/prediction.ts';

export function rankLabels(
  logits: Float32Array,
  labels: readonly string[],
  temperature: number,
  count: number,
): readonly RankedLabel[] {
  // Less the largest, so that exp cannot overflow.
  const largest = logits.reduce((max, logit) => Math.max(max, logit), Number.NEGATIVE_INFINITY);
  const weights = Array.from(logits, (logit) => Math.exp((logit - largest) / temperature));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return labels
    .map((label, index) => ({ label, confidence: (weights[index] ?? 0) / total }))
    .sort((a, b) => b.confidence - a.confidence)
    .slice(0, count);
}
