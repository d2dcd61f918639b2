/**
 * Where a request stands among its plan's attempts: what has ended, what runs, what time and money are left, and which
 * attempts may still be asked. Owns these questions; what follows from the answers is next.ts.
 */
import type { FinishedAttempt, Plan, PlannedAttempt, RunningAttempt } from './plan-types.ts';

/** With less than this left nothing is started. */
const LEAST_LEFT_MS = 1;

export type Standing = {
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

/** First attempt in the plan's order that is untried, not on a target that failed in this request, and wanted. */
export function findOpen(standing: Standing, isWanted: (candidate: PlannedAttempt) => boolean): number | undefined {
  const { attempts } = standing.plan;
  for (let index = 0; index < attempts.length; index += 1) {
    const candidate = attempts[index];
    if (candidate === undefined || candidate.role === 'hedge') continue;
    if (isOpen(standing, index, candidate) && isWanted(candidate)) return index;
  }
  return undefined;
}

/** A hedge may repeat an attempt at the place where it runs. */
export function isOpen(
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

export function fits(attempt: PlannedAttempt, standing: Standing): boolean {
  return attempt.neededMs <= standing.leftMs && isAffordable(attempt, standing);
}

/** Others may have spent the route's money since the plan was made. The isolate itself stands in all the same. */
export function isAffordable({ kind, predictedCostNanos: nanos }: PlannedAttempt, standing: Standing): boolean {
  return nanos <= standing.leftNanos && (kind === 'edge' || nanos <= standing.budgetNanos);
}

export function mayFollow(candidate: PlannedAttempt, standing: Standing): boolean {
  return standing.mayRetry || candidate.kind === 'edge';
}

export function isLate(standing: Standing): boolean {
  return !(standing.leftMs >= LEAST_LEFT_MS);
}

/** Held-out accuracy of the best variant that has answered, or undefined where none has. */
export function bestAnswered(standing: Standing): number | undefined {
  let best: number | undefined;
  for (const done of standing.finished) {
    if (done.outcome.kind !== 'answered') continue;
    const accuracy = standing.plan.attempts[done.index]?.predictedAccuracy ?? 0;
    if (best === undefined || accuracy > best) best = accuracy;
  }
  return best;
}

/** What runs is counted as predicted: it will have to be paid, whoever wins. */
export function leftNanosOf(
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
