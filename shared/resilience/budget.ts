/**
 * Budgets as plain values. Two kinds: tokens earned by work done (hedges and retries may follow only so many calls), and
 * tokens that trickle in with time (money, background copies). Owns earning and spending; who asks is the pipeline's.
 */

/** A ratio of 0.05 lets one call in twenty be followed by an extra one; unspent tokens pile up to `burst`. */
export type EarnedPolicy = { readonly ratio: number; readonly burst: number };

export const RETRY_BUDGET: EarnedPolicy = { ratio: 0.5, burst: 100 };
/** Hedges start with nothing: the extra load never exceeds the ratio, not even at first. Room for one bad moment. */
const HEDGE_BURST = 50;

export function hedgeBudget(maxExtraRatio: number): EarnedPolicy {
  return { ratio: maxExtraRatio, burst: HEDGE_BURST };
}

export function earn(tokens: number, { ratio, burst }: EarnedPolicy): number {
  return Math.min(burst, tokens + ratio);
}

/** Sums of ratios fall short of whole numbers by rounding; a token is not withheld for that. */
const ROUNDING = 1e-9;

export function hasToken(tokens: number): boolean {
  return tokens >= 1 - ROUNDING;
}

/** May be spent below zero where the cost is known only afterwards; then nothing is left until it has trickled in. */
export type TimedBudget = { readonly left: number; readonly atMs: number };

export type TimedPolicy = { readonly perMs: number; readonly burst: number };

export function fullBudget({ burst }: TimedPolicy, nowMs: number): TimedBudget {
  return { left: burst, atMs: nowMs };
}

/** A clock that went back earns nothing for the time it repeats. */
export function trickle(budget: TimedBudget, { perMs, burst }: TimedPolicy, nowMs: number): TimedBudget {
  const passedMs = nowMs - budget.atMs;
  if (passedMs === 0) return budget;
  return { left: passedMs > 0 ? Math.min(burst, budget.left + perMs * passedMs) : budget.left, atMs: nowMs };
}

export function spend(budget: TimedBudget, amount: number): TimedBudget {
  return { ...budget, left: budget.left - amount };
}
