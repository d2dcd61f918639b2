/**
 * A circuit breaker as a plain value: it can be stored, merged and replayed. Owns when a target is skipped;
 * who calls what, and when, is the pipeline's. While half open one probe runs and every other request skips.
 *
 * closed --failures over the ratio--> open --open_ms over--> half_open --success--> closed
 *                                      ^------------- failure -----------'   (open for longer each time)
 */
import type { FailureReason } from '../decide/plan-types.ts';
import type { BreakerPolicy } from '../schema/config.ts';

/** Calls of one tenth of the window. `slot` counts such tenths since the epoch. */
type Bucket = { readonly slot: number; readonly calls: number; readonly failures: number };

type OpenFacts = {
  readonly openedAtMs: number;
  readonly openMs: number;
  /** Probes that failed since the breaker last was closed. */
  readonly failedProbes: number;
};

export type BreakerState =
  | {
      readonly kind: 'closed';
      readonly buckets: readonly Bucket[];
      /** When it last opened. Calls begun before then failed with the outage that is over. */
      readonly lastOpenedAtMs?: number;
    }
  | ({ readonly kind: 'open' } & OpenFacts)
  | ({
      readonly kind: 'half_open';
      readonly probeStartedAtMs: number;
      /** A probe that has not reported by then counts as lost, and another may start. */
      readonly probeLeaseMs: number;
    } & OpenFacts);

export type BreakerEvent =
  | { readonly kind: 'success' }
  /** @property startedAtMs of the call; absent: after whatever the state says */
  | { readonly kind: 'failure'; readonly startedAtMs?: number }
  | { readonly kind: 'probe_started' }
  /** A call ended without telling anything: cancelled, throttled, not ready, refused. */
  | { readonly kind: 'probe_abandoned'; readonly startedAtMs?: number };

export type BreakerVerdict = 'closed' | 'open' | 'probe_allowed' | 'half_open_busy';

export const initialBreaker: BreakerState = { kind: 'closed', buckets: [] };

const BUCKETS_PER_WINDOW = 10;
/** 2 ** 30 times any open_ms is past every max_open_ms; keeps the power finite. */
const MAX_DOUBLINGS = 30;

/** The clock may jump: a time that lies in the future is over, so no state can outlast a jump backwards. */
function isOver(startMs: number, lengthMs: number, nowMs: number): boolean {
  return nowMs < startMs || nowMs - startMs >= lengthMs;
}

export function breakerVerdict(state: BreakerState, nowMs: number): BreakerVerdict {
  switch (state.kind) {
    case 'closed':
      return 'closed';
    case 'open':
      return isOver(state.openedAtMs, state.openMs, nowMs) ? 'probe_allowed' : 'open';
    case 'half_open':
      return isOver(state.probeStartedAtMs, state.probeLeaseMs, nowMs) ? 'probe_allowed' : 'half_open_busy';
  }
}

export function reduceBreaker(
  state: BreakerState,
  event: BreakerEvent,
  nowMs: number,
  policy: BreakerPolicy,
): BreakerState {
  switch (state.kind) {
    case 'closed':
      return isOfBefore(event, state.lastOpenedAtMs, nowMs) ? state : reduceClosed(state, event, nowMs, policy);
    case 'open':
      return isOfBefore(event, state.openedAtMs, nowMs) ? state : reduceOpen(state, event, nowMs, policy);
    case 'half_open':
      return isOfBefore(event, state.openedAtMs, nowMs) ? state : reduceHalfOpen(state, event, nowMs, policy);
  }
}

/**
 * What hangs when a breaker opens ends one after another for as long as its time-outs are: neither the probe's failure nor
 * the next outage. A clock that has gone back tells nothing of before and after.
 */
function isOfBefore(event: BreakerEvent, openedAtMs: number | undefined, nowMs: number): boolean {
  if (event.kind !== 'failure' && event.kind !== 'probe_abandoned') return false;
  const { startedAtMs } = event;
  return startedAtMs !== undefined && openedAtMs !== undefined && startedAtMs < openedAtMs && openedAtMs <= nowMs;
}

