/**
 * What to do after the attempts so far: another one, wait for those that run, or finish. One pass of the plan's chain,
 * every attempt at most once. Owns escalation (the answer was not good enough), fallback (the attempt failed) and what runs
 * beside another attempt (speculation, hedges). The time each gets is attempt-time.ts, what may still be asked standing.ts.
 */
import type {
  AttemptWhy,
  FinishedAttempt,
  FinishReason,
  Next,
  Plan,
  PlannedAttempt,
  RunningAttempt,
} from './plan-types.ts';
import { timeoutMsOf } from './attempt-time.ts';
import {
  bestAnswered,
  findOpen,
  fits,
  isAffordable,
  isLate,
  isOpen,
  leftNanosOf,
  mayFollow,
  type Standing,
} from './standing.ts';

export type AttemptClock = { readonly nowMs: number; readonly deadlineAtMs: number };

export type AttemptLimits = {
  /** For the whole request, gateway included; undefined: what the plan says. */
  readonly maxCostNanos?: number | undefined;
  /** What the route's budget pays for beside all that runs, now; undefined: it has none, or does not bind the request. */
  readonly budgetNanos?: number | undefined;
  /** Every item has an accepted answer, though no attempt may have accepted all of its own. Default: not that anybody knew. */
  readonly isComplete?: boolean | undefined;
  /** Begun and not yet ended. Who runs one attempt after another has none. */
  readonly running?: readonly RunningAttempt[] | undefined;
  /** How full the hedge budget is, 0 to 1; 0: it has no token. Default: 0. */
  readonly hedgeFill?: number | undefined;
  /** Whether the retry budget has a token: without one, only this isolate's own places are asked after a failure. Default: yes. */
  readonly mayRetry?: boolean | undefined;
};

/** With an empty budget a hedge waits this many times its p95 longer than with a full one. */
const LONGEST_PATIENCE = 1;

const NOTHING: readonly RunningAttempt[] = [];

export function next(
  plan: Plan,
  finished: readonly FinishedAttempt[],
  clock: AttemptClock,
  limits: AttemptLimits = {},
): Next {
  const running = limits.running ?? NOTHING;
  const standing: Standing = {
    plan,
    finished,
    running,
    nowMs: clock.nowMs,
    leftMs: clock.deadlineAtMs - clock.nowMs,
    leftNanos: leftNanosOf(plan, finished, running, limits.maxCostNanos),
    budgetNanos: (limits.budgetNanos ?? Infinity) - plan.gatewayCostNanos,
    hedgeFill: limits.hedgeFill ?? 0,
    mayRetry: limits.mayRetry ?? true,
  };
  const outcome = finished.at(-1)?.outcome;
  if (limits.isComplete === true || finished.some((done) => isGoodEnough(done, plan)))
    return finish('accepted', 'every answer reached its confidence');
  if (outcome?.kind === 'failed' && outcome.reason === 'cancelled') return giveUp(standing, 'the caller left');
  if (running.length > 0 && !onlyTwinsRun(standing)) return beside(standing);
  if (outcome === undefined) return start(standing);
  return outcome.kind === 'answered' ? escalate(standing) : fallBack(standing);
}

/** Each attempt is sent whatever has no accepted answer yet, so one that is good enough as a whole completes the request. */
function isGoodEnough({ index, outcome }: FinishedAttempt, plan: Plan): boolean {
  return outcome.kind === 'answered' && outcome.leastConfidence >= (plan.attempts[index]?.acceptConfidence ?? 0);
}

function start(standing: Standing): Next {
  const { attempts } = standing.plan;
  if (attempts.length === 0) return finish('exhausted', 'no target is eligible');
  if (isLate(standing)) return finish('deadline', 'no time was left to start');
  const index = findOpen(standing, (attempt) => !attempt.isSpeculative && isAffordable(attempt, standing));
  if (index === undefined) return finish('exhausted', 'the money left pays for no attempt');
  const speculative = speculationBeside(standing, index);
  // It leaves first: what computes in this isolate would hold it back.
  return speculative === undefined ? begin(standing, index, 'first') : begin(standing, speculative, 'speculation');
}

function speculationBeside(standing: Standing, index: number): number | undefined {
  const firstNanos = standing.plan.attempts[index]?.predictedCostNanos ?? 0;
  return findOpen(
    standing,
    (it) => it.isSpeculative && isAffordable(it, standing) && it.predictedCostNanos + firstNanos <= standing.leftNanos,
  );
}

/** Something runs: what should run beside it, or else wait. */
function beside(standing: Standing): Next {
  const { plan, running, finished } = standing;
  const [only, another] = running;
  if (only === undefined || another !== undefined || isLate(standing)) return wait();
  const own = plan.attempts[only.index];
  if (own === undefined) return wait();
  if (own.isSpeculative && finished.length === 0) {
    const first = findOpen(standing, (it) => it.role === 'primary' && !it.isSpeculative && isAffordable(it, standing));
    return first === undefined ? wait() : begin(standing, first, 'first');
  }
  return hedge(standing, only, own);
}

