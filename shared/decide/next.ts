/**
 * What to do after the attempts so far: another one, or finish. One pass of the plan's chain, every attempt at most once.
 * Owns escalation (the answer was not good enough), fallback (the attempt failed), and the time each attempt gets.
 */
import type { FinishedAttempt, FinishReason, Next, Plan, PlannedAttempt } from './plan-types.ts';

export type AttemptClock = { readonly nowMs: number; readonly deadlineAtMs: number };

export type AttemptLimits = {
  /** For the whole request, gateway included; undefined: no cap. */
  readonly maxCostNanos: number | undefined;
};

/** With less than this left nothing is started. */
const LEAST_LEFT_MS = 1;
/** An attempt keeps at least this share of what is left, however slow the one behind it. */
const LEAST_SHARE = 0.5;

/** Timers fire late on a busy machine: kept free even for a place that answers at once, or it would never be asked. */
const LEAST_ROOM_MS = 20;

/** Where the request stands. */
type Standing = {
  readonly plan: Plan;
  readonly finished: readonly FinishedAttempt[];
  readonly leftMs: number;
  /** What attempts may still cost. */
  readonly leftNanos: number;
};

export function next(
  plan: Plan,
  finished: readonly FinishedAttempt[],
  clock: AttemptClock,
  limits: AttemptLimits,
): Next {
  const standing: Standing = {
    plan,
    finished,
    leftMs: clock.deadlineAtMs - clock.nowMs,
    leftNanos: leftNanosOf(plan, finished, limits),
  };
  const last = finished.at(-1);
  if (last === undefined) return start(standing);
  const { outcome } = last;
  if (outcome.kind === 'answered') {
    const asked = plan.attempts[last.index]?.acceptConfidence ?? 0;
    if (outcome.leastConfidence >= asked) return finish('accepted', 'every answer reached its confidence');
    return escalate(standing);
  }
  if (outcome.reason === 'cancelled') return giveUp(standing, 'the caller left');
  return fallBack(standing);
}

function start(standing: Standing): Next {
  if (standing.plan.attempts.length === 0) return finish('exhausted', 'no target is eligible');
  if (isLate(standing)) return finish('deadline', 'no time was left to start');
  const index = find(standing, (attempt) => isAffordable(attempt, standing));
  return index === undefined
    ? finish('exhausted', 'the money left pays for no attempt')
    : begin(standing, index, 'first');
}

function escalate(standing: Standing): Next {
  if (isLate(standing)) return finish('best_effort', 'no time is left for a better answer');
  const index = find(standing, (candidate) => candidate.role === 'primary' && fits(candidate, standing));
  if (index !== undefined) return begin(standing, index, 'escalation');
  return finish('best_effort', 'nothing better fits the time and money left');
}

function fallBack(standing: Standing): Next {
  if (isLate(standing)) return giveUp(standing, 'no time is left');
  const bestAccuracy = bestAnswered(standing);
  const index = bestAccuracy === undefined ? findAny(standing) : findBetter(standing, bestAccuracy);
  return index === undefined
    ? giveUp(standing, 'every attempt left is too slow, too dear or tried')
    : begin(standing, index, 'fallback');
}

/** There is an answer already: only a better one that fits is worth waiting for. */
function findBetter(standing: Standing, bestAccuracy: number): number | undefined {
  return (
    find(standing, (candidate) => candidate.role === 'primary' && fits(candidate, standing)) ??
    find(standing, (candidate) => candidate.predictedAccuracy > bestAccuracy && fits(candidate, standing))
  );
}

/** There is no answer: one with even odds of being in time first, then any that money allows. */
function findAny(standing: Standing): number | undefined {
  return (
    find(standing, (candidate) => isAffordable(candidate, standing) && candidate.predictedP50Ms <= standing.leftMs) ??
    find(standing, (candidate) => isAffordable(candidate, standing))
  );
}

function giveUp(standing: Standing, detail: string): Next {
  if (bestAnswered(standing) !== undefined) return finish('best_effort', detail);
  return finish(isLate(standing) ? 'deadline' : 'exhausted', detail);
}

function finish(reason: FinishReason, detail: string): Next {
  return { kind: 'finish', reason, detail };
}

function begin(standing: Standing, index: number, why: 'first' | 'escalation' | 'fallback'): Next {
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
    if (behind === undefined || behind.target === own.target || !isOpen(standing, index, behind.target)) continue;
    if (behind.predictedP50Ms > leftMs) continue;
    if (find(standing, (candidate) => candidate.target === behind.target) !== index) continue;
    roomMs += Math.max(LEAST_ROOM_MS, behind.predictedP50Ms);
  }
  return roomMs;
}

/** First attempt in the plan's order that is untried, not on a target that failed in this request, and wanted. */
function find(standing: Standing, isWanted: (candidate: PlannedAttempt, index: number) => boolean): number | undefined {
  const { attempts } = standing.plan;
  for (let index = 0; index < attempts.length; index += 1) {
    const candidate = attempts[index];
    if (candidate !== undefined && isOpen(standing, index, candidate.target) && isWanted(candidate, index))
      return index;
  }
  return undefined;
}

function isOpen(standing: Standing, index: number, target: string): boolean {
  for (const done of standing.finished) {
    if (done.index === index) return false;
    if (done.outcome.kind === 'failed' && standing.plan.attempts[done.index]?.target === target) return false;
  }
  return true;
}

function fits(attempt: PlannedAttempt, standing: Standing): boolean {
  return attempt.neededMs <= standing.leftMs && isAffordable(attempt, standing);
}

function isAffordable(attempt: PlannedAttempt, standing: Standing): boolean {
  return attempt.predictedCostNanos <= standing.leftNanos;
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

function leftNanosOf(plan: Plan, finished: readonly FinishedAttempt[], limits: AttemptLimits): number {
  if (limits.maxCostNanos === undefined) return Infinity;
  let leftNanos = limits.maxCostNanos - plan.gatewayCostNanos;
  for (const done of finished) leftNanos -= done.costNanos;
  return leftNanos;
}
