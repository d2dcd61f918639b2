/**
 * From calibration pairs to the lowest acceptance threshold that keeps the promise, by a test valid in finite samples.
 *
 * The pairs are walked from the surest down, one distinct confidence at a time. At each the hypothesis "accepting from
 * here up breaks the promise" is tested at 1 - confidence; the walk stops at the first that is not rejected (fixed
 * sequence: no price for the many tests). It begins not at the very top, where too few answers could reject anything,
 * but where some disagreements would be forgiven. VALIDITY.md has the proof and its one assumption.
 */
import { breaksPromise, lowerBound, type AgreementPromise } from './bounds.ts';

/** One answer of the shortcut: how sure it was, and whether the reference (or the label) says the same. */
export type CalibrationPair = { readonly confidence: number; readonly agreed: boolean };

export type Calibration =
  | {
      readonly kind: 'on';
      /** Answers with at least this confidence are accepted; 0 accepts any. */
      readonly threshold: number;
      /** The surest calibration answer that is not accepted, or null. Those below it were never looked at. */
      readonly firstRefused: number | null;
      readonly labels: number;
      readonly accepted: number;
      readonly disagreed: number;
      /** Of the agreement among accepted answers in the long run, at the promise's confidence. */
      readonly agreementLowerBound: number;
    }
  | {
      readonly kind: 'off';
      readonly reason: 'too_few_labels' | 'agreement_too_low';
      /** For people, with the numbers. */
      readonly detail: string;
      readonly labels: number;
    };

/**
 * How many disagreements the first test forgives. Few, and one early disagreement ends the walk; many, and it cannot
 * begin. Of 0 to 8, five gave the best coverage at 500 labels of `intent` (95.3 % of the naive threshold's; 0: 93.7 %,
 * 8: 75 %); at 1,500 it does not matter. Few labels must begin early, at this share of them or before;
 */
const START_DISAGREEMENTS = 5;
const START_SHARE = 0.65;
/** and many may forgive more, up to this share: a shortcut good for less than that is not worth its name. */
const EASY_START_SHARE = 0.25;

export function calibrate(pairs: readonly CalibrationPair[], promise: AgreementPromise): Calibration {
  for (const { confidence } of pairs) {
    if (!(confidence >= 0 && confidence <= 1)) throw new RangeError(`not a confidence from 0 to 1: ${confidence}`);
  }
  const sorted = [...pairs].sort((a, b) => b.confidence - a.confidence);
  const labels = sorted.length;
  const start = startRank(labels, promise);
  if (start === undefined) return off('too_few_labels', tooFew(labels, promise), labels);
  const level = 1 - promise.confidence;
  let proven: { readonly accepted: number; readonly disagreed: number } | undefined;
  let disagreed = 0;
  for (const [index, { confidence, agreed }] of sorted.entries()) {
    if (!agreed) disagreed += 1;
    const accepted = index + 1;
    const isTied = sorted[accepted]?.confidence === confidence;
    if (accepted < start || isTied) continue;
    if (breaksPromise(disagreed, accepted, promise) > level) {
      if (proven === undefined) return off('agreement_too_low', tooLow(disagreed, accepted, promise), labels);
      break;
    }
    proven = { accepted, disagreed };
  }
  if (proven === undefined) return off('too_few_labels', tooFew(labels, promise), labels);
  const lastAccepted = sorted[proven.accepted - 1]?.confidence ?? 1;
  const firstRefused = sorted[proven.accepted]?.confidence ?? null;
  return {
    kind: 'on',
    threshold: firstRefused === null ? 0 : between(firstRefused, lastAccepted),
    firstRefused,
    labels,
    ...proven,
    agreementLowerBound: lowerBound(proven.accepted - proven.disagreed, proven.accepted, promise.confidence),
  };
}

/** Fewest answers with which `disagreed` disagreements still keep the promise; undefined where no number does. */
export function leastAnswers(disagreed: number, promise: AgreementPromise): number | undefined {
  const keeps = (answers: number): boolean => breaksPromise(disagreed, answers, promise) <= 1 - promise.confidence;
  let high = disagreed + 1;
  while (!keeps(high)) {
    high *= 2;
    if (high > MOST_LABELS) return undefined;
  }
  let low = disagreed;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (keeps(middle)) high = middle;
    else low = middle;
  }
  return high;
}

const MOST_LABELS = 10_000_000;

/** Depends on the number of labels alone, never on what they say. */
function startRank(labels: number, promise: AgreementPromise): number | undefined {
  let rank = leastAnswers(0, promise);
  if (rank === undefined || rank > labels) return undefined;
  for (let disagreed = 1; ; disagreed += 1) {
    const next = leastAnswers(disagreed, promise);
    const share = disagreed <= START_DISAGREEMENTS ? START_SHARE : EASY_START_SHARE;
    if (next === undefined || next > share * labels) return rank;
    rank = next;
  }
}

/** Proven is everything above the first refused answer; half-way leaves room for rounding on both sides. */
function between(below: number, above: number): number {
  const middle = (below + above) / 2;
  const short = Math.round(middle * 1e6) / 1e6;
  return short > below && short <= above ? short : middle > below ? middle : above;
}

function off(reason: 'too_few_labels' | 'agreement_too_low', detail: string, labels: number): Calibration {
  return { kind: 'off', reason, detail, labels };
}

function tooFew(labels: number, promise: AgreementPromise): string {
  const least = leastAnswers(0, promise);
  const needed =
    least === undefined ? 'no number of labels is enough for it' : `at least ${least} are needed, all agreeing`;
  return `${labels} labels cannot show an agreement of ${promise.minAgreement} at confidence ${promise.confidence}: ${needed}`;
}

function tooLow(disagreed: number, accepted: number, promise: AgreementPromise): string {
  const share = ((accepted - disagreed) / accepted).toFixed(4);
  return `of the ${accepted} surest answers ${accepted - disagreed} agree (${share}): not enough to show ${promise.minAgreement} at confidence ${promise.confidence}`;
}
