/**
 * One answer to one input, as every place returns it. Owns the types, and when two answers count as the same.
 */
import type { NamedTensor } from './tensor.ts';

export type RankedLabel = { readonly label: string; readonly confidence: number };

type Common = {
  /** Calibrated probability that the answer is right, 0..1; 1 where a model states none. */
  readonly confidence: number;
  /** The input was longer than the model reads; the rest was ignored. */
  readonly truncated: boolean;
};

export type ClassPrediction = Common & {
  readonly kind: 'class';
  readonly label: string;
  /** Most probable labels first, `label` included. */
  readonly top: readonly RankedLabel[];
};

type EmbeddingPrediction = Common & {
  readonly kind: 'embedding';
  /** Unit length. */
  readonly embedding: readonly number[];
};

/** The outputs of a model that the gateway does not interpret. */
type TensorsPrediction = Common & { readonly kind: 'tensors'; readonly outputs: readonly NamedTensor[] };

type FinishReasonOfText = 'stop' | 'length';

type TextPrediction = Common & {
  readonly kind: 'text';
  readonly text: string;
  readonly finishReason: FinishReasonOfText;
  readonly tokens: { readonly prompt: number; readonly completion: number };
};

export type Prediction = ClassPrediction | EmbeddingPrediction | TensorsPrediction | TextPrediction;

export const TOP_COUNT = 3;

/** Whether two places gave the same answer. Only classifiers have answers that can be the same. */
export function agrees(one: Prediction, other: Prediction): boolean {
  return one.kind === 'class' && other.kind === 'class' && one.label === other.label;
}
