import { describe, expect, it } from 'vitest';
import { decide } from '../../../shared/decide/plan.ts';
import { edge, factsWith, lambda, sagemaker, type FactsOptions } from './world.ts';

const accepts = (options: FactsOptions): readonly (readonly [string, number])[] =>
  decide(factsWith(options)).attempts.map(({ variant, acceptConfidence }) => [variant, acceptConfidence]);

describe('deciding under an agreement guarantee', () => {
  it('holds shortcuts to the guarantee’s thresholds in place of the steps’ own', () => {
    expect(accepts({})).toEqual([
      ['micro', 0.7],
      ['base', 0.8],
      ['large', 0],
    ]);
    expect(accepts({ acceptConfidenceOf: { micro: 0.55, base: 0.95 } })).toEqual([
      ['micro', 0.55],
      ['base', 0.95],
      ['large', 0],
    ]);
  });

  it('asks the larger of threshold and min_accuracy', () => {
    const acceptConfidence = { micro: 0.55, base: 0.95 };
    expect(accepts({ acceptConfidenceOf: acceptConfidence, requirements: { minAccuracy: 0.9 } })).toEqual([
      ['micro', 0.9],
      ['base', 0.95],
      ['large', 0],
    ]);
  });

  it('does not ask a shortcut that is off, and says why', () => {
    const plan = decide(factsWith({ acceptConfidenceOf: { micro: null, base: 0.9 } }));
    expect(plan.attempts.filter(({ role }) => role === 'primary').map(({ variant }) => variant)).toEqual([
      'base',
      'large',
    ]);
    expect(plan.refused).toContainEqual(expect.objectContaining({ variant: 'micro', reason: 'shortcut_off' }));
  });

  it('lets a shortcut that is off stand in for a place that failed, never as an accepted answer', () => {
    const plan = decide(factsWith({ acceptConfidenceOf: { micro: null, base: null } }));
    const reserve = plan.attempts.filter(({ role }) => role === 'reserve');
    expect(reserve.map(({ variant }) => variant)).toEqual(['micro', 'base']);
    for (const { acceptConfidence } of reserve) expect(acceptConfidence).toBe(Infinity);
  });

  it('holds for requests of low complexity too', () => {
    const low: FactsOptions = { requirements: { complexity: 'low' } };
    expect(accepts(low)[0]).toEqual(['micro', 0]);
    const guarded = decide(factsWith({ ...low, acceptConfidenceOf: { micro: 0.6, base: 0.9 } }));
    expect(guarded.attempts.filter(({ role }) => role === 'primary')).toMatchObject([
      { variant: 'micro', acceptConfidence: 0.6 },
      { variant: 'base', acceptConfidence: 0.9 },
      { variant: 'large', acceptConfidence: 0 },
    ]);
  });

  it('takes any answer of a pinned variant: nobody took a shortcut for the caller', () => {
    const options: FactsOptions = {
      targets: [edge(), lambda(), sagemaker()],
      requirements: { variant: 'micro' },
      acceptConfidenceOf: { micro: null, base: null },
    };
    expect(accepts(options)).toEqual([['micro', 0]]);
  });
});
