import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decide } from '../../../shared/decide/plan.ts';
import type { MissedRequirement, Plan } from '../../../shared/decide/plan-types.ts';
import type { FactsOptions } from './world.ts';
import { arbitraryFacts, edge, factsWith, GATEWAY_NANOS, lambda, sagemaker, target } from './world.ts';

/** `role target accept` of every attempt, such as `p edge .7`. */
function shapeOf(plan: Plan): string {
  return plan.attempts.map((attempt) => `${attempt.role[0]} ${attempt.target} ${attempt.acceptConfidence}`).join(', ');
}

const cheapest = { kind: 'cheapest' } as const;
const fastest = { kind: 'fastest' } as const;
const mostAccurate = { kind: 'most_accurate' } as const;
/** Dearer than SageMaker and quicker. */
const fastLarge = target('fast', 'sagemaker', {
  variant: 'large',
  p50Ms: 10,
  p95Ms: 15,
  price: { kind: 'flat', usd_per_request: 0.001 },
});

const cases: readonly [string, FactsOptions, string, readonly MissedRequirement[]][] = [
  ['walks the cascade and takes any answer of its last step', {}, 'p edge 0.7, p lambda 0.8, p sagemaker 0', []],
  ['latency_requirement drops steps that would be late', { leftMs: 90 }, 'p edge 0.7, p lambda 0.8, r sagemaker 0', []],
  ['latency_requirement leaves out what cannot answer in time at all', { leftMs: 45 }, 'p edge 0.7, p lambda 0.8', []],
  [
    'latency_requirement nobody meets: the cheapest for a normal request',
    { leftMs: 1.5 },
    'p edge 0.7',
    ['latency_requirement'],
  ],
  [
    'latency_requirement nobody meets: the best with even odds for a critical one',
    { leftMs: 30, targets: [lambda(), sagemaker()], requirements: { priority: 'critical' } },
    'p lambda 0.8',
    ['latency_requirement'],
  ],
  [
    'latency_requirement nobody has even odds of: the quickest for a high one',
    { leftMs: 0.5, requirements: { priority: 'high' } },
    'p edge 0.7',
    ['latency_requirement'],
  ],
  [
    'latency_requirement nobody has even odds of: the cheapest for a low one',
    { leftMs: 0.5, requirements: { priority: 'low' }, targets: [lambda(), edge()] },
    'p edge 0.7',
    ['latency_requirement'],
  ],
  ['a deadline already past is missed, whatever is tried', { leftMs: -1 }, 'p edge 0.7', ['latency_requirement']],
  [
    'complexity low takes any answer of the first step',
    { requirements: { complexity: 'low' } },
    'p edge 0, r lambda 0, r sagemaker 0',
    [],
  ],
  [
    'complexity low asks more of a step below min_accuracy',
    { requirements: { complexity: 'low', minAccuracy: 0.92 } },
    'p edge 0.92, p lambda 0, r sagemaker 0',
    [],
  ],
  [
    'complexity medium starts at the second step',
    { requirements: { complexity: 'medium' } },
    'p lambda 0.8, p sagemaker 0, r edge 0.7',
    [],
  ],
  [
    'complexity medium starts at the third step if the second is away',
    { requirements: { complexity: 'medium' }, targets: [edge(), sagemaker()] },
    'p sagemaker 0, r edge 0.7',
    [],
  ],
  [
    'complexity medium falls back to the first step and says so',
    { requirements: { complexity: 'medium' }, targets: [edge()] },
    'p edge 0.7',
    ['model_complexity'],
  ],
  [
    'complexity medium gives way to the deadline',
    { requirements: { complexity: 'medium' }, leftMs: 30 },
    'p edge 0.7, r lambda 0.8',
    ['model_complexity'],
  ],
  [
    'complexity high goes straight to the reference variant',
    { requirements: { complexity: 'high' } },
    'p sagemaker 0, r edge 0.7, r lambda 0.8',
    [],
  ],
  [
    'complexity high takes the best there is when the reference is away',
    { requirements: { complexity: 'high' }, targets: [edge(), lambda()] },
    'p lambda 0.8, r edge 0.7',
    ['model_complexity'],
  ],
  [
    'complexity high gives way to the deadline',
    { requirements: { complexity: 'high' }, leftMs: 50 },
    'p lambda 0.8, r edge 0.7',
    ['model_complexity'],
  ],
  [
    'complexity high under cheapest takes the reference variant',
    { policy: cheapest, requirements: { complexity: 'high' } },
    'p sagemaker 0, r edge 0, r lambda 0',
    [],
  ],
  [
    'complexity medium under cheapest leaves out the weakest',
    { policy: cheapest, requirements: { complexity: 'medium' } },
    'p lambda 0, r edge 0, r sagemaker 0',
    [],
  ],
  [
    'complexity medium under cheapest with only the weakest says so',
    { policy: cheapest, requirements: { complexity: 'medium' }, targets: [edge()] },
    'p edge 0',
    ['model_complexity'],
  ],
  [
    'priority high reserves the better first',
    { requirements: { complexity: 'low', priority: 'high' } },
    'p edge 0, r sagemaker 0, r lambda 0',
    [],
  ],
  [
    'priority low reserves the cheaper first',
    { requirements: { complexity: 'low', priority: 'low' } },
    'p edge 0, r lambda 0, r sagemaker 0',
    [],
  ],
  [
    'min_accuracy raises every threshold of the cascade',
    { requirements: { minAccuracy: 0.95 } },
    'p edge 0.95, p lambda 0.95, p sagemaker 0',
    [],
  ],
  [
    'min_accuracy above the best variant is missed',
    { requirements: { minAccuracy: 0.99 } },
    'p edge 0.99, p lambda 0.99, p sagemaker 0',
    ['min_accuracy'],
  ],
  [
    'min_accuracy counts for the variant under a single policy',
    { policy: cheapest, requirements: { minAccuracy: 0.93 } },
    'p lambda 0, r edge 0.93, r sagemaker 0',
    [],
  ],
  [
    'min_accuracy nobody meets under a single policy: the most accurate',
    { policy: cheapest, requirements: { minAccuracy: 0.99 } },
    'p sagemaker 0, r edge 0.99, r lambda 0.99',
    ['min_accuracy'],
  ],
  [
    'min_accuracy gives way to the deadline',
    { policy: cheapest, requirements: { minAccuracy: 0.95 }, leftMs: 50 },
    'p lambda 0, r edge 0.95',
    ['min_accuracy'],
  ],
  ['max_cost_usd keeps to what it pays for', { requirements: { maxCostNanos: GATEWAY_NANOS + 10 } }, 'p edge 0.7', []],
  [
    'max_cost_usd counts the steps before',
    { requirements: { maxCostNanos: 18_500 } },
    'p edge 0.7, p lambda 0.8, r sagemaker 0',
    [],
  ],
  ['placement edge stays at the edge', { requirements: { placement: 'edge' } }, 'p edge 0.7', []],
  ['placement cloud leaves the edge', { requirements: { placement: 'cloud' } }, 'p lambda 0.8, p sagemaker 0', []],
  ['variant pins one, its answer taken as it is', { requirements: { variant: 'base' } }, 'p lambda 0', []],
  [
    'variant pins one even where the cascade does not name it',
    {
      policy: { kind: 'cascade', steps: [{ variant: 'micro', accept_confidence: 0.7 }] },
      requirements: { variant: 'large' },
    },
    'p sagemaker 0',
    [],
  ],
  ['variant overrules complexity', { requirements: { variant: 'micro', complexity: 'high' } }, 'p edge 0', []],
  [
    'variant below min_accuracy says so',
    { requirements: { variant: 'micro', minAccuracy: 0.95 } },
    'p edge 0',
    ['min_accuracy'],
  ],
  [
    'of two places for one variant the cheaper is primary',
    { targets: [edge(), fastLarge, sagemaker()] },
    'p edge 0.7, p sagemaker 0, r fast 0',
    [],
  ],
  [
    'of two places for one variant the one in time is primary',
    { targets: [edge(), fastLarge, sagemaker()], leftMs: 90 },
    'p edge 0.7, p fast 0, r sagemaker 0',
    [],
  ],
  [
    'cheapest',
    { policy: cheapest, targets: [sagemaker(), fastLarge, lambda()] },
    'p lambda 0, r sagemaker 0, r fast 0',
    [],
  ],
  [
    'fastest',
    { policy: fastest, targets: [sagemaker(), fastLarge, lambda()] },
    'p fast 0, r lambda 0, r sagemaker 0',
    [],
  ],
  [
    'most_accurate, the cheaper of equals',
    { policy: mostAccurate, targets: [edge(), fastLarge, sagemaker()] },
    'p sagemaker 0, r fast 0, r edge 0',
    [],
  ],
  [
    'a step with no place is passed over and the one before keeps its threshold',
    { targets: [edge(), lambda()] },
    'p edge 0.7, p lambda 0.8',
    [],
  ],
];