function reduceClosed(
  state: Extract<BreakerState, { kind: 'closed' }>,
  event: BreakerEvent,
  nowMs: number,
  policy: BreakerPolicy,
): BreakerState {
  if (event.kind !== 'success' && event.kind !== 'failure') return state;
  const next = countCall(state.buckets, event.kind === 'failure' ? 1 : 0, nowMs, policy.window_ms);
  if (event.kind === 'success') return { ...state, buckets: next };
  let calls = 0;
  let failures = 0;
  for (const bucket of next) {
    calls += bucket.calls;
    failures += bucket.failures;
  }
  if (calls >= policy.minimum_calls && failures >= policy.failure_ratio * calls) return opened(0, nowMs, policy);
  return { ...state, buckets: next };
}

/** A late answer to a call from before the opening says nothing new at first; after open_ms it is as good as a probe. */
function reduceOpen(
  state: Extract<BreakerState, { kind: 'open' }>,
  event: BreakerEvent,
  nowMs: number,
  policy: BreakerPolicy,
): BreakerState {
  if (!isOver(state.openedAtMs, state.openMs, nowMs)) return state;
  switch (event.kind) {
    case 'success':
      return { kind: 'closed', buckets: [], lastOpenedAtMs: state.openedAtMs };
    case 'failure':
      return opened(state.failedProbes + 1, nowMs, policy);
    case 'probe_started':
      return { ...state, kind: 'half_open', probeStartedAtMs: nowMs, probeLeaseMs: policy.open_ms };
    case 'probe_abandoned':
      return state;
  }
}

function reduceHalfOpen(
  state: Extract<BreakerState, { kind: 'half_open' }>,
  event: BreakerEvent,
  nowMs: number,
  policy: BreakerPolicy,
): BreakerState {
  switch (event.kind) {
    case 'success':
      return { kind: 'closed', buckets: [], lastOpenedAtMs: state.openedAtMs };
    case 'failure':
      return opened(state.failedProbes + 1, nowMs, policy);
    case 'probe_started':
      if (!isOver(state.probeStartedAtMs, state.probeLeaseMs, nowMs)) return state;
      return { ...state, probeStartedAtMs: nowMs, probeLeaseMs: policy.open_ms };
    case 'probe_abandoned':
      // Open with its time already served: the next request may probe at once.
      return { kind: 'open', openedAtMs: nowMs, openMs: 0, failedProbes: state.failedProbes };
  }
}

function opened(failedProbes: number, nowMs: number, policy: BreakerPolicy): BreakerState {
  const grownMs = policy.open_ms * 2 ** Math.min(failedProbes, MAX_DOUBLINGS);
  return {
    kind: 'open',
    openedAtMs: nowMs,
    openMs: Math.min(grownMs, Math.max(policy.open_ms, policy.max_open_ms)),
    failedProbes,
  };
}

/** Drops what has left the window and adds one call. Buckets from a future (the clock went back) join the present one. */
function countCall(buckets: readonly Bucket[], failures: number, nowMs: number, windowMs: number): readonly Bucket[] {
  const slot = Math.floor((nowMs * BUCKETS_PER_WINDOW) / windowMs);
  const oldestSlot = slot - BUCKETS_PER_WINDOW + 1;
  const kept: Bucket[] = [];
  let calls = 1;
  let failed = failures;
  for (const bucket of buckets) {
    if (bucket.slot >= slot) {
      calls += bucket.calls;
      failed += bucket.failures;
    } else if (bucket.slot >= oldestSlot) {
      kept.push(bucket);
    }
  }
  kept.push({ slot, calls, failures: failed });
  return kept;
}

/**
 * Does this failure say that the target is unwell? Throttling and waking up pass by waiting, a rejection is our
 * request's fault, a cancellation the caller's, and a broken model file must not take the target's other models along.
 */
export function countsAgainstBreaker(reason: FailureReason): boolean {
  switch (reason) {
    case 'timeout':
    case 'connect_failed':
    case 'cut':
    case 'garbage':
    case 'upstream_error':
    case 'credentials':
      return true;
    case 'throttled':
    case 'not_ready':
    case 'rejected':
    case 'cancelled':
    case 'model_broken':
      return false;
  }
}
