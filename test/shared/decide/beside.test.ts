/** Attempts that run beside one another: speculation and hedges. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { next, type AttemptLimits } from '../../../shared/decide/next.ts';
import { decide } from '../../../shared/decide/plan.ts';
import type { AttemptOutcome, FinishedAttempt, Next, Plan, RunningAttempt } from '../../../shared/decide/plan-types.ts';
import type { FactsOptions } from './world.ts';
import { arbitraryFacts, edge, factsWith, GATEWAY_NANOS, lambda, NOW_MS, sagemaker, target } from './world.ts';

const hedge = { hedge: { max_extra_ratio: 0.05 } } as const;
const high = { priority: 'high' } as const;
const unsure: AttemptOutcome = { kind: 'answered', leastConfidence: 0.1 };
const sure: AttemptOutcome = { kind: 'answered', leastConfidence: 0.99 };
const failed: AttemptOutcome = { kind: 'failed', reason: 'upstream_error' };

type Given = {
  readonly afterMs?: number;
  readonly running?: readonly (number | RunningAttempt)[];
  readonly finished?: readonly (readonly [number, AttemptOutcome])[];
} & Omit<AttemptLimits, 'running'>;

function stepOf(plan: Plan, given: Given = {}, leftMs = 1_000): Next {
  const { afterMs = 0, running = [], finished = [], ...limits } = given;
  return next(
    plan,
    finished.map(([index, outcome]) => ({ index, outcome, costNanos: plan.attempts[index]?.predictedCostNanos ?? 0 })),
    { nowMs: NOW_MS + afterMs, deadlineAtMs: NOW_MS + leftMs },
    {
      hedgeFill: 1,
      ...limits,
      running: running.map((one) => (typeof one === 'number' ? { index: one, startedAtMs: NOW_MS } : one)),
    },
  );
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

describe('a hedge', () => {
  const policy = { kind: 'most_accurate' } as const;
  /** Two places of the best variant: sagemaker (p95 100) first, the other its hedge. */
  const other = target('other', 'sagemaker', { variant: 'large', p50Ms: 120, p95Ms: 200 });
  const plan = decide(factsWith({ policy, targets: [sagemaker(), other], route: hedge }));
  const roles = plan.attempts.map(({ role, target: id }) => `${role} ${id}`);

  it('is planned at another place of the variant, and once its own p95 has passed', () => {
    expect(roles).toEqual(['primary sagemaker', 'reserve other', 'hedge other']);
    expect(shapeOf(stepOf(plan))).toBe('first 0');
    expect(shapeOf(stepOf(plan, { running: [0] }))).toBe('wait 100');
    expect(shapeOf(stepOf(plan, { running: [0], afterMs: 99 }))).toBe('wait 100');
    expect(shapeOf(stepOf(plan, { running: [0], afterMs: 100 }))).toBe('hedge 2');
  });

  it('is planned at the same place where there is no other', () => {
    const alone = decide(factsWith({ policy, targets: [edge(), sagemaker()], route: hedge }));
    expect(alone.attempts.map(({ role, target: id }) => `${role} ${id}`)).toEqual([
      'primary sagemaker',
      'reserve edge',
      'hedge sagemaker',
    ]);
    expect(shapeOf(stepOf(alone, { running: [0], afterMs: 100 }))).toBe('hedge 2');
  });

  it('is planned for every step of a cascade that leaves the isolate', () => {
    const cascade = decide(factsWith({ route: hedge }));
    expect(cascade.attempts.map(({ hedgeAfterMs }) => hedgeAfterMs)).toEqual([null, 40, 100, null, null]);
    expect(shapeOf(stepOf(cascade, { finished: [[0, unsure]], running: [1], afterMs: 40 }))).toBe('hedge 3');
  });

  it.each<[string, Given]>([
    ['once the first token has arrived', { running: [{ index: 0, startedAtMs: NOW_MS, firstTokenAtMs: NOW_MS + 90 }] }],
    ['beside a hedge that runs', { running: [0, 2] }],
    ['a second time', { finished: [[2, failed]] }],
    ['without the money for it', { maxCostNanos: GATEWAY_NANOS + 30_000 }],
  ])('never runs %s', (_name, given) => {
    expect(shapeOf(stepOf(plan, { running: [0], afterMs: 100, ...given }))).toBe('wait');
  });

  it('waits the longer the emptier the budget, and without a token for one that others earn', () => {
    expect(shapeOf(stepOf(plan, { running: [0], hedgeFill: 0.5 }))).toBe('wait 150');
    expect(shapeOf(stepOf(plan, { running: [0], hedgeFill: 0.02, afterMs: 197 }))).toBe('wait 198');
    expect(shapeOf(stepOf(plan, { running: [0], hedgeFill: 0.02, afterMs: 198 }))).toBe('hedge 2');
    expect(shapeOf(stepOf(plan, { running: [0], hedgeFill: 0 }))).toBe('wait 200');
    expect(shapeOf(stepOf(plan, { running: [0], hedgeFill: 0, afterMs: 200 }))).toBe('wait 320');
  });

  it('never runs where it would not be back in time', () => {
    expect(shapeOf(stepOf(plan, { running: [0], afterMs: 900 }))).toBe('wait');
    const short = decide(factsWith({ policy, targets: [sagemaker(), other], route: hedge, leftMs: 150 }));
    expect(short.attempts.map(({ role }) => role)).toEqual(['primary', 'reserve']);
  });

  it('answers for the attempt it repeats, whichever is first; a failure leaves the other to answer', () => {
    expect(shapeOf(stepOf(plan, { finished: [[2, sure]], running: [0] }))).toBe('accepted');
    expect(shapeOf(stepOf(plan, { finished: [[0, sure]], running: [2] }))).toBe('accepted');
    expect(shapeOf(stepOf(plan, { finished: [[0, failed]], running: [2], afterMs: 150 }))).toBe('wait');
    expect(
      shapeOf(
        stepOf(plan, {
          finished: [
            [0, failed],
            [2, failed],
          ],
        }),
      ),
    ).toBe('exhausted');
  });
});

