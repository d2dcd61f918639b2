import { describe, expect, it } from 'vitest';
import { decide } from '../../../shared/decide/plan.ts';
import type { Refusal, RefusalReason } from '../../../shared/decide/plan-types.ts';
import type { FactsOptions, TargetOptions } from './world.ts';
import { edge, factsWith, GATEWAY_NANOS, lambda, NOW_MS, sagemaker, target } from './world.ts';

function refusalsOf(options: FactsOptions): readonly Refusal[] {
  return decide(factsWith(options)).refused;
}

const open = { kind: 'open', openedAtMs: NOW_MS - 500, openMs: 2_000, failedProbes: 0 } as const;
const halfOpen = {
  kind: 'half_open',
  openedAtMs: NOW_MS - 3_000,
  openMs: 2_000,
  failedProbes: 0,
  probeStartedAtMs: NOW_MS - 100,
  probeLeaseMs: 2_000,
} as const;

const cases: readonly [RefusalReason, string, FactsOptions, string, string][] = [
  [
    'disabled',
    'a target switched off',
    { targets: [edge(), lambda({ enabled: false })] },
    'lambda',
    'switched off in the configuration',
  ],
  [
    'unreachable',
    'a target without credentials',
    { targets: [edge(), lambda({ unreachable: 'no AWS credentials' })] },
    'lambda',
    'no AWS credentials',
  ],
  [
    'placement_excluded',
    'a cloud target when the caller wants the edge',
    { requirements: { placement: 'edge' } },
    'sagemaker',
    'placement is edge',
  ],
  [
    'placement_excluded',
    'the edge when the caller wants the cloud',
    { requirements: { placement: 'cloud' } },
    'edge',
    'placement is cloud',
  ],
  [
    'variant_not_pinned',
    'other variants than the pinned one',
    { requirements: { variant: 'base' } },
    'edge',
    'the request pins base',
  ],
  [
    'breaker_open',
    'a target whose breaker is open',
    { targets: [edge(), lambda({ breaker: open })] },
    'lambda',
    'open for another 1500 ms',
  ],
  [
    'breaker_half_open',
    'a target that is being probed',
    { targets: [edge(), lambda({ breaker: halfOpen })] },
    'lambda',
    'a probe is under way',
  ],
  [
    'concurrency_limit',
    'a target at its concurrency',
    { targets: [edge(), lambda({ inFlight: 100 })] },
    'lambda',
    '100 running, 100 allowed',
  ],
  [
    'payload_too_large',
    'a payload over the limit',
    { targets: [edge(), lambda({ max_payload_bytes: 99 })] },
    'lambda',
    '100 bytes, 99 allowed',
  ],
  [
    'batch_too_large',
    'a batch over the limit',
    { itemCount: 9, targets: [edge(), lambda({ max_batch: 8 })] },
    'lambda',
    '9 inputs, 8 allowed',
  ],
  [
    'over_budget',
    'a target dearer than the cap',
    { requirements: { maxCostNanos: GATEWAY_NANOS + 10 } },
    'sagemaker',
    '18237 nano-dollars, 314 allowed',
  ],
  [
    'over_budget',
    'a step that the ones before it leave no money for',
    { requirements: { maxCostNanos: 18_500 } },
    'sagemaker',
    '17933 nano-dollars, 17533 left after the steps before it',
  ],
  [
    'model_broken',
    'a variant whose weights could not be loaded, for a while',
    { targets: [edge({ cold: { kind: 'broken', retryAfterMs: 900.2 } }), lambda()] },
    'edge',
    'its weights are tried again in 901 ms',
  ],
  [
    'too_slow',
    'a variant that is still loading, where nobody can wait for it',
    { leftMs: 80, targets: [edge({ cold: { kind: 'loading', loadMs: 90 } }), lambda()] },
    'edge',
    'needs 92 ms, 80 ms left',
  ],
  [
    'below_min_accuracy',
    'a variant below the asked accuracy',
    { policy: { kind: 'cheapest' }, requirements: { minAccuracy: 0.95 } },
    'lambda',
    'accuracy 0.94, 0.95 asked',
  ],
  ['too_slow', 'a place that will not be in time', { leftMs: 90 }, 'sagemaker', 'needs 100 ms, 69 ms left'],
  [
    'too_slow',
    'a place too slow under a single policy',
    { policy: { kind: 'cheapest' }, leftMs: 70 },
    'sagemaker',
    'needs 100 ms, 70 ms left',
  ],
  [
    'complexity_skips',
    'the first step of a medium request',
    { requirements: { complexity: 'medium' } },
    'edge',
    'medium starts above the first step',
  ],
  [
    'complexity_skips',
    'further steps of a low request',
    { requirements: { complexity: 'low' } },
    'sagemaker',
    'low takes any answer of the step before',
  ],
  [
    'complexity_skips',
    'weaker variants of a high request',
    { requirements: { complexity: 'high' } },
    'lambda',
    'high starts with large',
  ],
  [
    'complexity_skips',
    'the weakest variant of a medium request under a single policy',
    { policy: { kind: 'cheapest' }, requirements: { complexity: 'medium' } },
    'edge',
    'a request this hard leaves out the weakest variant',
  ],
  [
    'not_in_policy',
    'a variant that the cascade does not name',
    { policy: { kind: 'cascade', steps: [{ variant: 'micro', accept_confidence: 0.7 }] } },
    'lambda',
    'no step of the cascade names this variant',
  ],
];

