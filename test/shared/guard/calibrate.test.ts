import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AgreementPromise } from '../../../shared/guard/bounds.ts';
import { calibrate, leastAnswers, type CalibrationPair } from '../../../shared/guard/calibrate.ts';
import { seeded } from '../../bench/seeded.ts';

const promise: AgreementPromise = { minAgreement: 0.97, confidence: 0.9, horizonAnswers: null };

/** Confidences evenly spread, surest first; disagreements at the given ranks (1 is the surest). */
function ranked(labels: number, disagreeing: readonly number[]): CalibrationPair[] {
  return Array.from({ length: labels }, (_, index) => ({
    confidence: (labels - index) / (labels + 1),
    agreed: !disagreeing.includes(index + 1),
  }));
}

describe('calibrate', () => {
  it('needs 76 labels for 97 % at 90 %, and says so with fewer', () => {
    expect(leastAnswers(0, promise)).toBe(76);
    const few = calibrate(ranked(75, []), promise);
    expect(few).toMatchObject({ kind: 'off', reason: 'too_few_labels', labels: 75 });
    expect(few.kind === 'off' ? few.detail : '').toContain('at least 76 are needed');
    expect(calibrate(ranked(76, []), promise)).toMatchObject({ kind: 'on', threshold: 0, accepted: 76 });
    expect(calibrate([], promise)).toMatchObject({ kind: 'off', reason: 'too_few_labels' });
  });

  it('accepts everything where all answers agree', () => {
    expect(calibrate(ranked(500, []), promise)).toMatchObject({ kind: 'on', threshold: 0, firstRefused: null });
  });

  it('stops before the disagreement that the answers so far do not forgive', () => {
    // Six forgiven only from rank 349 on: the sixth, at 345, ends the walk.
    const result = calibrate(ranked(500, [100, 150, 200, 250, 300, 345]), promise);
    expect(leastAnswers(5, promise)).toBe(308);
    expect(leastAnswers(6, promise)).toBe(349);
    expect(result).toMatchObject({ kind: 'on', accepted: 344, disagreed: 5, firstRefused: 156 / 501 });
    if (result.kind === 'on') {
      expect(result.threshold).toBeGreaterThan(156 / 501);
      expect(result.threshold).toBeLessThanOrEqual(157 / 501);
      expect(result.agreementLowerBound).toBeGreaterThan(0.97);
    }
  });

  it('is off, with the numbers, where even the surest answers disagree too often', () => {
    const result = calibrate(ranked(500, [1, 2, 3, 4, 5, 6]), promise);
    expect(result).toMatchObject({ kind: 'off', reason: 'agreement_too_low' });
    expect(result.kind === 'off' ? result.detail : '').toContain('of the 308 surest answers 302 agree (0.9805)');
  });

  it('begins with fewer forgiven disagreements where labels are few', () => {
    expect(calibrate(ranked(200, [129]), promise)).toMatchObject({ kind: 'on' });
    expect(calibrate(ranked(200, [1, 2]), promise)).toMatchObject({ kind: 'off', reason: 'agreement_too_low' });
  });

  it('accepts tied confidences all or none', () => {
    const tied = [
      ...Array.from({ length: 320 }, () => ({ confidence: 0.9, agreed: true })),
      ...Array.from({ length: 300 }, (_, index) => ({ confidence: 0.5, agreed: index % 10 !== 0 })),
    ];
    expect(calibrate(tied, promise)).toMatchObject({ kind: 'on', threshold: 0.7, accepted: 320, firstRefused: 0.5 });
    const allTied = Array.from({ length: 600 }, (_, index) => ({ confidence: 0.9, agreed: index % 10 !== 0 }));
    expect(calibrate(allTied, promise)).toMatchObject({ kind: 'off', reason: 'agreement_too_low' });
  });

  it('keeps a threshold strictly above the first refused answer however close the two are', () => {
    const close = ranked(400, []).map((_, index) => ({
      confidence: index < 350 ? 0.5 + Number.EPSILON : 0.5,
      agreed: index < 350,
    }));
    const result = calibrate(close, promise);
    expect(result.kind === 'on' && result.threshold > 0.5 && result.threshold <= 0.5 + Number.EPSILON).toBe(true);
  });

  it('says that a promise of certainty cannot be shown', () => {
    const result = calibrate(ranked(500, []), { ...promise, minAgreement: 1 });
    expect(result).toMatchObject({ kind: 'off', reason: 'too_few_labels' });
    expect(result.kind === 'off' ? result.detail : '').toContain('no number of labels');
  });

  it('refuses a confidence that is none', () => {
    expect(() => calibrate([{ confidence: Number.NaN, agreed: true }], promise)).toThrow(RangeError);
    expect(() => calibrate([{ confidence: 1.5, agreed: true }], promise)).toThrow(RangeError);
  });

  it('does not depend on the order of the pairs', () => {
    const pairs = ranked(400, [50, 120, 260, 300, 310, 320, 330, 340, 350]);
    fc.assert(
      fc.property(fc.shuffledSubarray(pairs, { minLength: 400 }), (shuffled) => {
        expect(calibrate(shuffled, promise)).toEqual(calibrate(pairs, promise));
      }),
      { numRuns: 20 },
    );
  });

  it('a stricter promise never accepts more', () => {
    const pair = fc.record({ confidence: fc.double({ min: 0, max: 1, noNaN: true }), agreed: fc.boolean() });
    fc.assert(
      fc.property(fc.array(pair, { minLength: 80, maxLength: 400 }), (pairs) => {
        const lenient = pairs.map((one, index) => ({ ...one, agreed: one.agreed || index % 9 !== 0 }));
        const acceptedAt = (confidence: number): number => {
          const result = calibrate(lenient, { ...promise, minAgreement: 0.85, confidence });
          return result.kind === 'on' ? result.accepted : 0;
        };
        // The walk may begin later for the stricter one, never end later than the laxer one that began.
        fc.pre(acceptedAt(0.8) > 0);
        expect(acceptedAt(0.95)).toBeLessThanOrEqual(acceptedAt(0.8));
      }),
    );
  });
});