describe('a hedge beside a step that was answered, but not surely enough', () => {
  const route = decide(factsWith({ route: hedge }));
  const last = decide(factsWith({ route: hedge, targets: [edge(), lambda()] }));

  it('is not waited for: it would say the same', () => {
    expect(route.attempts.map(({ variant, role }) => `${role} ${variant}`)).toEqual([
      'primary micro',
      'primary base',
      'primary large',
      'hedge base',
      'hedge large',
    ]);
    const escalated = { finished: [[0, unsure] as const, [1, unsure] as const], afterMs: 50 };
    expect(shapeOf(stepOf(route, { ...escalated, running: [3] }))).toBe('escalation 2');
    expect(
      shapeOf(
        stepOf(route, {
          ...escalated,
          finished: [
            [0, unsure],
            [3, unsure],
          ],
          running: [1],
        }),
      ),
    ).toBe('escalation 2');
    expect(shapeOf(stepOf(route, { ...escalated, running: [3, 2] }))).toBe('wait');
    expect(shapeOf(stepOf(last, { ...escalated, running: [2] }))).toBe('best_effort');
  });

  it('is waited for where the attempt it repeats has failed', () => {
    expect(
      shapeOf(
        stepOf(route, {
          finished: [
            [0, unsure],
            [1, failed],
          ],
          running: [3],
          afterMs: 50,
        }),
      ),
    ).toBe('wait');
  });
});

describe('the budget of the route, once others have spent it', () => {
  const plan = decide(factsWith({ policy: { kind: 'most_accurate' } }));

  it('pays for no place but the isolate', () => {
    expect(shapeOf(stepOf(plan, { budgetNanos: GATEWAY_NANOS + 17_933 }))).toBe('first 0');
    expect(shapeOf(stepOf(plan, { budgetNanos: GATEWAY_NANOS }))).toBe('first 2');
    expect(shapeOf(stepOf(plan, { finished: [[0, failed]], budgetNanos: -1 }))).toBe('fallback 2');
    const cascade = decide(factsWith());
    expect(shapeOf(stepOf(cascade, { finished: [[0, unsure]], budgetNanos: -1 }))).toBe('best_effort');
  });
});

