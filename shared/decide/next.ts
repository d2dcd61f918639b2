/**
 * What to do after the attempts so far: another one, wait for those that run, or finish. One pass of the plan's chain,
 * every attempt at most once. Owns escalation (the answer was not good enough), fallback (the attempt failed), what runs
 * beside another attempt (speculation, hedges), and the time each attempt gets.
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

/** With less than this left nothing is started. */
const LEAST_LEFT_MS = 1;
/** An attempt keeps at least this share of what is left, however slow the one behind it. */
const LEAST_SHARE = 0.5;

/** Timers fire late on a busy machine: kept free even for a place that answers at once, or it would never be asked. */
const LEAST_ROOM_MS = 20;

/** With an empty budget a hedge waits this many times its p95 longer than with a full one. */
const LONGEST_PATIENCE = 1;

const NOTHING: readonly RunningAttempt[] = [];

/** Where the request stands. */
type Standing = {
  readonly plan: Plan;
  readonly finished: readonly FinishedAttempt[];
  readonly running: readonly RunningAttempt[];
  readonly nowMs: number;
  readonly leftMs: number;
  /** What attempts may still cost. */
  readonly leftNanos: number;
  /** What all requests of the route may still cost. */
  readonly budgetNanos: number;
  readonly hedgeFill: number;
  readonly mayRetry: boolean;
};

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
  const index = find(standing, (attempt) => !attempt.isSpeculative && isAffordable(attempt, standing));
  if (index === undefined) return finish('exhausted', 'the money left pays for no attempt');
  const speculative = speculationBeside(standing, index);
  // It leaves first: what computes in this isolate would hold it back.
  return speculative === undefined ? begin(standing, index, 'first') : begin(standing, speculative, 'speculation');
}

function speculationBeside(standing: Standing, index: number): number | undefined {
  const firstNanos = standing.plan.attempts[index]?.predictedCostNanos ?? 0;
  return find(
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
    const first = find(standing, (it) => it.role === 'primary' && !it.isSpeculative && isAffordable(it, standing));
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
  const index = find(standing, (candidate) => candidate.role === 'primary' && fits(candidate, standing));
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
    find(
      standing,
      (candidate) => candidate.role === 'primary' && fits(candidate, standing) && mayFollow(candidate, standing),
    ) ??
    find(
      standing,
      (candidate) =>
        candidate.predictedAccuracy > bestAccuracy && fits(candidate, standing) && mayFollow(candidate, standing),
    )
  );
}

/** There is no answer: one with even odds of being in time first, then any that money allows. */
function findAny(standing: Standing): number | undefined {
  return (
    find(
      standing,
      (candidate) =>
        isAffordable(candidate, standing) &&
        candidate.predictedP50Ms <= standing.leftMs &&
        mayFollow(candidate, standing),
    ) ?? find(standing, (candidate) => isAffordable(candidate, standing) && mayFollow(candidate, standing))
  );
}

function mayFollow(candidate: PlannedAttempt, standing: Standing): boolean {
  return standing.mayRetry || candidate.kind === 'edge';
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

/** Leaves room for the places that would be asked after failures, while this one keeps a fair chance of its own. */
function timeoutMsOf(standing: Standing, index: number): number {
  const { plan, leftMs } = standing;
  const own = plan.attempts[index];
  if (own === undefined) return leftMs;
  const roomMs = roomBehindMs(standing, own);
  const fairMs = Math.max(
    leftMs * LEAST_SHARE,
    Math.min(own.predictedP95Ms, roomMs === 0 ? leftMs : leftMs - LEAST_ROOM_MS),
  );
  return Math.min(own.timeoutMs, leftMs, Math.max(leftMs - roomMs, fairMs));
}

/** For every other open place that could be in time, once: each may fail in its turn, and the last must still be asked. */
function roomBehindMs(standing: Standing, own: PlannedAttempt): number {
  const { leftMs } = standing;
  const { attempts } = standing.plan;
  let roomMs = 0;
  for (let index = 0; index < attempts.length; index += 1) {
    const behind = attempts[index];
    if (behind === undefined || behind.target === own.target || behind.role === 'hedge') continue;
    if (behind.predictedP50Ms > leftMs || !isOpen(standing, index, behind)) continue;
    if (find(standing, (candidate) => candidate.target === behind.target) !== index) continue;
    roomMs += Math.max(LEAST_ROOM_MS, behind.predictedP50Ms);
  }
  return roomMs;
}

/** First attempt in the plan's order that is untried, not on a target that failed in this request, and wanted. */
function find(standing: Standing, isWanted: (candidate: PlannedAttempt) => boolean): number | undefined {
  const { attempts } = standing.plan;
  for (let index = 0; index < attempts.length; index += 1) {
    const candidate = attempts[index];
    if (candidate === undefined || candidate.role === 'hedge') continue;
    if (isOpen(standing, index, candidate) && isWanted(candidate)) return index;
  }
  return undefined;
}

/** A hedge may repeat an attempt at the place where it runs. */
function isOpen(
  { plan, finished, running }: Standing,
  index: number,
  { target, variant, role }: PlannedAttempt,
): boolean {
  for (const done of finished) {
    if (done.index === index) return false;
    const tried = plan.attempts[done.index];
    if (tried?.target !== target) continue;
    if (done.outcome.kind === 'failed' || (tried.role === 'hedge' && tried.variant === variant)) return false;
  }
  for (const begun of running) {
    if (begun.index === index) return false;
    const tried = plan.attempts[begun.index];
    if (role !== 'hedge' && tried?.target === target && tried.variant === variant) return false;
  }
  return true;
}

function fits(attempt: PlannedAttempt, standing: Standing): boolean {
  return attempt.neededMs <= standing.leftMs && isAffordable(attempt, standing);
}

/** Others may have spent the route's money since the plan was made. The isolate itself stands in all the same. */
function isAffordable({ kind, predictedCostNanos: nanos }: PlannedAttempt, standing: Standing): boolean {
  return nanos <= standing.leftNanos && (kind === 'edge' || nanos <= standing.budgetNanos);
}

function isLate(standing: Standing): boolean {
  return !(standing.leftMs >= LEAST_LEFT_MS);
}

/** Held-out accuracy of the best variant that has answered, or undefined where none has. */
function bestAnswered(standing: Standing): number | undefined {
  let best: number | undefined;
  for (const done of standing.finished) {
    if (done.outcome.kind !== 'answered') continue;
    const accuracy = standing.plan.attempts[done.index]?.predictedAccuracy ?? 0;
    if (best === undefined || accuracy > best) best = accuracy;
  }
  return best;
}

/** What runs is counted as predicted: it will have to be paid, whoever wins. */
function leftNanosOf(
  plan: Plan,
  finished: readonly FinishedAttempt[],
  running: readonly RunningAttempt[],
  maxCostNanos = plan.maxCostNanos,
): number {
  if (maxCostNanos === undefined) return Infinity;
  let leftNanos = maxCostNanos - plan.gatewayCostNanos;
  for (const done of finished) leftNanos -= done.costNanos;
  for (const begun of running) leftNanos -= plan.attempts[begun.index]?.predictedCostNanos ?? 0;
  return leftNanos;
}
