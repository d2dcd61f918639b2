/**
 * How often a calibrated threshold breaks its promise, and what it accepts beside the naive one: the lowest threshold
 * above which the calibration pairs themselves agree often enough.
 */
import type { AgreementPromise } from '../../shared/guard/bounds.ts';
import { calibrate, type CalibrationPair } from '../../shared/guard/calibrate.ts';

/** As the calibrate command's default: the promise is about the next so many answers, and any longer run. */
export const HORIZON_ANSWERS = 1_000;

export type ResampleFigures = {
  readonly n: number;
  readonly labels: number;
  readonly checked_on: 'rest' | 'population';
  readonly horizon_answers: number | null;
  readonly violations: number;
  readonly naive_violations: number;
  readonly coverage: number;
  readonly naive_coverage: number;
  readonly coverage_ratio: number;
  readonly off: number;
};

/**
 * `rest`: labels are drawn without replacement and the promise is checked on all other rows, as the next answers.
 * `population`: labels are drawn with replacement and it is checked on all rows, as the long run.
 */
export function resample(
  rows: readonly CalibrationPair[],
  labels: number,
  checkedOn: 'rest' | 'population',
  promise: Omit<AgreementPromise, 'horizonAnswers'>,
  n: number,
  random: () => number,
): ResampleFigures {
  const horizonAnswers = checkedOn === 'rest' ? HORIZON_ANSWERS : null;
  const sums = { violations: 0, naiveViolations: 0, coverage: 0, naiveCoverage: 0, off: 0 };
  for (let run = 0; run < n; run += 1) {
    const { calibration, check } = split(rows, labels, checkedOn, random);
    const result = calibrate(calibration, { ...promise, horizonAnswers });
    const ours = judge(check, result.kind === 'on' ? result.threshold : Infinity, promise.minAgreement);
    const naive = judge(check, naiveThreshold(calibration, promise.minAgreement), promise.minAgreement);
    sums.violations += ours.isViolated ? 1 : 0;
    sums.naiveViolations += naive.isViolated ? 1 : 0;
    sums.coverage += ours.coverage;
    sums.naiveCoverage += naive.coverage;
    sums.off += result.kind === 'off' ? 1 : 0;
  }
  return {
    n,
    labels,
    checked_on: checkedOn,
    horizon_answers: horizonAnswers,
    violations: sums.violations / n,
    naive_violations: sums.naiveViolations / n,
    coverage: round(sums.coverage / n),
    naive_coverage: round(sums.naiveCoverage / n),
    coverage_ratio: round(sums.coverage / sums.naiveCoverage),
    off: sums.off / n,
  };
}

function naiveThreshold(pairs: readonly CalibrationPair[], minAgreement: number): number {
  const sorted = [...pairs].sort((a, b) => b.confidence - a.confidence);
  let threshold = Infinity;
  let agreed = 0;
  for (const [index, pair] of sorted.entries()) {
    if (pair.agreed) agreed += 1;
    if (agreed >= minAgreement * (index + 1)) threshold = pair.confidence;
  }
  return threshold;
}

function split(
  rows: readonly CalibrationPair[],
  labels: number,
  checkedOn: 'rest' | 'population',
  random: () => number,
): { calibration: CalibrationPair[]; check: readonly CalibrationPair[] } {
  const draw = (from: number): number => from + Math.floor(random() * (rows.length - from));
  if (checkedOn === 'population') {
    return {
      calibration: Array.from({ length: labels }, () => rows[draw(0)]).flatMap((row) => row ?? []),
      check: rows,
    };
  }
  const shuffled = [...rows];
  for (let index = 0; index < labels; index += 1) {
    const other = draw(index);
    const [a, b] = [shuffled[index], shuffled[other]];
    if (a !== undefined && b !== undefined) [shuffled[index], shuffled[other]] = [b, a];
  }
  return { calibration: shuffled.slice(0, labels), check: shuffled.slice(labels) };
}

export function judge(
  rows: readonly CalibrationPair[],
  threshold: number,
  minAgreement: number,
): { readonly isViolated: boolean; readonly coverage: number; readonly agreement: number } {
  let accepted = 0;
  let agreed = 0;
  for (const row of rows) {
    if (row.confidence < threshold) continue;
    accepted += 1;
    if (row.agreed) agreed += 1;
  }
  return {
    isViolated: agreed < minAgreement * accepted - 1e-9,
    coverage: accepted / rows.length,
    agreement: accepted === 0 ? 1 : agreed / accepted,
  };
}

export function round(value: number): number {
  return Number(value.toFixed(4));
}