describe('speculation', () => {
  const options: FactsOptions = { leftMs: 100, requirements: high, targets: [edge(), sagemaker()] };
  const plan = decide(factsWith(options));

  it('sends the next step off with the first, the far one before the near one', () => {
    expect(plan.attempts.map(({ target: id, isSpeculative }) => [id, isSpeculative])).toEqual([
      ['edge', false],
      ['sagemaker', true],
    ]);
    expect(plan.reason).toBe(
      'micro at edge answers; large at sagemaker starts with it, because time does not hold both in sequence.',
    );
    expect(shapeOf(stepOf(plan, {}, 100))).toBe('speculation 1');
    expect(shapeOf(stepOf(plan, { running: [1] }, 100))).toBe('first 0');
    expect(shapeOf(stepOf(plan, { running: [1, 0] }, 100))).toBe('wait');
  });

  it('uses its answer only where the first one is not good enough', () => {
    expect(shapeOf(stepOf(plan, { finished: [[0, sure]], running: [1] }, 100))).toBe('accepted');
    expect(shapeOf(stepOf(plan, { finished: [[0, unsure]], running: [1] }, 100))).toBe('wait');
    expect(
      shapeOf(
        stepOf(
          plan,
          {
            finished: [
              [0, unsure],
              [1, sure],
            ],
          },
          100,
        ),
      ),
    ).toBe('accepted');
    expect(
      shapeOf(
        stepOf(
          plan,
          {
            finished: [
              [0, unsure],
              [1, failed],
            ],
          },
          100,
        ),
      ),
    ).toBe('best_effort');
    expect(shapeOf(stepOf(plan, { finished: [[0, failed]], running: [1] }, 100))).toBe('wait');
    expect(shapeOf(stepOf(plan, { finished: [[1, sure]], running: [0] }, 100))).toBe('accepted');
    expect(shapeOf(stepOf(plan, { finished: [[1, failed]], running: [0] }, 100))).toBe('wait');
  });

  it('pays for both, or stays with the first', () => {
    expect(plan.predicted.costNanos).toBe(GATEWAY_NANOS + 2 + 17_933);
    const capped = decide(factsWith({ ...options, requirements: { ...high, maxCostNanos: GATEWAY_NANOS + 17_934 } }));
    expect(capped.attempts.map(({ isSpeculative }) => isSpeculative)).toEqual([false, false]);
    expect(shapeOf(stepOf(plan, { maxCostNanos: GATEWAY_NANOS + 17_934 }, 100))).toBe('first 0');
  });

  it.each<[string, FactsOptions]>([
    ['time holds both in sequence', { leftMs: 200 }],
    ['neither alone would be in time', { leftMs: 60 }],
    ['the caller is not in a hurry', { requirements: { priority: 'normal' } }],
    ['the route says who may, and it is not this one', { route: { speculation: { priorities: ['critical'] } } }],
    ['any answer of the first will do', { requirements: { ...high, complexity: 'low' } }],
    [
      'the guarantee accepts nothing of the second',
      { targets: [edge(), lambda()], leftMs: 40, acceptConfidenceOf: { micro: 0.5, base: null } },
    ],
  ])('does not begin early where %s', (_name, change) => {
    expect(decide(factsWith({ ...options, ...change })).attempts.some(({ isSpeculative }) => isSpeculative)).toBe(
      false,
    );
  });
});

describe('the retry budget', () => {
  const plan = decide(factsWith({ policy: { kind: 'most_accurate' } }));

  it('leaves, once spent, only this isolate to fall back to', () => {
    expect(shapeOf(stepOf(plan, { finished: [[0, failed]] }))).toBe('fallback 1');
    expect(shapeOf(stepOf(plan, { finished: [[0, failed]], mayRetry: false }))).toBe('fallback 2');
    const cloud = decide(factsWith({ policy: { kind: 'most_accurate' }, requirements: { placement: 'cloud' } }));
    expect(stepOf(cloud, { finished: [[0, failed]], mayRetry: false })).toMatchObject({
      reason: 'exhausted',
      detail: 'the retry budget is spent',
    });
  });

  it('keeps an escalation from nothing: that is no retry', () => {
    expect(shapeOf(stepOf(decide(factsWith()), { finished: [[0, unsure]], mayRetry: false }))).toBe('escalation 1');
  });
});

