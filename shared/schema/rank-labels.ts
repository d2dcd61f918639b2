/**
 * Logits -> calibrated confidence and the most probable labels. Owns softmax and order; ties keep the labels' order.
 */
import type { RankedLabel } from './prediction.ts';

export function rankLabels(
  logits: Float32Array | readonly number[],
  labels: readonly string[],
  temperature: number,
  count: number,
): readonly RankedLabel[] {
  // Less the largest, so that exp cannot overflow.
  let largest = Number.NEGATIVE_INFINITY;
  for (const logit of logits) largest = Math.max(largest, logit);
  const weights = Array.from(logits, (logit) => Math.exp((logit - largest) / temperature));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return rankShares(
    weights.map((weight) => weight / total),
    labels,
    count,
  );
}

/** @param shares probabilities as they are, one a label */
export function rankShares(
  shares: readonly number[],
  labels: readonly string[],
  count: number,
): readonly RankedLabel[] {
  return labels
    .map((label, index) => ({ label, confidence: shares[index] ?? 0 }))
    .sort((a, b) => b.confidence - a.confidence)
    .slice(0, count);
}
