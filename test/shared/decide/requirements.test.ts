/** One row a field: what the caller asks, what the registry says, how places are, how the route is configured. Each changes the decision. */
import { describe, expect, it } from 'vitest';
import { decide } from '../../../shared/decide/plan.ts';
import type { OwnSight, ResourceStatus } from '../../../shared/decide/facts.ts';
import type { Plan } from '../../../shared/decide/plan-types.ts';
import { CHANCE_OF, drawFor } from '../../../shared/decide/chance.ts';
import type { RouteSpec } from '../../../shared/schema/config.ts';
import type { BasePolicy } from '../../../shared/schema/route-policy.ts';
import type { FactsOptions } from './world.ts';
import { edge, factsWith, GATEWAY_NANOS, lambda, NOW_MS, sagemaker, target } from './world.ts';

/** `first+beside > next | reserve`, hedges left out. */
function shapeOf({ attempts }: Plan): string {
  const named = (role: 'primary' | 'reserve') =>
    attempts.filter((one) => one.role === role).map((one) => `${one.isSpeculative ? '+' : ''}${one.target}`);
  return `${named('primary').join(' > ')} | ${named('reserve').join(', ')}`;
}

const cheapest = { kind: 'cheapest' } as const;
const status = (change: Partial<ResourceStatus>): ResourceStatus => ({
  asOfMs: NOW_MS - 1_000,
  health: 'up',
  loadRatio: null,
  priceRatio: null,
  ...change,
});
/** Two clouds of one variant, the second a little dearer and slower. */
const clouds = (first = {}, second = {}) => [
  target('cloud-a', 'sagemaker', { variant: 'large', p50Ms: 50, p95Ms: 80, ...first }),
  target('cloud-b', 'sagemaker', { variant: 'large', p50Ms: 70, p95Ms: 110, ...second }),
];
const models = (accuracy: number): FactsOptions => {
  const { model } = factsWith();
  return {
    model: { ...model, variants: model.variants.map((one) => (one.name === 'micro' ? { ...one, accuracy } : one)) },
  };
};
const route = (change: Partial<RouteSpec>): FactsOptions => ({ route: change });
const caller = (metadata: Record<string, string>, tenant = 'acme'): FactsOptions['caller'] => ({
  tenant,
  requestId: 'r1',
  metadata,
});
const rule = (when: NonNullable<RouteSpec['rules']>[number]['when']): Partial<RouteSpec> => ({
  rules: [{ name: 'special', when, policy: { kind: 'most_accurate' } }],
});
const split: RouteSpec['policy'] = {
  kind: 'split',
  arms: [
    { name: 'a', weight: 1, policy: { kind: 'cheapest' }, targets: ['lambda'] },
    { name: 'b', weight: 1, policy: { kind: 'cheapest' }, targets: ['sagemaker'] },
  ],
};
const canary = (share: number): RouteSpec['policy'] => ({
  kind: 'canary',
  share,
  base: { name: 'old', policy: factsWith().route.policy as BasePolicy },
  canary: { name: 'new', policy: { kind: 'most_accurate' } },
});
/** A request that draws to explore. */
function explorer(): number {
  for (let random = 0; random < 1; random += 1 / 512) if (drawFor(random, CHANCE_OF.explore) < 0.05) return random;
  throw new Error('nobody explores');
}
const special = 'sagemaker | lambda, edge';
const walk = 'edge > lambda > sagemaker | ';

type Row = readonly [field: string, without: FactsOptions, shape: string, withIt: FactsOptions, changed: string];

