// Owns ranking labels by probability.

export type Ranked = { readonly label: string; readonly confidence: number };

/** The k most probable labels, most probable first; ties keep the labels' order. */
export function top(probabilities: Float32Array, labels: readonly string[], k: number): Ranked[] {
  return labels
    .map((label, i) => ({ label, confidence: probabilities[i] ?? 0 }))
    .toSorted((a, b) => b.confidence - a.confidence)
    .slice(0, Math.max(0, k));
}
