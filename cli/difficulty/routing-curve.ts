/**
 * How well a score tells which questions are worth a large model: the gain recovered as more of them are sent there. Pure.
 */

export type Outcome = { readonly weakRight: boolean; readonly strongRight: boolean };

export type RoutingFigures = {
  /** Average share of the large model's gain that is recovered, over all shares of questions sent to it; a random choice has .5. */
  readonly apgr: number;
  /** Least share of questions to send for half, and for four fifths, of the gain. */
  readonly cpt50: number;
  readonly cpt80: number;
};

/** `scores[i]`: the higher, the more outcome i is worth sending. */
export function routingFigures(scores: ArrayLike<number>, outcomes: readonly Outcome[]): RoutingFigures {
  const order = outcomes.map((_, i) => i).toSorted((a, b) => (scores[b] ?? 0) - (scores[a] ?? 0));
  const gains = order.map((i) => upliftOf(outcomes[i]));
  const whole = gains.reduce((sum, gain) => sum + gain, 0);
  let [reached, area] = [0, 0];
  const firstAt = new Map<number, number>();
  gains.forEach((gain, i) => {
    const before = reached;
    reached += gain / whole;
    area += (before + reached) / 2 / gains.length;
    for (const share of [0.5, 0.8])
      if (reached >= share && !firstAt.has(share)) firstAt.set(share, (i + 1) / gains.length);
  });
  return { apgr: area, cpt50: firstAt.get(0.5) ?? 1, cpt80: firstAt.get(0.8) ?? 1 };
}

export function upliftOf(outcome: Outcome | undefined): number {
  return Number(outcome?.strongRight ?? false) - Number(outcome?.weakRight ?? false);
}
