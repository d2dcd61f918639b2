/**
 * How much more likely a large model answers rightly than a small one whose answer has been read: linear over the signs of
 * answer-signs.ts and the n-grams of question and answer. Training is cli/difficulty/train-answer.ts.
 */
import { answerSigns } from './answer-signs.ts';
import { createRawScore } from './estimate-difficulty.ts';
import type { GramSpec } from './text-grams.ts';

export type AnswerModel = {
  readonly grams: GramSpec;
  /** Of each sign among the rows learned from. */
  readonly signs: { readonly means: ArrayLike<number>; readonly deviations: ArrayLike<number> };
  /** One a bucket of the question, one a bucket of the answer, one a sign. */
  readonly weights: Float64Array;
};

/** P(large right) - P(small right), as a difference from the mean: an order, not a calibrated value. */
export type ScoreAnswer = (question: string, answer: string) => number;

/** In deviations; what is further out tells no more. */
const FURTHEST = 4;

export function createScoreAnswer({ grams, signs, weights }: AnswerModel): ScoreAnswer {
  const buckets = 2 ** grams.bits;
  const ofQuestion = createRawScore(grams, weights.subarray(0, buckets));
  const ofAnswer = createRawScore(grams, weights.subarray(buckets, 2 * buckets));
  return (question, answer) => {
    let sum = ofQuestion(question) + ofAnswer(answer);
    standardSigns(answerSigns(question, answer), signs).forEach((sign, i) => {
      sum += sign * (weights[2 * buckets + i] ?? 0);
    });
    return sum;
  };
}

export function standardSigns(values: readonly number[], { means, deviations }: AnswerModel['signs']): number[] {
  return values.map((value, i) => {
    const distance = (value - (means[i] ?? 0)) / (deviations[i] ?? 1);
    return Math.max(-FURTHEST, Math.min(FURTHEST, distance));
  });
}
