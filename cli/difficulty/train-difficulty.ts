/**
 * Training the difficulty estimate: least squares of who was right on n-grams, in folds for figures and calibration, on all
 * rows for the file. Weights are int8 everywhere, so that the figures are of what ships.
 */
import type { DifficultyHeader } from '../../shared/difficulty/estimate-difficulty.ts';
import { createRawScore } from '../../shared/difficulty/estimate-difficulty.ts';
import type { GramSpec } from '../../shared/difficulty/text-grams.ts';
import type { Question } from './question-rows.ts';
import { gramRows } from './question-rows.ts';
import { ridge } from './ridge.ts';
import { upliftOf } from './routing-curve.ts';

export const GRAMS: GramSpec = { bits: 18, sizes: [2, 7], max_chars: 4000 };
/** This and the sizes, the buckets and the weight of rare n-grams are the best of a dozen by two cross-validations of the same rows. */
const PENALTY = 250;

/** `scale * sum of weights / root of their number` is how far a text is from the mean of the rows. */
export type Linear = { readonly scale: number; readonly weights: Int8Array };

export function train(questions: readonly Question[], known: readonly number[], grams: GramSpec): Linear {
  const uplifts = known.map((row) => upliftOf(questions[row]));
  const mean = uplifts.reduce((sum, uplift) => sum + uplift, 0) / Math.max(1, uplifts.length);
  const centred = Float64Array.from(uplifts, (uplift) => uplift - mean);
  const weights = ridge(gramRows(questions, known, grams), known, centred, PENALTY);
  const largest = weights.reduce((most, weight) => Math.max(most, Math.abs(weight)), Number.MIN_VALUE);
  const scale = largest / 127;
  return { scale, weights: Int8Array.from(weights, (weight) => Math.round(weight / scale)) };
}

/** Each question scored by a model that has seen none of its fold. */
export function crossValidated(
  questions: readonly Question[],
  folds: number,
  random: () => number,
  grams: GramSpec = GRAMS,
): Float64Array {
  return inFolds(questions, folds, random, (known) => {
    const { scale, weights } = train(questions, known, grams);
    const rawScore = createRawScore(grams, weights);
    return ({ prompt }) => scale * rawScore(prompt);
  });
}

/**
 * `fit` learns from the rows it is given and scores others. A fold's mean stays out of its scores: the more of the large
 * model's gain lies in a fold, the less is left to the mean of the rest, so that it would order the folds the wrong way round.
 */
export function inFolds(
  questions: readonly Question[],
  folds: number,
  random: () => number,
  fit: (known: readonly number[]) => (question: Question) => number,
): Float64Array {
  const order = shuffled(questions.length, random);
  const scores = new Float64Array(questions.length);
  for (let fold = 0; fold < folds; fold += 1) {
    const score = fit(order.filter((_, at) => at % folds !== fold).toSorted((a, b) => a - b));
    order.forEach((row, at) => {
      const question = questions[row];
      if (at % folds === fold && question !== undefined) scores[row] = score(question);
    });
  }
  return scores;
}

/** The line through what was right at each score. */
export function calibration(
  scores: Float64Array,
  questions: readonly Question[],
): { intercept: number; slope: number } {
  const uplifts = questions.map(upliftOf);
  const [meanScore, meanUplift] = [meanOf(scores), meanOf(uplifts)];
  let [together, alone] = [0, 0];
  scores.forEach((score, i) => {
    together += (score - meanScore) * ((uplifts[i] ?? 0) - meanUplift);
    alone += (score - meanScore) ** 2;
  });
  const slope = together / alone;
  return { intercept: meanUplift - slope * meanScore, slope };
}

export function headerOf(linear: Linear, fitted: { intercept: number; slope: number }): DifficultyHeader {
  const { intercept, slope } = fitted;
  return {
    kind: 'difficulty',
    grams: { bits: GRAMS.bits, sizes: [GRAMS.sizes[0], GRAMS.sizes[1]], max_chars: GRAMS.max_chars },
    scale: linear.scale,
    intercept,
    slope,
  };
}

function meanOf(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i += 1) sum += values[i] ?? 0;
  return sum / Math.max(1, values.length);
}

function shuffled(count: number, random: () => number): number[] {
  const order = Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i -= 1) {
    const j = Math.floor(random() * (i + 1));
    [order[i], order[j]] = [order[j] ?? 0, order[i] ?? 0];
  }
  return order;
}