/**
 * At most once a request, never after the first token, not before its own p95. The emptier the budget, the later: by its
 * definition every twentieth call takes longer than the p95, so the budget would be spent on those that end a moment later,
 * and nothing left for one that hangs.
 */
function hedge(standing: Standing, only: RunningAttempt, own: PlannedAttempt): Next {
  const { plan, finished, nowMs, leftMs, hedgeFill } = standing;
  if (own.hedgeAfterMs === null || only.firstTokenAtMs !== undefined) return wait();
  if (finished.some((done) => plan.attempts[done.index]?.role === 'hedge')) return wait();
  const index = plan.attempts.findIndex((it) => it.hedgeOf === only.index);
  const repeated = plan.attempts[index];
  if (repeated === undefined || !isAffordable(repeated, standing) || !isOpen(standing, index, repeated)) return wait();
  const dueAtMs = only.startedAtMs + own.hedgeAfterMs * (1 + LONGEST_PATIENCE * (1 - Math.min(1, hedgeFill)));
  if (nowMs < dueAtMs) return { kind: 'wait', untilMs: dueAtMs };
  if (repeated.predictedP50Ms > leftMs) return wait();
  // Other calls earn tokens meanwhile.
  if (!(hedgeFill > 0)) return { kind: 'wait', untilMs: nowMs + Math.max(1, repeated.predictedP50Ms) };
  return begin(standing, index, 'hedge');
}

/** What runs repeats an attempt that has answered, and would say the same again: nothing is worth waiting for. */
function onlyTwinsRun({ plan, finished, running }: Standing): boolean {
  return running.every(({ index }) =>
    finished.some(
      (done) =>
        done.outcome.kind === 'answered' &&
        (plan.attempts[index]?.hedgeOf === done.index || plan.attempts[done.index]?.hedgeOf === index),
    ),
  );
}

function wait(): Next {
  return { kind: 'wait', untilMs: undefined };
}

function escalate(standing: Standing): Next {
  if (isLate(standing)) return finish('best_effort', 'no time is left for a better answer');
  const index = findOpen(standing, (candidate) => candidate.role === 'primary' && fits(candidate, standing));
  if (index !== undefined) return begin(standing, index, 'escalation');
  // A step that failed said nothing: another place of it may still be sure where its stand-in was not.
  const standIn = standing.finished.some(hasFailed) ? findBetter(standing, bestAnswered(standing) ?? 0) : undefined;
  if (standIn !== undefined) return begin(standing, standIn, 'fallback');
  return finish('best_effort', 'nothing better fits the time and money left');
}

function hasFailed({ outcome }: FinishedAttempt): boolean {
  return outcome.kind === 'failed';
}

function fallBack(standing: Standing): Next {
  if (isLate(standing)) return giveUp(standing, 'no time is left');
  const bestAccuracy = bestAnswered(standing);
  const index = bestAccuracy === undefined ? findAny(standing) : findBetter(standing, bestAccuracy);
  if (index !== undefined) return begin(standing, index, 'fallback');
  return giveUp(
    standing,
    standing.mayRetry ? 'every attempt left is too slow, too dear or tried' : 'the retry budget is spent',
  );
}

/** There is an answer already: only a better one that fits is worth waiting for. */
function findBetter(standing: Standing, bestAccuracy: number): number | undefined {
  return (
    findOpen(
      standing,
      (candidate) => candidate.role === 'primary' && fits(candidate, standing) && mayFollow(candidate, standing),
    ) ??
    findOpen(
      standing,
      (candidate) =>
        candidate.predictedAccuracy > bestAccuracy && fits(candidate, standing) && mayFollow(candidate, standing),
    )
  );
}

/** There is no answer: one with even odds of being in time first, then any that money allows. */
function findAny(standing: Standing): number | undefined {
  return (
    findOpen(
      standing,
      (candidate) =>
        isAffordable(candidate, standing) &&
        candidate.predictedP50Ms <= standing.leftMs &&
        mayFollow(candidate, standing),
    ) ?? findOpen(standing, (candidate) => isAffordable(candidate, standing) && mayFollow(candidate, standing))
  );
}

function giveUp(standing: Standing, detail: string): Next {
  if (bestAnswered(standing) !== undefined) return finish('best_effort', detail);
  return finish(isLate(standing) ? 'deadline' : 'exhausted', detail);
}

function finish(reason: FinishReason, detail: string): Next {
  return { kind: 'finish', reason, detail };
}

function begin(standing: Standing, index: number, why: AttemptWhy): Next {
  return { kind: 'attempt', index, why, timeoutMs: timeoutMsOf(standing, index) };
}
