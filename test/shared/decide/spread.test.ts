import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { next } from '../../../shared/decide/next.ts';
import { decide } from '../../../shared/decide/plan.ts';
import type { FactsOptions } from './world.ts';
import { arbitraryFacts, edge, factsWith, lambda, NOW_MS, target } from './world.ts';

const DRAWS = 2_000;
const large = { kind: 'most_accurate' } as const;
const replica = (id: string, options = {}) =>
  target(id, 'sagemaker', { variant: 'large', p50Ms: 50, p95Ms: 80, ...options });

/** Share of decisions whose first attempt is at each place. */
function shares(options: FactsOptions): Record<string, number> {
  const counts: Record<string, number> = {};
  for (let draw = 0; draw < DRAWS; draw += 1) {
    const first = decide(factsWith({ ...options, random: draw / DRAWS })).attempts[0]?.target ?? 'nobody';
    counts[first] = (counts[first] ?? 0) + 1 / DRAWS;
  }
  return counts;
}

describe('places that are as good as each other', () => {
  it('share the load', () => {
    const targets = ['a', 'b', 'c', 'd'].map((id) => replica(id));
    for (const share of Object.values(shares({ policy: large, targets }))) expect(share).toBeCloseTo(0.25, 1);
  });

  it('get the less the busier and the slower they are', () => {
    const busy = shares({ policy: large, targets: [replica('a', { inFlight: 50 }), replica('b'), replica('c')] });
    expect(busy['a'] ?? 0).toBeLessThan(0.05);
    const slow = shares({ policy: large, targets: [replica('a', { p95Ms: 200 }), replica('b'), replica('c')] });
    expect(slow['a']).toBeUndefined();
  });

  it('are not those of another variant, another kind or a higher price', () => {
    const others = [replica('dear', { price: { kind: 'flat', usd_per_request: 1 } }), lambda(), edge()];
    expect(Object.keys(shares({ policy: large, targets: [replica('a'), ...others] }))).toEqual(['a']);
  });

  it('share the steps of a cascade too', () => {
    const policy = { kind: 'cascade', steps: [{ variant: 'large', accept_confidence: 0 }] } as const;
    expect(shares({ policy: { ...policy, steps: [...policy.steps] }, targets: [replica('a'), replica('b')] })).toEqual({
      a: expect.closeTo(0.5, 1),
      b: expect.closeTo(0.5, 1),
    });
  });
});

describe('exploring', () => {
  const seen = { count: 400, p50Ms: 50, p95Ms: 80, p99Ms: 90 };
  /** The second one is slower by its prior, and nobody has looked for a while. */
  const targets = [replica('usual', { observed: seen }), replica('stale', { p50Ms: 70, p95Ms: 120 })];
  const route = { exploration: { share: 0.05 } };

  it('looks at a stale place as often as it may, and says so', () => {
    const found = shares({ policy: large, targets, route });
    expect(found['stale']).toBeGreaterThan(0.03);
    expect(found['stale']).toBeLessThan(0.07);
    const plans = Array.from({ length: 200 }, (_, draw) =>
      decide(factsWith({ policy: large, targets, route, random: draw / 200 })),
    );
    const exploring = plans.find(({ attempts }) => attempts[0]?.target === 'stale');
    expect(exploring?.reason).toContain('Exploring large at stale, not seen for a while.');
    expect(exploring?.attempts.map(({ target: id, role }) => `${role} ${id}`)).toEqual([
      'primary stale',
      'reserve usual',
    ]);
  });

  it('stops in time for the usual place to be asked as if it came first, should the stale one hang', () => {
    const plans = Array.from({ length: 200 }, (_, draw) =>
      decide(factsWith({ policy: large, targets, route, leftMs: 300, random: draw / 200 })),
    );
    const exploring = plans.find(({ attempts }) => attempts[0]?.target === 'stale');
    const needed = exploring?.attempts[1]?.neededMs ?? 0;
    const step = exploring && next(exploring, [], { nowMs: NOW_MS, deadlineAtMs: NOW_MS + 300 });
    expect(step).toMatchObject({ kind: 'attempt', index: 0, timeoutMs: 300 - needed });
  });

  it.each<[string, FactsOptions]>([
    ['no retry left to ask the usual place with', { mayRetry: false }],
    ['a critical request', { requirements: { priority: 'critical' } }],
    ['time that would not hold the usual place after it', { leftMs: 199 }],
    ['money that would not pay for the usual place after it', { requirements: { maxCostNanos: 30_000 } }],
    [
      'a place that was just seen',
      {
        targets: [
          replica('usual', { observed: seen }),
          replica('stale', { p50Ms: 70, p95Ms: 120, observed: { ...seen, count: 5, p95Ms: 120 } }),
        ],
      },
    ],
    ['a route that does not say so', { route: {} }],
  ])('never happens with %s', (_name, change) => {
    expect(shares({ policy: large, targets, route, ...change })['stale']).toBeUndefined();
  });

  it('takes another place of the same step in a cascade, never another step', () => {
    const cascade = {
      kind: 'cascade' as const,
      steps: [
        { variant: 'large', accept_confidence: 0.5 },
        { variant: 'base', accept_confidence: 0 },
      ],
    };
    const found = shares({ policy: cascade, targets: [...targets, lambda()], route });
    expect(Object.keys(found).toSorted()).toEqual(['stale', 'usual']);
  });

  it('never breaks what the plan without it would promise', () => {
    const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(arbitraryFacts, random, (facts, draw) => {
        const plain = decide({ ...facts, random: draw });
        const plan = decide({ ...facts, random: draw, route: { ...facts.route, exploration: { share: 0.05 } } });
        expect(plan.missed).toEqual(plain.missed);
        const leftMs = facts.deadlineAtMs - facts.nowMs;
        const explored = plan.reason.startsWith('Exploring');
        if (!explored) {
          expect(plan).toEqual(plain);
          return;
        }
        const [first] = plan.attempts;
        const [usual] = plain.attempts;
        expect((first?.neededMs ?? 0) + (usual?.neededMs ?? 0)).toBeLessThanOrEqual(leftMs);
        const primary = plan.attempts.filter(({ role }) => role === 'primary');
        const cost = primary.reduce((sum, one) => sum + one.predictedCostNanos, plan.gatewayCostNanos);
        expect(cost).toBeLessThanOrEqual(plan.maxCostNanos ?? Infinity);
        expect(facts.requirements.priority).not.toBe('critical');
      }),
      { numRuns: 2_000 },
    );
  });
});
