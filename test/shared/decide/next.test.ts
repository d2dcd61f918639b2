import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { next } from '../../../shared/decide/next.ts';
import { decide } from '../../../shared/decide/plan.ts';
import type { AttemptOutcome, FailureReason, FinishedAttempt, Next } from '../../../shared/decide/plan-types.ts';
import type { FactsOptions } from './world.ts';
import { arbitraryFacts, edge, factsWith, lambda, NOW_MS, sagemaker, target } from './world.ts';

const sure: AttemptOutcome = { kind: 'answered', leastConfidence: 0.99 };
const unsure: AttemptOutcome = { kind: 'answered', leastConfidence: 0.1 };
const failed: AttemptOutcome = { kind: 'failed', reason: 'upstream_error' };
const noCap = { maxCostNanos: undefined };

/** Outcomes in order of the attempts of the plan they belong to. */
function after(
  options: FactsOptions,
  outcomes: readonly (readonly [number, AttemptOutcome])[],
  leftMs = 1_000,
  maxCostNanos?: number,
): Next {
  const plan = decide(factsWith(options));
  const finished = outcomes.map(([index, outcome]) => ({
    index,
    outcome,
    costNanos: plan.attempts[index]?.predictedCostNanos ?? 0,
  }));
  return next(plan, finished, { nowMs: NOW_MS, deadlineAtMs: NOW_MS + leftMs }, { maxCostNanos });
}

function shapeOf(step: Next): string {
  switch (step.kind) {
    case 'attempt':
      return `${step.why} ${step.index}`;
    case 'wait':
      return step.untilMs === undefined ? 'wait' : `wait ${step.untilMs - NOW_MS}`;
    case 'finish':
      return step.reason;
  }
}

const lambdaB = lambda({ region: 'eu' });
const named = (state: ReturnType<typeof lambda>, id: string) => ({ ...state, spec: { ...state.spec, id } });
const twoLambdas = [edge(), lambda(), named(lambdaB, 'lambda-b')];
const medium = { requirements: { complexity: 'medium' as const } };

const cases: readonly [string, FactsOptions, readonly (readonly [number, AttemptOutcome])[], number, string][] = [
  ['begins with the first attempt', {}, [], 1_000, 'first 0'],
  [
    'accepts an answer at or above the threshold',
    {},
    [[0, { kind: 'answered', leastConfidence: 0.7 }]],
    1_000,
    'accepted',
  ],
  ['escalates an answer below it', {}, [[0, unsure]], 1_000, 'escalation 1'],
  [
    'asks, after a stand-in that is not sure, another place of the step that failed',
    { targets: [edge(), lambda(), named(lambda(), 'lambda-b'), sagemaker(), named(sagemaker(), 'sagemaker-b')] },
    [
      [0, unsure],
      [1, failed],
      [2, failed],
      [3, unsure],
    ],
    1_000,
    'fallback 4',
  ],
  [
    'escalates an answer whose confidence is not a number',
    {},
    [[0, { kind: 'answered', leastConfidence: Number.NaN }]],
    1_000,
    'escalation 1',
  ],
  [
    'escalates to the end and takes what the last step says',
    {},
    [
      [0, unsure],
      [1, unsure],
      [2, unsure],
    ],
    1_000,
    'accepted',
  ],
  ['escalates past a step that no longer fits', {}, [[0, unsure]], 39, 'best_effort'],
  ['keeps an unsure answer rather than be late', {}, [[0, unsure]], 0.5, 'best_effort'],
  ['keeps an unsure answer when there is no further step', { targets: [edge()] }, [[0, unsure]], 1_000, 'best_effort'],
  ['falls back when the attempt failed', {}, [[0, failed]], 1_000, 'fallback 1'],
  [
    'falls back to a reserve when no primary is left',
    medium,
    [
      [0, failed],
      [1, failed],
    ],
    1_000,
    'fallback 2',
  ],
  [
    'escalates from a reserve no further than there are primaries',
    medium,
    [
      [0, failed],
      [1, failed],
      [2, unsure],
    ],
    1_000,
    'best_effort',
  ],
  [
    'escalates after a fallback',
    {},
    [
      [0, failed],
      [1, unsure],
    ],
    1_000,
    'escalation 2',
  ],
  ['prefers, with no answer, a place with even odds', {}, [[0, failed]], 30, 'fallback 1'],
  ['tries, with no answer, even against the odds', {}, [[0, failed]], 10, 'fallback 1'],
  [
    'goes on from a failed escalation with the next step',
    {},
    [
      [0, unsure],
      [1, failed],
    ],
    1_000,
    'fallback 2',
  ],
  [
    'stands in for a failed escalation with another place of the variant',
    { targets: twoLambdas },
    [
      [0, unsure],
      [1, failed],
    ],
    1_000,
    'fallback 2',
  ],
  [
    'does not fall back from an answer to a place that would be late',
    {},
    [
      [0, unsure],
      [1, failed],
    ],
    90,
    'best_effort',
  ],
  [
    'does not replace an answer with a weaker one',
    medium,
    [
      [0, unsure],
      [1, failed],
    ],
    1_000,
    'best_effort',
  ],
  [
    'is exhausted when every attempt failed',
    {},
    [
      [0, failed],
      [1, failed],
      [2, failed],
    ],
    1_000,
    'exhausted',
  ],
  ['says deadline when there is no answer and no time', {}, [[0, failed]], 0.9, 'deadline'],
  ['says deadline when there was no time to begin', {}, [], 0.9, 'deadline'],
  ['says deadline when the clock makes no sense', {}, [], Number.NaN, 'deadline'],
  [
    'returns the answer it has when time is over',
    {},
    [
      [0, unsure],
      [1, failed],
    ],
    0,
    'best_effort',
  ],
  ['stops when the caller has left', {}, [[0, { kind: 'failed', reason: 'cancelled' }]], 1_000, 'exhausted'],
  ['has nothing to try in an empty plan', { targets: [] }, [], 1_000, 'exhausted'],
];

