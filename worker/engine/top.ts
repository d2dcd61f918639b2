// Owns ranking labels by probability.

export type Ranked = { readonly label: string; readonly confidence: number };

/**
 * The k most probable labels, most probable first; ties keep the labels' order.
 * One pass with insertion: k is a handful, and sorting every label cost more than the model itself.
 */
export function top(probabilities: Float32Array, labels: readonly string[], k: number): Ranked[] {
  const best: number[] = [];
  for (let index = 0; index < labels.length; index += 1) {
    let place = best.length;
    while (place > 0 && (probabilities[best[place - 1] ?? 0] ?? 0) < (probabilities[index] ?? 0)) place -= 1;
    if (place >= k) continue;
    best.splice(place, 0, index);
    if (best.length > k) best.pop();
  }
  return best.map((index) => ({ label: labels[index] ?? '', confidence: probabilities[index] ?? 0 }));
}