describe('eligible', () => {
  it.each(cases)('refuses with %s: %s', (reason, _what, options, id, detail) => {
    expect(refusalsOf(options)).toContainEqual(expect.objectContaining({ target: id, reason, detail }));
  });

  it('waits for a variant that is loading where there is time, and counts the loading once for a batch', () => {
    const { attempts } = decide(
      factsWith({ itemCount: 4, targets: [edge({ cold: { kind: 'loading', loadMs: 90 } }), lambda()] }),
    );
    expect(attempts[0]).toMatchObject({ target: 'edge', predictedP50Ms: 94, predictedP95Ms: 98 });
  });

  it('lets one request through when the breaker has been open long enough', () => {
    const breaker = { ...open, openedAtMs: NOW_MS - 2_000 };
    const plan = decide(factsWith({ targets: [lambda({ breaker })] }));
    expect(plan.attempts.map((attempt) => attempt.target)).toEqual(['lambda']);
  });

  it('ignores targets and variants of other models without a word', () => {
    const other = lambda();
    const serves = [{ model: 'digits', variant: 'base', latency_prior: { p50_ms: 1, p95_ms: 2 }, compute_prior_ms: 1 }];
    const plan = decide(
      factsWith({
        targets: [
          edge(),
          { ...other, spec: { ...other.spec, serves } },
          target('x', 'lambda', { variant: 'unlisted' }),
        ],
      }),
    );
    expect(plan.refused).toEqual([]);
    expect(plan.attempts.map((attempt) => attempt.target)).toEqual(['edge']);
  });

  it('says why, and plans nothing, when no place can take the request', () => {
    const plan = decide(
      factsWith({ targets: [lambda({ enabled: false }), sagemaker({ unreachable: 'no endpoint' })] }),
    );
    expect(plan.attempts).toEqual([]);
    expect(plan.refused.map((refusal) => refusal.reason)).toEqual(['disabled', 'unreachable']);
    expect(plan.reason).toBe('No target can take this request.');
  });

  it('refuses every place when edge only is asked of a model without an edge variant', () => {
    const plan = decide(factsWith({ targets: [lambda(), sagemaker()], requirements: { placement: 'edge' } }));
    expect(plan.attempts).toEqual([]);
    expect(plan.refused.every((refusal) => refusal.reason === 'placement_excluded')).toBe(true);
  });

  it('refuses every place when the cap does not even cover the gateway', () => {
    const plan = decide(factsWith({ requirements: { maxCostNanos: 0 } }));
    expect(plan.attempts).toEqual([]);
    expect(plan.refused.map((refusal) => refusal.reason)).toEqual(['over_budget', 'over_budget', 'over_budget']);
  });

  it('asks a place beyond what it bore of late where there is no other, never beyond what is configured', () => {
    const asked = (options: TargetOptions) =>
      decide(factsWith({ targets: [lambda({ inFlight: 5, concurrencyLimit: 5, ...options })] })).attempts.length;
    expect([asked({}), asked({ max_concurrency: 5 })]).toEqual([1, 0]);
  });
});

describe('the budget of a route', () => {
  it('never says to come back for what it cannot save up for', () => {
    const budget = { usd_per_hour: 3.6, burst_usd: 0.000_01 };
    const { attempts, refused, retryAfterMs } = decide(
      factsWith({ route: { budget }, budgetNanos: 5_000, targets: [sagemaker()] }),
    );
    expect([attempts, refused.map(({ reason }) => reason), retryAfterMs]).toEqual([[], ['over_budget'], undefined]);
  });
});
