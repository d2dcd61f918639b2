/**
 * One answer to one input, as every place returns it. Owns the type only.
 */

export type RankedLabel = { readonly label: string; readonly confidence: number };

export type Prediction = {
  readonly label: string;
  /** Calibrated probability of `label`, 0..1. */
  readonly confidence: number;
  /** Most probable labels first, `label` included. */
  readonly top: readonly RankedLabel[];
  /** The input was longer than the model reads; the rest was ignored. */
  readonly truncated: boolean;
};

export const TOP_COUNT = 3;
