/**
 * Everything a decision may depend on, as plain data. Owns types only; nothing here reads a clock or the network.
 */
import type { AcceptConfidenceOf } from '../guard/shortcuts.ts';
import type { Requirements } from '../schema/infer-request.ts';
import type { GatewayPrice, ModelSpec, RouteSpec, TargetSpec } from '../schema/config.ts';
import type { BreakerState } from '../resilience/breaker.ts';

/** Observed latency of one (target, variant), gateway side, in milliseconds. */
export type LatencyEstimate = {
  /** Observations behind it, decayed; 0 means prior only. */
  readonly count: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
};

/** `loading` takes about `loadMs` more, begun or not; `broken` is left alone for `retryAfterMs`. */
export type ColdModel =
  | { readonly kind: 'loading'; readonly loadMs: number }
  | { readonly kind: 'broken'; readonly retryAfterMs: number };

export type TargetState = {
  readonly spec: TargetSpec;
  readonly breaker: BreakerState;
  /** Attempts this isolate has running there. */
  readonly inFlight: number;
  /** Keyed by `model/variant`; absent where nothing has been observed. */
  readonly latency: Readonly<Record<string, LatencyEstimate>>;
  /** What one input kept the place busy, by its own measure; keyed alike. */
  readonly computeMs: Readonly<Record<string, number>>;
  /** Models of this isolate that are not in memory: keyed alike, and absent where ready. */
  readonly cold?: Readonly<Record<string, ColdModel>> | undefined;
  /** Why this isolate cannot reach it at all (no credentials, no endpoint), or undefined. */
  readonly unreachable: string | undefined;
};

export type Facts = {
  readonly nowMs: number;
  readonly deadlineAtMs: number;
  readonly requirements: Requirements;
  readonly itemCount: number;
  /** Size of the input as it would be sent upstream. */
  readonly inputBytes: number;
  readonly model: ModelSpec;
  readonly route: RouteSpec;
  readonly targets: readonly TargetState[];
  /**
   * Where the route states a guarantee: per shortcut the confidence from which its answers are accepted, in place of the
   * cascade step's own; null: the shortcut is off.
   */
  readonly acceptConfidenceOf?: AcceptConfidenceOf | undefined;
  readonly gatewayPrice: GatewayPrice;
};
