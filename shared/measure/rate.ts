/**
 * An amount per time that forgets: what has been added lately, over how long that is. A plain value, so that it can be
 * replayed. Owns the decay only.
 */

export type Rate = { readonly amount: number; readonly atMs: number };

/** About two seconds count: quick enough to follow a burst, slow enough to be more than its noise. */
const TIME_CONSTANT_MS = 2_000;

export const NO_RATE: Rate = { amount: 0, atMs: 0 };

/** A clock that went back stands still. */
function decayed({ amount, atMs }: Rate, nowMs: number): number {
  return nowMs > atMs ? amount * Math.exp((atMs - nowMs) / TIME_CONSTANT_MS) : amount;
}

export function addToRate(rate: Rate, amount: number, nowMs: number): Rate {
  return { amount: decayed(rate, nowMs) + amount, atMs: nowMs };
}

export function ratePerMs(rate: Rate, nowMs: number): number {
  return decayed(rate, nowMs) / TIME_CONSTANT_MS;
}
