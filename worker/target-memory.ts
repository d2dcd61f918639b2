/**
 * What one isolate remembers of one target: its breaker, attempts under way, how many it bears, when it last answered.
 * The reducers are pure; this only holds their values.
 */
import type { OwnSight } from '../shared/decide/facts.ts';
import type { FailureReason } from '../shared/decide/plan-types.ts';
import {
  breakerVerdict,
  countsAgainstBreaker,
  initialBreaker,
  reduceBreaker,
  type BreakerEvent,
  type BreakerState,
} from '../shared/resilience/breaker.ts';
import { initialLimit, reduceLimit, type LimitEvent, type LimitState } from '../shared/resilience/limit.ts';
import type { BreakerPolicy } from '../shared/schema/config.ts';

/** `full`: as many run as the configuration allows, whatever was planned while there was room. */
export type AttemptStart = 'started' | 'breaker_open' | 'full';

export class TargetMemory {
  breaker: BreakerState = initialBreaker;
  inFlight = 0;
  seen: OwnSight | undefined;
  /** Undefined until something was learned. */
  #limit: LimitState | undefined;

  get concurrencyLimit(): number | undefined {
    return this.#limit?.limit;
  }

  /**
   * Whether an attempt may start now: of several requests that saw a half-open breaker, one becomes its probe.
   * @param most the configuration's `max_concurrency`
   */
  started(most: number, nowMs: number, policy: BreakerPolicy): AttemptStart {
    const verdict = breakerVerdict(this.breaker, nowMs);
    if (verdict === 'open' || verdict === 'half_open_busy') return 'breaker_open';
    if (this.inFlight >= most) return 'full';
    if (verdict === 'probe_allowed') this.#reduce({ kind: 'probe_started' }, nowMs, policy);
    this.inFlight += 1;
    return 'started';
  }

  /** @param latencyMs of one input; undefined where the clock cannot show it */
  answered(latencyMs: number | undefined, most: number, nowMs: number, policy: BreakerPolicy): void {
    if (latencyMs !== undefined) this.#learn({ kind: 'answered', latencyMs, inFlight: this.inFlight }, most);
    this.#ended();
    this.seen = { answeredAtMs: nowMs, notReadySinceMs: undefined };
    this.#reduce({ kind: 'success' }, nowMs, policy);
  }

  failed(reason: FailureReason, startedAtMs: number, most: number, nowMs: number, policy: BreakerPolicy): void {
    if (reason === 'throttled') this.#learn({ kind: 'throttled', inFlight: this.inFlight }, most);
    this.#see(reason, nowMs);
    this.#ended();
    this.#reduce({ kind: countsAgainstBreaker(reason) ? 'failure' : 'probe_abandoned', startedAtMs }, nowMs, policy);
  }

  /** The first rejection is what woke it; a failure of another kind says that waking is not what is the matter. */
  #see(reason: FailureReason, nowMs: number): void {
    const answeredAtMs = this.seen?.answeredAtMs;
    const isWaking = this.seen?.notReadySinceMs !== undefined;
    if (reason === 'not_ready' && !isWaking) this.seen = { answeredAtMs, notReadySinceMs: nowMs };
    const mayStillWake = reason === 'not_ready' || reason === 'timeout' || reason === 'cancelled';
    if (isWaking && !mayStillWake) this.seen = { answeredAtMs, notReadySinceMs: undefined };
  }

  #learn(event: LimitEvent, most: number): void {
    this.#limit = reduceLimit(this.#limit ?? initialLimit(most), event, most);
  }

  #ended(): void {
    this.inFlight = Math.max(0, this.inFlight - 1);
  }

  #reduce(event: BreakerEvent, nowMs: number, policy: BreakerPolicy): void {
    this.breaker = reduceBreaker(this.breaker, event, nowMs, policy);
  }
}
