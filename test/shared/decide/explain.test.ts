import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { explainPlan } from '../../../shared/decide/explain.ts';
import { decide } from '../../../shared/decide/plan.ts';
import type { FactsOptions } from './world.ts';
import { arbitraryFacts, edge, factsWith, lambda, NOW_MS, sagemaker } from './world.ts';

function explained(options: FactsOptions): readonly string[] {
  return explainPlan(decide(factsWith(options)));
}

describe('an explanation', () => {
  it('says who answers, who comes after and when, and what is expected', () => {
    expect(explained({ route: { hedge: { max_extra_ratio: 0.05 } }, targets: [edge(), lambda()] })).toEqual([
      'cascade: micro at edge answers first; below confidence 0.7 it escalates to base at lambda.',
      '1. micro at edge, first; takes answers from confidence 0.7 (about 80.0 %); 1 ms at the median, 2 ms at p95, in time with probability 1.000; $0.00 a million; 90.0 % right on held-out data.',
      '2. base at lambda, if the answer before is not sure enough, hedged after 40 ms; takes answers from confidence 0.8 (about 80.0 %); 20 ms at the median, 40 ms at p95, in time with probability 1.000; $0.66 a million; 94.0 % right on held-out data.',
      '3. base at lambda, beside 2 if that takes long; takes answers from confidence 0.8 (about 80.0 %); 20 ms at the median, 40 ms at p95, in time with probability 1.000; $0.66 a million; 94.0 % right on held-out data.',
      'Expected, escalations included: 1 ms at the median, $0.44 a million, 90.8 % right; the cloud alone $0.30 a million.',
    ]);
  });

  it('says who was left out, what cannot be promised, and when to come back', () => {
    const lines = explained({ leftMs: 1.5, requirements: { placement: 'edge' } });
    expect(lines).toContain('Cannot be promised: an answer in time.');
    expect(lines).toContain('Left out: base at lambda: not where it may run (placement is edge).');
    const open = { kind: 'open', openedAtMs: NOW_MS, openMs: 700, failedProbes: 0 } as const;
    expect(explained({ targets: [sagemaker({ breaker: open })] })).toEqual([
      'cascade: No target can take this request.',
      'Left out: large at sagemaker: breaker open (open for another 700 ms).',
      'A place may be back in 700 ms.',
    ]);
  });

  it('says what starts together, what stands in, and what is taken of none', () => {
    const lines = explained({
      leftMs: 100,
      requirements: { priority: 'high' },
      targets: [edge(), sagemaker(), lambda()],
      acceptConfidenceOf: { micro: 0.5, base: null },
    });
    expect(lines.find((line) => line.includes('2. large'))).toContain('beside the first');
    expect(lines.find((line) => line.includes('3. base'))).toContain('if one fails; takes no answer as sure enough');
    expect(lines.at(-1)).toContain('the cloud alone $18.24 a million');
  });

  it('names every candidate of any plan', () => {
    fc.assert(
      fc.property(arbitraryFacts, (facts) => {
        const plan = decide(facts);
        const text = explainPlan(plan).join('\n');
        for (const { target, variant } of [...plan.attempts, ...plan.refused])
          expect(text).toContain(`${variant} at ${target}`);
        expect(text).not.toMatch(/undefined|NaN|Infinity/);
      }),
    );
  });
});
