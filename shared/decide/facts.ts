/**
 * Everything a decision may depend on, as plain data. Owns types only; nothing here reads a clock, draws a number or
 * knows the network. The same facts give the same plan.
 */
import type { AcceptConfidenceOf } from '../guard/shortcuts.ts';
import type { Metadata, Requirements } from '../schema/infer-request.ts';
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

/** How sure the answers of one (target, variant) were. */
export type AcceptanceEstimate = {
  /** Inputs behind it, decayed. */
  readonly count: number;
  /** Share of inputs whose answer was accepted. */
  readonly acceptedRatio: number;
  /** Mean calibrated confidence of accepted answers: the share of them that is right. */
  readonly acceptedConfidence: number;
};

/** What the control plane's probe last wrote about a place (`RES#<region>` / `<kind>#<id>`). */
export type ResourceStatus = {
  /** When the probe looked. Older than what this isolate has seen itself, its word on health is not taken. */
  readonly asOfMs: number;
  readonly health: 'up' | 'scaled_to_zero' | 'down';
  /** Share of its capacity in use; null: not known. */
  readonly loadRatio: number | null;
  /** What a call costs now, over what the configuration's price says (spot prices, idle capacity); null: not known. */
  readonly priceRatio: number | null;
};

/** What this isolate last saw of a place with its own eyes. */
export type OwnSight = {
  readonly answeredAtMs: number | undefined;
  /** First time it said `not_ready` since it last answered: it is waking. */
  readonly notReadySinceMs: number | undefined;
};

export type TargetState = {
  readonly spec: TargetSpec;
  readonly breaker: BreakerState;
  /** Attempts this isolate has running there. */
  readonly inFlight: number;
  /** Attempts that may run there at once, as latency and throttling have taught; absent: what the configuration says. */
  readonly concurrencyLimit?: number | undefined;
  /** Keyed by `model/variant`; absent where nothing has been observed. */
  readonly latency: Readonly<Record<string, LatencyEstimate>>;
  /** What one input kept the place busy, by its own measure; keyed alike. */
  readonly computeMs: Readonly<Record<string, number>>;
  /** Models of this isolate that are not in memory: keyed alike, and absent where ready. */
  readonly cold?: Readonly<Record<string, ColdModel>> | undefined;
  /** Keyed alike. */
  readonly acceptance?: Readonly<Record<string, AcceptanceEstimate>> | undefined;
  readonly seen?: OwnSight | undefined;
  readonly status?: ResourceStatus | undefined;
  /** Estimated round trip from here to its region, by distance; absent: not known. Adds to the prior. */
  readonly wayMs?: number | undefined;
  /** Why this isolate cannot reach it at all (no credentials, no endpoint), or undefined. */
  readonly unreachable: string | undefined;
};

/** How busy the isolate itself is: what its own places compete with. */
export type EdgeLoad = {
  /** CPU asked of the isolate per millisecond of time; 1 is all there is. */
  readonly cpuRatio: number;
  /** CPU time that is waiting before a new attempt at the edge. */
  readonly queueMs: number;
};

/** Who asks, as far as rules and sticky arms may look. */
type CallerFacts = { readonly tenant: string; readonly requestId: string; readonly metadata: Metadata };

export type Facts = {
  readonly nowMs: number;
  readonly deadlineAtMs: number;
  /** One draw per request, 0 <= random < 1. Every use of chance in the decision derives from it. */
  readonly random: number;
  readonly caller?: CallerFacts | undefined;
  readonly requirements: Requirements;
  readonly itemCount: number;
  /** Size of the input as it would be sent upstream. */
  readonly inputBytes: number;
  /** Of the longest text; undefined for other inputs. */
  readonly inputChars?: number | undefined;
  /** Estimated before any model runs: P(large right) - P(small right). */
  readonly difficulty?: number | undefined;
  readonly model: ModelSpec;
  readonly route: RouteSpec;
  readonly targets: readonly TargetState[];
  readonly edgeLoad?: EdgeLoad | undefined;
  /** Breakers of the route's canaries, by arm. Absent: closed. */
  readonly arms?: Readonly<Record<string, BreakerState>> | undefined;
  /** Whether the retry budget lets a remote place be asked after a failure. Default: yes. */
  readonly mayRetry?: boolean | undefined;
  /** What the route's budget still pays for; undefined: it has none. */
  readonly budgetNanos?: number | undefined;
  /**
   * Where the route states a guarantee: per shortcut the confidence from which its answers are accepted, in place of the
   * cascade step's own; null: the shortcut is off.
   */
  readonly acceptConfidenceOf?: AcceptConfidenceOf | undefined;
  readonly gatewayPrice: GatewayPrice;
};