describe('next', () => {
  it.each(cases)('%s', (_name, options, outcomes, leftMs, shape) => {
    expect(shapeOf(after(options, outcomes, leftMs))).toBe(shape);
  });

  it('does not escalate with money that is not there', () => {
    expect(shapeOf(after({}, [[0, unsure]], 1_000, 400))).toBe('best_effort');
    expect(shapeOf(after({}, [[0, failed]], 1_000, 400))).toBe('exhausted');
    expect(shapeOf(after({}, [], 1_000, 305))).toBe('exhausted');
    expect(shapeOf(after({}, [[0, unsure]], 1_000, 2_000))).toBe('escalation 1');
  });

  it('skips other variants on a target that failed', () => {
    const both = lambda();
    const serves = ['base', 'large'].map((variant) => ({
      model: 'intent',
      variant,
      latency_prior: { p50_ms: 10, p95_ms: 20 },
      compute_prior_ms: 10,
    }));
    const targets = [
      edge(),
      { ...both, spec: { ...both.spec, serves } },
      sagemaker({ price: { kind: 'flat', usd_per_request: 1 } }),
    ];
    const plan = decide(factsWith({ targets }));
    expect(plan.attempts.map((attempt) => attempt.target)).toEqual(['edge', 'lambda', 'lambda', 'sagemaker']);
    expect(
      shapeOf(
        after({ targets }, [
          [0, unsure],
          [1, failed],
        ]),
      ),
    ).toBe('fallback 3');
  });

  it('leaves room for the places behind', () => {
    // 1,000 left, lambda's p50 is 20 and sagemaker's 60: the edge may take 920, and then its own limit applies.
    expect(after({}, [])).toMatchObject({ timeoutMs: 920 });
    expect(after({ targets: [edge({ timeout_ms: 300 }), lambda()] }, [])).toMatchObject({ timeoutMs: 300 });
    // 110 left for lambda, sagemaker behind it wants 60: lambda still gets half.
    expect(after({}, [[0, unsure]], 110)).toMatchObject({ index: 1, timeoutMs: 55 });
    // 70 left: half would be 35, its own p95 is 40.
    expect(after({}, [[0, unsure]], 70)).toMatchObject({ index: 1, timeoutMs: 40 });
  });

  it('leaves time to ask a place that takes next to none', () => {
    // Medium starts at lambda; sagemaker (p50 60) and the edge (p50 1) are behind it. A timer that fires a few
    // milliseconds late must not cost the answer of the edge.
    expect(after(medium, [], 200)).toMatchObject({ index: 0, timeoutMs: 120 });
    // Lambda hung for as long as it might: sagemaker gets its median, and the edge is still asked after it.
    expect(after(medium, [[0, failed]], 80)).toMatchObject({ index: 1, timeoutMs: 60 });
    expect(
      after(
        medium,
        [
          [0, failed],
          [1, failed],
        ],
        20,
      ),
    ).toMatchObject({ why: 'fallback', index: 2, timeoutMs: 20 });
  });

  it('gives an attempt against the odds no more than is left', () => {
    expect(after({}, [[0, failed]], 10)).toMatchObject({ index: 1, timeoutMs: 10 });
  });

  it('gives the last attempt all that is left', () => {
    expect(
      after(
        {},
        [
          [0, failed],
          [1, failed],
        ],
        123,
      ),
    ).toMatchObject({ index: 2, timeoutMs: 123 });
  });

  const reasons: FailureReason[] = [
    'timeout',
    'connect_failed',
    'cut',
    'garbage',
    'throttled',
    'not_ready',
    'upstream_error',
    'rejected',
    'credentials',
    'model_broken',
  ];
  it.each(reasons)('falls back after %s', (reason) => {
    expect(shapeOf(after({}, [[0, { kind: 'failed', reason }]]))).toBe('fallback 1');
  });

  const arbitraryOutcome: fc.Arbitrary<AttemptOutcome> = fc.oneof(
    fc
      .double({ min: 0, max: 1, noNaN: true })
      .map((leastConfidence): AttemptOutcome => ({ kind: 'answered', leastConfidence })),
    fc.constantFrom(...reasons, 'cancelled' as const).map((reason): AttemptOutcome => ({ kind: 'failed', reason })),
  );
  const arbitraryRun = fc.array(
    fc.record({ outcome: arbitraryOutcome, tookRatio: fc.double({ min: 0, max: 1, noNaN: true }) }),
    {
      minLength: 8,
      maxLength: 8,
    },
  );

  it('ends in at most one step per attempt, in time, within the cap, never again on a target that failed', () => {
    fc.assert(
      fc.property(arbitraryFacts, arbitraryRun, (facts, run) => {
        const plan = decide(facts);
        const limits = { maxCostNanos: facts.requirements.maxCostNanos };
        const finished: FinishedAttempt[] = [];
        const failedTargets = new Set<string>();
        let { nowMs } = facts;
        let spentNanos = plan.gatewayCostNanos;
        let step = next(plan, finished, { nowMs, deadlineAtMs: facts.deadlineAtMs }, limits);
        while (step.kind === 'attempt') {
          const attempt = plan.attempts[step.index];
          const event = run[finished.length];
          if (attempt === undefined || event === undefined) throw new Error('ran past the plan');
          expect(finished.some((done) => done.index === (step.kind === 'attempt' ? step.index : -1))).toBe(false);
          expect(failedTargets.has(attempt.target)).toBe(false);
          expect(step.timeoutMs).toBeGreaterThan(0);
          expect(step.timeoutMs).toBeLessThanOrEqual(attempt.timeoutMs);
          expect(nowMs + step.timeoutMs).toBeLessThanOrEqual(facts.deadlineAtMs);
          expect(step.why === 'first').toBe(finished.length === 0);
          spentNanos += attempt.predictedCostNanos;
          expect(spentNanos).toBeLessThanOrEqual(limits.maxCostNanos ?? Infinity);
          nowMs += step.timeoutMs * event.tookRatio;
          if (event.outcome.kind === 'failed') failedTargets.add(attempt.target);
          finished.push({ index: step.index, outcome: event.outcome, costNanos: attempt.predictedCostNanos });
          step = next(plan, finished, { nowMs, deadlineAtMs: facts.deadlineAtMs }, limits);
        }
        expect(finished.length).toBeLessThanOrEqual(plan.attempts.length);
        const hasAnswer = finished.some((done) => done.outcome.kind === 'answered');
        if (step.kind !== 'finish') throw new Error('waits although nothing runs');
        expect(step.reason === 'accepted' || step.reason === 'best_effort').toBe(hasAnswer);
      }),
      { numRuns: 500 },
    );
  });

  it('escalates only after an answer and falls back only after a failure', () => {
    fc.assert(
      fc.property(arbitraryFacts, arbitraryOutcome, (facts, outcome) => {
        const plan = decide(facts);
        const step = next(plan, [{ index: 0, outcome, costNanos: 0 }], facts, noCap);
        const whyOnly = outcome.kind === 'answered' ? 'escalation' : 'fallback';
        expect(['finish', whyOnly]).toContain(step.kind === 'attempt' ? step.why : step.kind);
      }),
    );
  });

  it('keeps the role of every target apart: a reserve never escalates', () => {
    const targets = [edge(), target('edge-b', 'edge')];
    expect(shapeOf(after({ targets }, [[0, unsure]]))).toBe('best_effort');
    expect(shapeOf(after({ targets }, [[0, failed]]))).toBe('fallback 1');
    expect(
      shapeOf(
        after({ targets }, [
          [0, failed],
          [1, sure],
        ]),
      ),
    ).toBe('accepted');
  });
});