const rows: readonly Row[] = [
  // What the caller asks.
  ['latency_requirement', {}, walk, { leftMs: 90 }, 'edge > lambda | sagemaker'],
  ['model_complexity low', {}, walk, { requirements: { complexity: 'low' } }, 'edge | lambda, sagemaker'],
  ['model_complexity medium', {}, walk, { requirements: { complexity: 'medium' } }, 'lambda > sagemaker | edge'],
  ['model_complexity high', {}, walk, { requirements: { complexity: 'high' } }, 'sagemaker | edge, lambda'],
  [
    'model_complexity auto, by the estimated difficulty',
    { ...route({ skip_above_difficulty: 0.2 }), difficulty: 0.1 },
    walk,
    { ...route({ skip_above_difficulty: 0.2 }), difficulty: 0.3 },
    'lambda > sagemaker | edge',
  ],
  [
    'priority',
    { leftMs: 100 },
    'edge > lambda | sagemaker',
    { leftMs: 100, requirements: { priority: 'high' } },
    'edge > lambda | sagemaker',
  ],
  [
    'priority, where time does not hold two steps in sequence',
    { leftMs: 40 },
    'edge | lambda',
    { leftMs: 40, requirements: { priority: 'high' } },
    'edge > +lambda | ',
  ],
  [
    'min_accuracy',
    { policy: cheapest },
    'edge | lambda, sagemaker',
    { policy: cheapest, requirements: { minAccuracy: 0.93 } },
    'lambda | edge, sagemaker',
  ],
  ['max_cost_usd', {}, walk, { requirements: { maxCostNanos: GATEWAY_NANOS + 10 } }, 'edge | '],
  ['placement edge', {}, walk, { requirements: { placement: 'edge' } }, 'edge | '],
  ['placement cloud', {}, walk, { requirements: { placement: 'cloud' } }, 'lambda > sagemaker | '],
  ['variant', {}, walk, { requirements: { variant: 'base' } }, 'lambda | '],
  [
    'metadata',
    { ...route(rule({ metadata: { plan: ['gold'] } })), caller: caller({ plan: 'free' }) },
    walk,
    { ...route(rule({ metadata: { plan: ['gold'] } })), caller: caller({ plan: 'gold' }) },
    special,
  ],
  [
    'the tenant',
    { ...route(rule({ tenants: ['acme'] })), caller: caller({}, 'other') },
    walk,
    { ...route(rule({ tenants: ['acme'] })), caller: caller({}) },
    special,
  ],
  [
    'the length of the input',
    { ...route(rule({ min_input_chars: 500 })), inputChars: 499 },
    walk,
    { ...route(rule({ min_input_chars: 500 })), inputChars: 500 },
    special,
  ],
  ['the number of inputs', { itemCount: 64, leftMs: 9_000 }, walk, { itemCount: 65, leftMs: 9_000 }, ' | '],
  ['the size of the input', { inputBytes: 1_000_000 }, walk, { inputBytes: 1_000_001 }, ' | '],

  // What the registry says.
  [
    'accuracy of a variant',
    { policy: { kind: 'most_accurate' } },
    special,
    { policy: { kind: 'most_accurate' }, ...models(0.99) },
    'edge | sagemaker, lambda',
  ],
  [
    'latency of a place, before it was seen',
    { policy: { kind: 'fastest' }, targets: clouds() },
    'cloud-a | cloud-b',
    { policy: { kind: 'fastest' }, targets: clouds({}, { p50Ms: 30, p95Ms: 50 }) },
    'cloud-b | cloud-a',
  ],
  [
    'latency of a place, as it was seen',
    { policy: { kind: 'fastest' }, targets: clouds() },
    'cloud-a | cloud-b',
    { policy: { kind: 'fastest' }, targets: clouds({ observed: { count: 500, p50Ms: 300, p95Ms: 500, p99Ms: 700 } }) },
    'cloud-b | cloud-a',
  ],
  [
    'price of a place',
    { policy: cheapest, targets: clouds() },
    'cloud-a | cloud-b',
    { policy: cheapest, targets: clouds({ price: { kind: 'flat', usd_per_request: 0.01 } }) },
    'cloud-b | cloud-a',
  ],
  [
    'loading a model',
    { leftMs: 100, targets: [edge()] },
    'edge | ',
    { leftMs: 100, targets: [edge({ cold: { kind: 'broken', retryAfterMs: 1 } })] },
    ' | ',
  ],

  // How places are.
  [
    'a breaker',
    {},
    walk,
    {
      targets: [
        edge(),
        lambda({ breaker: { kind: 'open', openedAtMs: NOW_MS, openMs: 2_000, failedProbes: 0 } }),
        sagemaker(),
      ],
    },
    'edge > sagemaker | ',
  ],
  [
    'attempts under way',
    {},
    walk,
    { targets: [edge(), lambda({ inFlight: 100 }), sagemaker()] },
    'edge > sagemaker | ',
  ],
  [
    'a learned concurrency limit',
    { policy: { kind: 'fastest' }, targets: clouds({ inFlight: 5 }) },
    'cloud-a | cloud-b',
    { policy: { kind: 'fastest' }, targets: clouds({ inFlight: 5, concurrencyLimit: 4.7 }) },
    'cloud-b | ',
  ],
  [
    'availability as the probe found it',
    {},
    walk,
    { targets: [edge(), lambda({ status: status({ health: 'down' }) }), sagemaker()] },
    'edge > sagemaker | ',
  ],
  [
    'a place scaled to zero',
    {},
    walk,
    { targets: [edge(), lambda({ status: status({ health: 'scaled_to_zero' }) }), sagemaker()] },
    'edge > sagemaker | ',
  ],
  [
    'a place that is waking',
    {},
    walk,
    { targets: [edge(), lambda({ seen: { answeredAtMs: undefined, notReadySinceMs: NOW_MS - 100 } }), sagemaker()] },
    'edge > sagemaker | ',
  ],
  [
    'cost as the probe found it',
    { policy: cheapest, targets: clouds() },
    'cloud-a | cloud-b',
    { policy: cheapest, targets: clouds({ status: status({ priceRatio: 3 }) }) },
    'cloud-b | cloud-a',
  ],
  [
    'load as the probe found it',
    { policy: { kind: 'fastest' }, targets: clouds() },
    'cloud-a | cloud-b',
    { policy: { kind: 'fastest' }, targets: clouds({ status: status({ loadRatio: 0.9 }) }) },
    'cloud-b | cloud-a',
  ],
  [
    'the load of the isolate',
    { leftMs: 10 },
    'edge | ',
    {
      leftMs: 10,
      targets: [edge(), target('gpu', 'sagemaker', { p50Ms: 4, p95Ms: 8 })],
      edgeLoad: { cpuRatio: 0.9, queueMs: 0 },
    },
    'gpu | ',
  ],
  [
    'what waits for the isolate',
    { leftMs: 30, targets: [edge()] },
    'edge | ',
    {
      leftMs: 30,
      targets: [edge(), target('gpu', 'sagemaker', { p50Ms: 4, p95Ms: 8 })],
      edgeLoad: { cpuRatio: 0, queueMs: 40 },
    },
    'gpu | ',
  ],

  // How the route is configured.
  ['policy cheapest', {}, walk, { policy: cheapest }, 'edge | lambda, sagemaker'],
  [
    'policy fastest',
    { policy: cheapest, targets: [lambda(), sagemaker({ p50Ms: 5, p95Ms: 9 })] },
    'lambda | sagemaker',
    { policy: { kind: 'fastest' }, targets: [lambda(), sagemaker({ p50Ms: 5, p95Ms: 9 })] },
    'sagemaker | lambda',
  ],
  ['policy most_accurate', {}, walk, { policy: { kind: 'most_accurate' } }, special],
  [
    'policy cascade',
    { policy: cheapest },
    'edge | lambda, sagemaker',
    {
      policy: {
        kind: 'cascade',
        steps: [
          { variant: 'base', accept_confidence: 0.5 },
          { variant: 'large', accept_confidence: 0 },
        ],
      },
    },
    'lambda > sagemaker | ',
  ],
  ['policy split', { policy: split, random: 0.9 }, 'lambda | ', { policy: split, random: 0.1 }, 'sagemaker | '],
  ['policy canary', { policy: canary(0) }, walk, { policy: canary(1) }, special],
  [
    'a canary stopped',
    { policy: canary(1) },
    special,
    { policy: canary(1), arms: { 'intent/new': { kind: 'open', openedAtMs: NOW_MS, openMs: 9, failedProbes: 0 } } },
    walk,
  ],
  [
    'rules on priority',
    route(rule({ priorities: ['critical'] })),
    walk,
    { ...route(rule({ priorities: ['critical'] })), requirements: { priority: 'critical' } },
    special,
  ],
  [
    'rules on complexity',
    { ...route(rule({ complexities: ['low'] })) },
    walk,
    { ...route(rule({ complexities: ['low'] })), requirements: { complexity: 'low' } },
    special,
  ],
  [
    'edge_preference',
    { policy: cheapest, targets: [edge({ price: { kind: 'flat', usd_per_request: 0.00001 } }), lambda()] },
    'lambda | edge',
    {
      policy: cheapest,
      ...route({ edge_preference: 0.95 }),
      targets: [edge({ price: { kind: 'flat', usd_per_request: 0.00001 } }), lambda()],
    },
    'edge | lambda',
  ],
  ['max_cost_usd of the route', {}, walk, route({ max_cost_usd: 0.00001 }), 'edge > lambda | '],
  [
    'the budget of the route',
    {},
    walk,
    { ...route({ budget: { usd_per_hour: 1, burst_usd: 1 } }), budgetNanos: 2_000 },
    'edge > lambda | ',
  ],
  [
    'deadline_probability',
    { leftMs: 41, policy: { kind: 'most_accurate' }, targets: [edge(), lambda()] },
    'lambda | edge',
    { leftMs: 41, policy: { kind: 'most_accurate' }, targets: [edge(), lambda()], deadlineProbability: 0.99 },
    'edge | lambda',
  ],
  [
    'speculation',
    { leftMs: 40 },
    'edge | lambda',
    { leftMs: 40, ...route({ speculation: { priorities: ['normal'] } }) },
    'edge > +lambda | ',
  ],
  [
    'exploration',
    { policy: { kind: 'fastest' }, targets: clouds(), random: explorer() },
    'cloud-a | cloud-b',
    { policy: { kind: 'fastest' }, targets: clouds(), random: explorer(), ...route({ exploration: { share: 0.05 } }) },
    'cloud-b | cloud-a',
  ],
];