describe('decide', () => {
  it.each(cases)('%s', (_name, options, shape, missed) => {
    const plan = decide(factsWith(options));
    expect(shapeOf(plan)).toBe(shape);
    expect(plan.missed).toEqual(missed);
  });

  it('predicts time, cost and accuracy, escalations included, and the cost of the cloud alone', () => {
    const plan = decide(factsWith());
    const [micro, base, large] = plan.attempts.map((attempt) => attempt.predictedCostNanos);
    expect(plan.gatewayCostNanos).toBe(GATEWAY_NANOS);
    // A fifth goes on to the second step, and a fifth of that to the third.
    expect(plan.predicted).toEqual({
      latencyMs: 1,
      inTimeRatio: 1,
      costNanos: Math.round(GATEWAY_NANOS + (micro ?? 0) + 0.2 * (base ?? 0) + 0.04 * (large ?? 0)),
      accuracy: expect.closeTo(0.8 * 0.9 + 0.16 * 0.94 + 0.04 * 0.97, 9),
    });
    expect(plan.cloudOnlyCostNanos).toBe(GATEWAY_NANOS + 17_933);
  });

  it('prices the cloud alone at the cheapest enabled place of the reference variant, refused or not', () => {
    const targets = [edge(), sagemaker({ unreachable: 'no endpoint' }), fastLarge];
    expect(decide(factsWith({ targets })).cloudOnlyCostNanos).toBe(GATEWAY_NANOS + 17_933);
    expect(decide(factsWith({ targets: [edge(), sagemaker({ enabled: false })] })).cloudOnlyCostNanos).toBe(
      GATEWAY_NANOS,
    );
  });

  it('plans nothing when no candidate is in the policy', () => {
    const plan = decide(
      factsWith({
        targets: [lambda()],
        policy: { kind: 'cascade', steps: [{ variant: 'micro', accept_confidence: 0.7 }] },
      }),
    );
    expect(plan.attempts).toEqual([]);
    expect(plan.refused.map((refusal) => refusal.reason)).toEqual(['not_in_policy']);
    const high = factsWith({
      targets: [lambda()],
      policy: { kind: 'cascade', steps: [{ variant: 'micro', accept_confidence: 0.7 }] },
      requirements: { complexity: 'high' },
    });
    expect(decide(high).attempts).toEqual([]);
  });

  it.each<[string, FactsOptions, string]>([
    ['a cascade', {}, 'micro at edge answers first; below confidence 0.7 it escalates to base at lambda.'],
    ['a cascade of one', { targets: [edge()] }, 'micro at edge answers; no further step fits the requirements.'],
    ['a cascade too late', { leftMs: 1 }, 'Best effort: micro at edge; no step is likely to be in time.'],
    ['cheapest', { policy: cheapest }, 'micro at edge is the cheapest that meets the requirements.'],
    ['fastest', { policy: fastest }, 'micro at edge is the fastest that meets the requirements.'],
    ['most accurate', { policy: mostAccurate }, 'large at sagemaker is the most accurate that meets the requirements.'],
    ['best effort', { policy: cheapest, leftMs: 0 }, 'Best effort: micro at edge; no place meets every requirement.'],
  ])('gives its reason in a sentence: %s', (_name, options, reason) => {
    expect(decide(factsWith(options)).reason).toBe(reason);
  });

  it('keeps nothing in reserve that is unlikely to answer in time', () => {
    const slow = target('slow', 'edge', { p50Ms: 100, p95Ms: 400 });
    const plan = decide(factsWith({ policy: cheapest, targets: [edge(), slow], leftMs: 95, deadlineProbability: 0.3 }));
    expect(shapeOf(plan)).toBe('p edge 0');
    expect(plan.refused).toEqual([expect.objectContaining({ target: 'slow', reason: 'too_slow' })]);
  });

  it('never plans primary attempts that cost more than the cap, nor a reserve that alone would', () => {
    fc.assert(
      fc.property(arbitraryFacts, (facts) => {
        const plan = decide(facts);
        const capNanos = facts.requirements.maxCostNanos ?? Infinity;
        let totalNanos = plan.gatewayCostNanos;
        for (const attempt of plan.attempts) {
          if (attempt.role === 'primary') totalNanos += attempt.predictedCostNanos;
          else expect(plan.gatewayCostNanos + attempt.predictedCostNanos).toBeLessThanOrEqual(capNanos);
        }
        if (plan.attempts.length > 0) expect(totalNanos).toBeLessThanOrEqual(capNanos);
      }),
    );
  });

  it('gives the same plan for the same facts', () => {
    fc.assert(
      fc.property(arbitraryFacts, (facts) => {
        expect(decide(structuredClone(facts))).toEqual(decide(facts));
      }),
    );
  });

  it('accounts for every candidate, once: attempted, or refused with a reason', () => {
    fc.assert(
      fc.property(arbitraryFacts, (facts) => {
        const plan = decide(facts);
        const known = new Set(facts.model.variants.map((variant) => variant.name));
        for (const { spec } of facts.targets) {
          const variant = spec.serves[0]?.variant ?? '';
          const attempts = plan.attempts.filter((attempt) => attempt.target === spec.id);
          const refusals = plan.refused.filter((refusal) => refusal.target === spec.id);
          expect(attempts.length).toBeLessThanOrEqual(1);
          expect(refusals.length).toBeLessThanOrEqual(1);
          if (attempts[0]?.role === 'primary') expect(refusals).toEqual([]);
          if (known.has(variant)) expect(attempts.length + refusals.length).toBeGreaterThan(0);
        }
      }),
    );
  });

  it('misses the latency requirement exactly where the first attempt needs more than is left', () => {
    fc.assert(
      fc.property(arbitraryFacts, (facts) => {
        const plan = decide(facts);
        const [first] = plan.attempts;
        if (first === undefined) return;
        expect(plan.missed.includes('latency_requirement')).toBe(first.neededMs > facts.deadlineAtMs - facts.nowMs);
      }),
    );
  });

  it('puts primary attempts before reserve ones and bounds every timeout', () => {
    fc.assert(
      fc.property(arbitraryFacts, (facts) => {
        const { attempts } = decide(facts);
        const roles = attempts.map((attempt) => attempt.role);
        expect(roles).toEqual(roles.toSorted());
        for (const attempt of attempts)
          expect(attempt.timeoutMs).toBeLessThanOrEqual(Math.max(0, facts.deadlineAtMs - facts.nowMs));
      }),
    );
  });
});
