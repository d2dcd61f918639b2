/**
 * What one isolate has seen of its targets: breakers, latencies, attempts under way. Lives as long as the isolate;
 * survives a new configuration, because a target keeps its id. The reducers are pure; this only holds their values.
 */
import type { LatencyEstimate, TargetState } from '../shared/decide/facts.ts';
import { itemFactor } from '../shared/decide/estimate.ts';
import type { FailureReason } from '../shared/decide/plan-types.ts';
import { createLatencyTracker, estimate, observe } from '../shared/measure/latency-tracker.ts';
import {
  breakerVerdict,
  countsAgainstBreaker,
  initialBreaker,
  reduceBreaker,
  type BreakerEvent,
  type BreakerState,
} from '../shared/resilience/breaker.ts';
import type { BreakerPolicy, TargetKind, TargetSpec } from '../shared/schema/config.ts';

/** Weight of one more observation in the mean: about the last twenty count. */
const COMPUTE_WEIGHT = 0.05;

export type AnsweredAttempt = {
  readonly target: string;
  readonly kind: TargetKind;
  readonly modelAndVariant: string;
  readonly latencyMs: number;
  /** As the place measured itself; null where it does not say. */
  readonly computeMs: number | null;
  /** Inputs sent: estimates are kept per input and scaled again when deciding. */
  readonly items: number;
};

export class IsolateState {
  #inFlight = 0;
  readonly #breakers = new Map<string, BreakerState>();
  readonly #attempts = new Map<string, number>();
  readonly #latency = createLatencyTracker();
  /** Moving mean per input: costs add up, so their mean is what matters. */
  readonly #computeMs = new Map<string, number>();

  /** Requests this isolate is working on now. */
  get inFlight(): number {
    return this.#inFlight;
  }

  requestStarted(): void {
    this.#inFlight += 1;
  }

  requestEnded(): void {
    this.#inFlight -= 1;
  }

  breakerOf(targetId: string): BreakerState {
    return this.#breakers.get(targetId) ?? initialBreaker;
  }

  targetState(spec: TargetSpec, unreachable: string | undefined, modelName: string, nowMs: number): TargetState {
    const latency: Record<string, LatencyEstimate> = {};
    const computeMs: Record<string, number> = {};
    for (const served of spec.serves) {
      if (served.model !== modelName) continue;
      const key = `${spec.id}/${modelName}/${served.variant}`;
      const observed = estimate(this.#latency, key, nowMs);
      if (observed !== undefined) latency[`${modelName}/${served.variant}`] = observed;
      const compute = this.#computeMs.get(key);
      if (compute !== undefined) computeMs[`${modelName}/${served.variant}`] = compute;
    }
    return {
      spec,
      breaker: this.breakerOf(spec.id),
      inFlight: this.#attempts.get(spec.id) ?? 0,
      latency,
      computeMs,
      unreachable,
    };
  }

  /** Whether the attempt may start now: of several requests that saw a half-open breaker, one becomes its probe. */
  attemptStarted(targetId: string, nowMs: number, policy: BreakerPolicy): boolean {
    const verdict = breakerVerdict(this.breakerOf(targetId), nowMs);
    if (verdict === 'open' || verdict === 'half_open_busy') return false;
    if (verdict === 'probe_allowed') this.#reduce(targetId, { kind: 'probe_started' }, nowMs, policy);
    this.#attempts.set(targetId, (this.#attempts.get(targetId) ?? 0) + 1);
    return true;
  }

  attemptAnswered(answered: AnsweredAttempt, nowMs: number, policy: BreakerPolicy): void {
    const { target, kind, modelAndVariant, latencyMs, computeMs, items } = answered;
    this.#attemptEnded(target);
    // In workerd the clock stands still while the edge computes: its observations would all say zero.
    if (kind !== 'edge')
      observe(this.#latency, `${target}/${modelAndVariant}`, latencyMs / itemFactor(kind, items), nowMs);
    if (computeMs !== null) this.#observeCompute(`${target}/${modelAndVariant}`, computeMs / itemFactor(kind, items));
    this.#reduce(target, { kind: 'success' }, nowMs, policy);
  }

  attemptFailed(targetId: string, reason: FailureReason, nowMs: number, policy: BreakerPolicy): void {
    this.#attemptEnded(targetId);
    this.#reduce(targetId, { kind: countsAgainstBreaker(reason) ? 'failure' : 'probe_abandoned' }, nowMs, policy);
  }

  #observeCompute(key: string, computeMs: number): void {
    const mean = this.#computeMs.get(key) ?? computeMs;
    this.#computeMs.set(key, mean + COMPUTE_WEIGHT * (computeMs - mean));
  }

  #attemptEnded(targetId: string): void {
    this.#attempts.set(targetId, Math.max(0, (this.#attempts.get(targetId) ?? 0) - 1));
  }

  #reduce(targetId: string, event: BreakerEvent, nowMs: number, policy: BreakerPolicy): void {
    this.#breakers.set(targetId, reduceBreaker(this.breakerOf(targetId), event, nowMs, policy));
  }
}
