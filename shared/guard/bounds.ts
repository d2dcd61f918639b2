/**
 * Exact tests and bounds for a share of agreeing answers, from counts. Owns the probabilities; which counts to test, and
 * in which order, is calibrate.ts.
 */
import { logGamma, regularizedBeta } from './special-functions.ts';

/** P(at most `count` of `trials` happen), each with the given probability. */
export function binomialCdf(count: number, trials: number, probability: number): number {
  if (count < 0) return 0;
  if (count >= trials) return 1;
  return 1 - regularizedBeta(probability, count + 1, trials - count);
}

/** P(at most `count` marked ones among `drawn`, of `total` things of which `marked` are), without replacement. */
export function hypergeometricCdf(count: number, total: number, marked: number, drawn: number): number {
  const least = Math.max(0, drawn - (total - marked));
  const most = Math.min(marked, drawn);
  if (count < least) return 0;
  if (count >= most) return 1;
  const start = logChoose(marked, count) + logChoose(total - marked, drawn - count) - logChoose(total, drawn);
  let term = 1;
  let sum = 1;
  // Downwards each term is the one before times a ratio that falls towards the tail.
  for (let k = count; k > least; k -= 1) {
    term *= (k * (total - marked - drawn + k)) / ((marked - k + 1) * (drawn - k + 1));
    sum += term;
    if (term < sum * 1e-17) break;
  }
  return Math.min(1, Math.exp(start) * sum);
}

function logChoose(n: number, k: number): number {
  return logGamma(n + 1) - logGamma(k + 1) - logGamma(n - k + 1);
}

export type AgreementPromise = {
  /** Least share of accepted answers that agree with the reference. */
  readonly minAgreement: number;
  /** Probability, over calibration sets, that the promise is kept. */
  readonly confidence: number;
  /**
   * What the share is taken over: null, the long run; a number, the next so many accepted answers, whose own luck
   * then counts as well and asks for more room.
   */
  readonly horizonAnswers: number | null;
};

/**
 * p-value of "this shortcut breaks the promise", given `disagreed` among `answers` calibration answers.
 * Long run: the binomial tail behind Clopper and Pearson's bound (Biometrika 1934). Over a horizon: the prediction test
 * of Thatcher (J. R. Stat. Soc. B 1964): were one more disagreement to come than the horizon has room for, the
 * calibration's share of all of them would be hypergeometric, whatever the true rate.
 */
export function breaksPromise(disagreed: number, answers: number, promise: AgreementPromise): number {
  const limit = 1 - promise.minAgreement;
  if (promise.horizonAnswers === null) return binomialCdf(disagreed, answers, limit);
  const firstTooMany = Math.floor(promise.horizonAnswers * limit + ROUNDING) + 1;
  return hypergeometricCdf(disagreed, answers + promise.horizonAnswers, disagreed + firstTooMany, answers);
}

/** 1 - 0.97 is a little more than 0.03: 3 of 100 must not become 4. */
const ROUNDING = 1e-9;

/** Lower Clopper-Pearson bound of a share: with the given confidence the true one is at least this. */
export function lowerBound(successes: number, trials: number, confidence: number): number {
  if (successes <= 0) return 0;
  let low = 0;
  let high = successes / trials;
  // P(at least so many successes) grows with the share; the bound is where it reaches 1 - confidence.
  while (high - low > 1e-12) {
    const middle = (low + high) / 2;
    if (regularizedBeta(middle, successes, trials - successes + 1) < 1 - confidence) low = middle;
    else high = middle;
  }
  return low;
}
