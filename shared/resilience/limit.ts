/**
 * How many attempts may run at one place at once, learned from how it bears them: a plain value, reduced by what attempts
 * report. Additive increase, multiplicative decrease; signals are throttling, and latency that has left its own mean far
 * behind (the gradient of Netflix's concurrency-limits, on means instead of minima). Owns the number; refusing is decide/.
 */

export type LimitState = {
  readonly limit: number;
  /** Latency of one input as it mostly is, and as it is just now. 0: nothing seen. */
  readonly longMs: number;
  readonly shortMs: number;
};

export type LimitEvent =
  /** @param inFlight attempts that were running there when it ended, itself included */
  | { readonly kind: 'answered'; readonly latencyMs: number; readonly inFlight: number }
  | { readonly kind: 'throttled'; readonly inFlight: number };

const LONG_WEIGHT = 0.01;
const SHORT_WEIGHT = 0.1;
const STRONGEST_PULL = 4;
const LEAST_MS = 0.01;
/** Short over long above it: the place is queueing. */
const QUEUEING_RATIO = 2;
/** And by no less: a few milliseconds more are no queue worth refusing anybody for. */
const LEAST_QUEUE_MS = 50;
const QUEUEING_DECREASE = 0.9;
const THROTTLED_DECREASE = 0.7;
/** A slow place is not made faster by asking it one thing at a time: latency alone never goes below. */
const LEAST_BY_LATENCY = 4;
/** Up to it every answer under load adds one; above, that many answers together do less and less. */
const QUICK_UP_TO = 16;

/** Full at first: only evidence takes away. */
export function initialLimit(most: number): LimitState {
  return { limit: Math.max(1, most), longMs: 0, shortMs: 0 };
}

/** @param most the configuration's `max_concurrency`; the limit lies from 1 to it */
export function reduceLimit(state: LimitState, event: LimitEvent, most: number): LimitState {
  const limit = Math.min(state.limit, Math.max(1, most));
  if (event.kind === 'throttled') {
    return { ...state, limit: Math.max(1, Math.min(limit, event.inFlight) * THROTTLED_DECREASE) };
  }
  const latencyMs = event.latencyMs > LEAST_MS ? event.latencyMs : LEAST_MS;
  const longMs = state.longMs === 0 ? latencyMs : towards(state.longMs, latencyMs, LONG_WEIGHT);
  const shortMs = state.shortMs === 0 ? latencyMs : towards(state.shortMs, latencyMs, SHORT_WEIGHT);
  const isQueueing = shortMs > QUEUEING_RATIO * longMs && shortMs - longMs > LEAST_QUEUE_MS;
  return { limit: nextLimit(limit, event.inFlight, isQueueing, most), longMs, shortMs };
}

/** A geometric mean in which one answer pulls no harder than one four times as slow: outliers are no queue. */
function towards(meanMs: number, latencyMs: number, weight: number): number {
  const ratio = Math.min(STRONGEST_PULL, Math.max(1 / STRONGEST_PULL, latencyMs / meanMs));
  return meanMs * ratio ** weight;
}

function nextLimit(limit: number, inFlight: number, isQueueing: boolean, most: number): number {
  if (isQueueing) {
    const lower = Math.max(LEAST_BY_LATENCY, Math.min(limit, inFlight) * QUEUEING_DECREASE);
    return Math.min(limit, lower);
  }
  // A limit nobody comes near says nothing about whether it could be higher.
  if (inFlight < limit / 2) return limit;
  return Math.min(Math.max(1, most), limit + Math.min(1, QUICK_UP_TO / limit));
}