describe('what a decision depends on', () => {
  it.each(rows)('%s', (_field, without, shape, withIt, changed) => {
    expect(shapeOf(decide(factsWith(without)))).toBe(shape);
    expect(shapeOf(decide(factsWith(withIt)))).toBe(changed);
  });

  it('keeps to what it sees itself where that is newer than the probe', () => {
    const seen = { answeredAtMs: NOW_MS - 500, notReadySinceMs: undefined };
    for (const health of ['down', 'scaled_to_zero'] as const) {
      const plan = decide(factsWith({ targets: [edge(), lambda({ status: status({ health }), seen }), sagemaker()] }));
      expect(shapeOf(plan)).toBe(walk);
    }
  });

  it('takes no word from a probe that stopped looking, or whose clock is another', () => {
    for (const asOfMs of [NOW_MS - 3_600_000, NOW_MS + 3_600_000]) {
      const targets = [edge(), lambda({ status: status({ health: 'down', asOfMs, priceRatio: 9 }) }), sagemaker()];
      expect(shapeOf(decide(factsWith({ targets })))).toBe(walk);
    }
  });

  it('asks a place reported down where there is no other', () => {
    const targets = [lambda({ status: status({ health: 'down' }) })];
    expect(shapeOf(decide(factsWith({ targets })))).toBe('lambda | ');
  });

  it('says when to come back where nobody can answer now', () => {
    const open = { kind: 'open', openedAtMs: NOW_MS - 500, openMs: 2_000, failedProbes: 0 } as const;
    const targets = [lambda({ breaker: open }), sagemaker({ breaker: { ...open, openMs: 9_000 } })];
    expect(decide(factsWith({ targets })).retryAfterMs).toBe(1_500);
    const spent = decide(factsWith({ ...route({ budget: { usd_per_hour: 3.6, burst_usd: 1 } }), budgetNanos: 0 }));
    expect(spent.refused.map(({ reason }) => reason)).toEqual(['budget_spent', 'budget_spent', 'budget_spent']);
    // 1,000 nano-dollars trickle in a millisecond.
    expect(spent.retryAfterMs).toBe(1);
    const critical = {
      ...route({ budget: { usd_per_hour: 1, burst_usd: 1 } }),
      budgetNanos: -1,
      requirements: { priority: 'critical' as const },
    };
    expect(shapeOf(decide(factsWith(critical)))).toBe(walk);
    const never = decide(factsWith({ ...route({ budget: { usd_per_hour: 0, burst_usd: 1 } }), budgetNanos: 0 }));
    expect(never.retryAfterMs).toBeUndefined();
  });

  it('tries a waking place again by itself, the sooner the longer it may have been starting', () => {
    const cold_start = { p50_ms: 1_000, p95_ms: 3_000, idle_ms: 60_000, probability: 0.5 };
    const firstAfter = (wakingMs: number): string =>
      shapeOf(
        decide(
          factsWith({
            policy: { kind: 'cheapest' },
            targets: [
              lambda({ cold_start, seen: { answeredAtMs: undefined, notReadySinceMs: NOW_MS - wakingMs } }),
              sagemaker(),
            ],
          }),
        ),
      );
    expect(firstAfter(100)).toBe('sagemaker | ');
    expect(firstAfter(10_000)).toBe('lambda | sagemaker');
  });

  it('counts on a cold start where nobody has been for a while, and not where one was just answered', () => {
    const cold_start = { p50_ms: 800, p95_ms: 1_500, idle_ms: 60_000, probability: 0.2 };
    const shapeWith = (seen?: OwnSight): string =>
      shapeOf(
        decide(
          factsWith({
            targets: [edge(), lambda({ cold_start, ...(seen === undefined ? {} : { seen }) }), sagemaker()],
          }),
        ),
      );
    expect(shapeWith()).toBe('edge > sagemaker | lambda');
    expect(shapeWith({ answeredAtMs: NOW_MS - 59_000, notReadySinceMs: undefined })).toBe(walk);
    expect(shapeWith({ answeredAtMs: NOW_MS - 61_000, notReadySinceMs: undefined })).toBe('edge > sagemaker | lambda');
    // A clock that went back knows nothing of what it has seen.
    expect(shapeWith({ answeredAtMs: NOW_MS + 61_000, notReadySinceMs: undefined })).toBe('edge > sagemaker | lambda');
  });
});