/** Runs a plan as the pipeline does, attempts ending in an order and with outcomes that chance gives. */
function run(plan: Plan, deadlineAtMs: number, events: readonly Event[]) {
  const finished: FinishedAttempt[] = [];
  let running: { index: number; startedAtMs: number; endsAtMs: number; outcome: AttemptOutcome }[] = [];
  const begun: { index: number; why: string; atMs: number; timeoutMs: number }[] = [];
  let nowMs = NOW_MS;
  for (let steps = 0; ; steps += 1) {
    if (steps > 64) throw new Error('does not end');
    const step = next(plan, finished, { nowMs, deadlineAtMs }, { running, hedgeFill: 1 });
    if (step.kind === 'finish') return { step, begun, finished, running, nowMs };
    if (step.kind === 'attempt') {
      const event = events[begun.length] ?? { ratio: 1, outcome: failed };
      begun.push({ index: step.index, why: step.why, atMs: nowMs, timeoutMs: step.timeoutMs });
      running.push({
        index: step.index,
        startedAtMs: nowMs,
        endsAtMs: nowMs + step.timeoutMs * event.ratio,
        outcome: event.outcome,
      });
      continue;
    }
    if (running.length === 0) throw new Error('waits for nothing');
    const first = running.reduce((a, b) => (b.endsAtMs < a.endsAtMs ? b : a));
    if (step.untilMs !== undefined && step.untilMs < first.endsAtMs) {
      if (step.untilMs <= nowMs) throw new Error('waits for what has passed');
      nowMs = step.untilMs;
      continue;
    }
    nowMs = Math.max(nowMs, first.endsAtMs);
    running = running.filter((one) => one !== first);
    finished.push({
      index: first.index,
      outcome: first.outcome,
      costNanos: plan.attempts[first.index]?.predictedCostNanos ?? 0,
    });
  }
}

type Event = { readonly ratio: number; readonly outcome: AttemptOutcome };

describe('a plan, whatever happens', () => {
  const event = fc.record({
    ratio: fc.double({ min: 0, max: 1, noNaN: true }),
    outcome: fc.oneof(
      fc
        .double({ min: 0, max: 1, noNaN: true })
        .map((leastConfidence): AttemptOutcome => ({ kind: 'answered', leastConfidence })),
      fc.constant(failed),
    ),
  });
  const close = fc
    .record({
      leftMs: fc.integer({ min: 90, max: 140 }),
      maxCostNanos: fc.option(fc.integer({ min: 300, max: 60_000 }), { nil: undefined }),
    })
    .map(({ leftMs, maxCostNanos }) =>
      factsWith({ leftMs, requirements: { maxCostNanos }, targets: [edge({ p50Ms: 25, p95Ms: 30 }), sagemaker()] }),
    );
  const patient = fc
    .record({ leftMs: fc.integer({ min: 150, max: 900 }), p50Ms: fc.integer({ min: 5, max: 90 }) })
    .map(({ leftMs, p50Ms }) =>
      factsWith({ leftMs, targets: [edge(), lambda({ p50Ms, p95Ms: 2 * p50Ms }), sagemaker()] }),
    );
  const eager = fc.oneof(arbitraryFacts, close, patient).map((facts) => ({
    ...facts,
    route: {
      ...facts.route,
      ...hedge,
      speculation: { priorities: ['low', 'normal', 'high', 'critical'] as const } as never,
    },
  }));

  it('keeps to time, money, one hedge and two at once, and asks no attempt twice', () => {
    let hedged = 0;
    let speculated = 0;
    fc.assert(
      fc.property(eager, fc.array(event, { minLength: 12, maxLength: 12 }), (facts, events) => {
        const plan = decide(facts);
        const { step, begun, finished, running, nowMs } = run(plan, facts.deadlineAtMs, events);
        let spent = plan.gatewayCostNanos;
        for (const { index, atMs, timeoutMs } of begun) {
          spent += plan.attempts[index]?.predictedCostNanos ?? 0;
          expect(timeoutMs).toBeGreaterThan(0);
          expect(atMs + timeoutMs).toBeLessThanOrEqual(facts.deadlineAtMs + 1e-6);
        }
        if (begun.length > 0) expect(spent).toBeLessThanOrEqual(plan.maxCostNanos ?? Infinity);
        expect(nowMs).toBeLessThanOrEqual(Math.max(NOW_MS, facts.deadlineAtMs + 1e-6));
        expect(new Set(begun.map(({ index }) => index)).size).toBe(begun.length);
        expect(begun.filter(({ why }) => why === 'hedge').length).toBeLessThanOrEqual(1);
        expect(running.length).toBeLessThanOrEqual(1);
        const answered = finished.some(({ outcome }) => outcome.kind === 'answered');
        expect(step.reason === 'accepted' || step.reason === 'best_effort').toBe(answered);
        if (begun.some(({ why }) => why === 'hedge')) hedged += 1;
        if (begun.some(({ why }) => why === 'speculation')) speculated += 1;
      }),
      { numRuns: 3_000 },
    );
    // The property says something only where both happen.
    expect(Math.min(hedged, speculated)).toBeGreaterThan(20);
  });
});