/**
 * Worlds with a known answer. Each world's agreement at confidence c; what accepting from t up really agrees follows.
 * 2,000 calibrations each: at 10 % the share of broken promises stays under 0.10 + 3 standard errors = 0.12.
 */
describe('calibrate keeps its promise in worlds where the truth is known', () => {
  const worlds: readonly (readonly [
    name: string,
    drawConfidence: (u: number) => number,
    agrees: (c: number) => number,
  ])[] = [
    ['calibrated confidence', (u) => 1 - 0.6 * u ** 3, (c) => c],
    ['agreement that falls off a cliff', (u) => u, (c) => (c > 0.4 ? 0.985 : 0.6)],
    ['agreement everywhere a little too low', (u) => u, () => 0.969],
    ['few distinct confidences', (u) => Math.ceil((1 - u ** 2) * 6) / 6, (c) => 0.93 + 0.07 * c],
  ];

  it.each(worlds)('%s', (_name, drawConfidence, agrees) => {
    const random = seeded(42);
    const draw = (): CalibrationPair => {
      const confidence = drawConfidence(random());
      return { confidence, agreed: random() < agrees(confidence) };
    };
    const population = Array.from({ length: 20_001 }, (_, index) => drawConfidence(index / 20_000)).sort(
      (a, b) => b - a,
    );
    const sums: number[] = [];
    for (const confidence of population) sums.push((sums.at(-1) ?? 0) + agrees(confidence));
    const trueAgreement = (threshold: number): number => {
      let count = population.findIndex((confidence) => confidence < threshold);
      if (count < 0) count = population.length;
      return count === 0 ? 1 : (sums[count - 1] ?? 0) / count;
    };
    let broken = 0;
    for (let run = 0; run < 2_000; run += 1) {
      const result = calibrate(Array.from({ length: 400 }, draw), promise);
      if (result.kind === 'on' && trueAgreement(result.threshold) < promise.minAgreement) broken += 1;
    }
    expect(broken / 2_000).toBeLessThan(0.12);
  });
});
