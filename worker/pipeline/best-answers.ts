/**
 * The best answer each input of a request has so far. Owns which of two answers stands, and which inputs still need one.
 */
import type { PlannedAttempt } from '../../shared/decide/plan-types.ts';
import type { AnsweredItem } from '../../shared/schema/infer-result.ts';
import type { Prediction } from '../../shared/schema/prediction.ts';

/** What the answers of one attempt came to. */
export type Kept = { readonly leastConfidence: number; readonly acceptedItems: number; readonly confidenceSum: number };

type Held = { readonly item: AnsweredItem; readonly accuracy: number };

export class BestAnswers {
  readonly #held: (Held | undefined)[];

  constructor(count: number) {
    this.#held = Array.from({ length: count }, () => undefined);
  }

  get count(): number {
    return this.#held.length;
  }

  items(): readonly (AnsweredItem | undefined)[] {
    return this.#held.map((held) => held?.item);
  }

  /** Every input has an accepted answer, whoever gave it. */
  get isComplete(): boolean {
    return this.#held.every((held) => held?.item.accepted === true);
  }

  openPositions(): number[] {
    return this.#held.flatMap((held, position) => (held?.item.accepted === true ? [] : [position]));
  }

  /** @param predictions one per position, in order */
  keep(positions: readonly number[], planned: PlannedAttempt, predictions: readonly Prediction[]): Kept {
    let leastConfidence = 1;
    let acceptedItems = 0;
    let confidenceSum = 0;
    positions.forEach((position, index) => {
      const prediction = predictions[index];
      if (prediction === undefined) return;
      const accepted = prediction.confidence >= planned.acceptConfidence;
      if (accepted) {
        acceptedItems += 1;
        confidenceSum += prediction.confidence;
      }
      leastConfidence = Math.min(leastConfidence, prediction.confidence);
      this.#keepOne(position, prediction, planned, accepted);
    });
    return { leastConfidence, acceptedItems, confidenceSum };
  }

  /** A better variant's answer replaces one that was not accepted, even below its own threshold. */
  #keepOne(position: number, prediction: Prediction, planned: PlannedAttempt, accepted: boolean): void {
    const held = this.#held[position];
    if (held?.item.accepted === true) return;
    const { target: id, kind, region, variant, predictedAccuracy: accuracy } = planned;
    if (held !== undefined && !accepted && held.accuracy > accuracy) return;
    this.#held[position] = { item: { prediction, variant, target: { kind, id, region }, accepted }, accuracy };
  }
}
