/** An attempt that is as good as lost is left for another place that would answer as well, and only then. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { next, type AttemptLimits } from '../../../shared/decide/next.ts';
import { decide } from '../../../shared/decide/plan.ts';
import type { AttemptOutcome, FinishedAttempt } from '../../../shared/decide/plan-types.ts';
import type { FactsOptions } from './world.ts';
import { arbitraryFacts, edge, factsWith, NOW_MS, sagemaker, target } from './world.ts';

const unsure: AttemptOutcome = { kind: 'answered', leastConfidence: 0.1 };
const LEFT_MS = 10_000;
/** Of sagemaker: four times its p99.9 by prior is about 700 ms, a quarter of the time more. */
const PATIENCE_MS = 2_500;
const far = (options = {}) => target('far', 'sagemaker', { variant: 'large', p50Ms: 120, p95Ms: 200, ...options });

/** What the large model is given once the edge has answered below its threshold. */
function timeoutMs(options: FactsOptions, limits: AttemptLimits = {}): number {
  const plan = decide(factsWith({ leftMs: LEFT_MS, ...options }));
  const large = plan.attempts.findIndex(({ target: id }) => id === 'sagemaker');
  const finished: FinishedAttempt[] = plan.attempts.flatMap(({ role, target: id, predictedCostNanos }, index) =>
    role === 'primary' && id !== 'sagemaker' && index < large
      ? [{ index, outcome: unsure, costNanos: predictedCostNanos }]
      : [],
  );
  const step = next(plan, finished, { nowMs: NOW_MS, deadlineAtMs: NOW_MS + LEFT_MS }, limits);
  if (step.kind !== 'attempt' || step.index !== large) throw new Error(`asks something else: ${step.kind}`);
  return step.timeoutMs;
}

const patient = { timeout_ms: 60_000 };

describe('an attempt beside which nothing runs', () => {
  const twoRegions = [edge(), sagemaker(patient), far(patient)];

  it('is left after four times what nearly every call takes, or a quarter of the time, for the same variant elsewhere', () => {
    expect(timeoutMs({ targets: twoRegions })).toBe(PATIENCE_MS);
    const slow = { count: 400, p50Ms: 600, p95Ms: 800, p99Ms: 1_000 };
    const plan = decide(factsWith({ leftMs: LEFT_MS, targets: [sagemaker({ observed: slow })] }));
    expect(plan.attempts[0]?.patienceMs).toBeGreaterThan(4 * 950);
  });

  it('is left so whether there is an answer already or not', () => {
    expect(timeoutMs({ targets: [sagemaker(patient), far(patient)], policy: { kind: 'most_accurate' } })).toBe(
      PATIENCE_MS,
    );
  });

  it('may meet a cold start, where its place has any', () => {
    const cold_start = { p50_ms: 500, p95_ms: 4_000, idle_ms: 1e9, probability: 0.1 };
    const seen = { answeredAtMs: NOW_MS - 1, notReadySinceMs: undefined };
    const targets = [edge(), sagemaker({ ...patient, cold_start, seen }), far(patient)];
    expect(timeoutMs({ targets })).toBeGreaterThan(4_000);
  });

  it.each<[string, FactsOptions, AttemptLimits]>([
    ['there is nobody else', { targets: [edge(), sagemaker(patient)] }, {}],
    [
      'the other is of a weaker variant',
      {
        targets: [edge(), sagemaker(patient), far({ ...patient, variant: 'base' })],
        policy: { kind: 'most_accurate' },
      },
      {},
    ],
    [
      'the other would not be in time',
      { targets: [edge(), sagemaker(patient), far({ p50Ms: 5_000, p95Ms: 9_500 })] },
      {},
    ],
    ['no retry is left', { targets: twoRegions }, { mayRetry: false }],
    ['money does not pay for both', { targets: twoRegions }, { maxCostNanos: 50_000 }],
    ['the route has spent its budget on others', { targets: twoRegions }, { budgetNanos: 19_000 }],
  ])('gets the time there is where %s', (_name, options, limits) => {
    const whole = timeoutMs(options, limits);
    expect(whole).toBeGreaterThan(4_000);
  });

  it('is never left while it computes in this isolate, nor while it writes a text', () => {
    const facts = factsWith({ leftMs: LEFT_MS, targets: twoRegions });
    const patience = (model: typeof facts.model): readonly number[] =>
      decide({ ...facts, model }).attempts.map(({ patienceMs }) => patienceMs);
    expect(patience(facts.model)[0]).toBe(Infinity);
    expect(patience({ ...facts.model, task: 'text_generation' })).toEqual([Infinity, Infinity, Infinity]);
  });

  it('whatever it is, has more than it needs to be in time as likely as was asked', () => {
    fc.assert(
      fc.property(arbitraryFacts, (facts) => {
        for (const { patienceMs, predictedP95Ms } of decide(facts).attempts)
          expect(patienceMs).toBeGreaterThanOrEqual(4 * predictedP95Ms * (1 - 1e-9));
      }),
      { numRuns: 1_000 },
    );
  });
});
