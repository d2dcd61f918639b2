import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { binomialCdf, breaksPromise, hypergeometricCdf, lowerBound } from '../../../shared/guard/bounds.ts';
import { logGamma, regularizedBeta } from '../../../shared/guard/special-functions.ts';

/** Reference values: scipy 1.17.1 (special.gammaln, special.betainc, stats.binom, stats.hypergeom, stats.beta). */
describe('special functions against scipy', () => {
  it.each([
    [0.5, 0.5723649429247],
    [1, 0],
    [1.5, -0.12078223763524526],
    [3.25, 0.9358019311087253],
    [10, 12.801827480081469],
    [123.4, 469.3360974421906],
    [500_000, 6061176.046459176],
  ])('ln gamma of %d', (x, expected) => {
    expect(Math.abs(logGamma(x) - expected)).toBeLessThanOrEqual(1e-13 * Math.max(1, Math.abs(expected)));
  });

  it.each([
    [0.5, 0.5, 0.5, 0.5],
    [0.03, 1, 76, 0.9012239160523315],
    [0.03, 9, 440, 0.9218762739582624],
    [0.97, 1380, 31, 0.028017956179918382],
    [0.2, 2.5, 7.25, 0.38444272519976463],
    [0.999, 40, 0.7, 0.8865078524209271],
    [0.03, 28, 1350, 0.9890835001598063],
    [0.0305, 30_001, 970_000, 0.998202023352699],
    [1e-6, 1, 5, 4.99999000001e-6],
    [0, 2, 3, 0],
    [1, 2, 3, 1],
  ])('incomplete beta at %d of (%d, %d)', (x, a, b, expected) => {
    expect(regularizedBeta(x, a, b)).toBeCloseTo(expected, 8);
    expect(Math.abs(regularizedBeta(x, a, b) - expected)).toBeLessThanOrEqual(2e-9 * Math.max(expected, 1e-6));
  });

  it('is symmetric: I_x(a, b) = 1 - I_(1-x)(b, a)', () => {
    const parameter = fc.double({ min: 0.1, max: 500, noNaN: true });
    fc.assert(
      fc.property(fc.double({ min: 0.001, max: 0.999, noNaN: true }), parameter, parameter, (x, a, b) => {
        expect(regularizedBeta(x, a, b) + regularizedBeta(1 - x, b, a)).toBeCloseTo(1, 9);
      }),
    );
  });
});

describe('exact probabilities against scipy', () => {
  it.each([
    [0, 76, 0.03, 0.09877608394766847],
    [5, 308, 0.03, 0.09838775686203477],
    [30, 1_300, 0.03, 0.07941333649902538],
    [300, 10_000, 0.03, 0.5153505375627863],
    [2, 10, 0.5, 0.0546875],
    [-1, 10, 0.5, 0],
    [10, 10, 0.5, 1],
  ])('at most %d of %d at %d', (count, trials, probability, expected) => {
    expect(binomialCdf(count, trials, probability)).toBeCloseTo(expected, 11);
  });

  it.each([
    [0, 1_576, 46, 76, 0.0995106773035902],
    [5, 1_815, 51, 312, 0.10439786540941055],
    [25, 2_800, 70, 1_300, 0.043817434517160934],
    [3, 20, 9, 8, 0.4649916646820672],
    [40, 20_000, 500, 2_000, 0.07253870572444372],
    [1, 10, 8, 5, 0],
    [5, 10, 8, 5, 1],
  ])('at most %d marked of %d things, %d marked, %d drawn', (count, total, marked, drawn, expected) => {
    expect(hypergeometricCdf(count, total, marked, drawn)).toBeCloseTo(expected, 10);
  });

  it.each([
    [76, 76, 0.9, 0.970157186886778],
    [441, 450, 0.9, 0.9686138369932226],
    [1_350, 1_380, 0.9, 0.9723193321079932],
    [1, 10, 0.95, 0.005116196891823705],
    [970, 1_000, 0.99, 0.9549495708079716],
    [0, 10, 0.9, 0],
  ])('lower bound of %d in %d at %d', (successes, trials, confidence, expected) => {
    expect(lowerBound(successes, trials, confidence)).toBeCloseTo(expected, 9);
  });
});

describe('testing a promise', () => {
  const longRun = { minAgreement: 0.97, confidence: 0.9, horizonAnswers: null };

  it('rejects in the long run exactly where the lower bound reaches the promise', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2_000 }), fc.integer({ min: 0, max: 80 }), (answers, disagreed) => {
        fc.pre(disagreed < answers);
        const bound = lowerBound(answers - disagreed, answers, longRun.confidence);
        fc.pre(Math.abs(bound - longRun.minAgreement) > 1e-9);
        expect(breaksPromise(disagreed, answers, longRun) <= 0.1).toBe(bound > longRun.minAgreement);
      }),
    );
  });

  it('asks more of a short horizon than of a long one, and of that more than of the long run', () => {
    const at = (horizonAnswers: number | null): number => breaksPromise(20, 1_000, { ...longRun, horizonAnswers });
    expect(at(500)).toBeGreaterThan(at(5_000));
    expect(at(5_000)).toBeGreaterThan(at(null));
    expect(at(10_000_000)).toBeCloseTo(at(null), 3);
  });

  it('leaves a horizon of 100 answers room for exactly three disagreements at 97 %', () => {
    // Seen: none of 50. A fourth disagreement among 150 falls on none of the 50 with probability C(100,4)/C(150,4).
    const horizon = { ...longRun, horizonAnswers: 100 };
    expect(breaksPromise(0, 50, horizon)).toBeCloseTo((100 * 99 * 98 * 97) / (150 * 149 * 148 * 147), 12);
  });
});
