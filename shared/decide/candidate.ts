/**
 * One (target, variant) pair with everything that is estimated about it for this request. Owns putting the estimates
 * together; which candidates may be used at all is eligible.ts.
 */
import type { RouteSpec, TargetKind, TargetSpec } from '../schema/config.ts';
import {
  edgeLoadOf,
  estimateCostNanos,
  estimateLatency,
  itemFactor,
  loadFactor,
  neededMs,
  UNLOADED,
} from './estimate.ts';
import type { Latency, LatencyPrior } from './estimate.ts';
import type { AcceptanceEstimate, Facts, TargetState } from './facts.ts';
import { Z_OF_P95 } from './normal.ts';
import type { Condition } from './place.ts';
import { conditionOf, isEdgeKind } from './place.ts';

export type Candidate = {
  readonly spec: TargetSpec;
  readonly kind: TargetKind;
  readonly variant: string;
  /** Held-out. */
  readonly accuracy: number;
  readonly latency: Latency;
  /** Cold starts included, as in `neededMs`: what must be left to be in time with the asked probability. */
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly neededMs: number;
  readonly costNanos: number;
  readonly priceRatio: number;
  /** Cost and time as they compete with others': less for places at the edge where the route prefers them. */
  readonly rankCostNanos: number;
  readonly rankMs: number;
  /** Observations behind the latency, decayed. */
  readonly evidence: number;
  /** Share of the attempts it may run at once that are running. */
  readonly occupiedRatio: number;
  readonly acceptance: AcceptanceEstimate | undefined;
};

/** A candidate that is to be asked. */
export type Choice = {
  readonly candidate: Candidate;
  readonly acceptConfidence: number;
  /** Begun together with the first, because time would not hold both in sequence. */
  readonly isSpeculative?: boolean;
  /** Where it must end sooner than its place allows. */
  readonly timeoutMs?: number;
};

export function toCandidate(
  state: TargetState,
  served: TargetSpec['serves'][number],
  accuracy: number,
  facts: Facts,
  condition: Condition,
  deadlineZ: number,
): Candidate {
  const { spec } = state;
  const { kind } = spec.endpoint;
  const key = `${served.model}/${served.variant}`;
  const observed = state.latency[key];
  const items = itemFactor(kind, facts.itemCount);
  const load = loadOf(spec, facts, condition, observed === undefined);
  const latency = estimateLatency(
    priorFrom(served.latency_prior, state.wayMs),
    observed,
    items * load.factor,
    load.queueMs + loadMsOf(state, key),
    condition,
  );
  const needed = neededMs(latency, facts.route.deadline_probability, deadlineZ);
  const isCold = latency.coldRatio > 0;
  const priceRatio = condition.status?.priceRatio ?? 1;
  const costNanos = Math.round(
    priceRatio * estimateCostNanos(spec.price, state.computeMs[key] ?? served.compute_prior_ms, items),
  );
  const handicap = handicapOf(kind, facts.route);
  return {
    spec,
    kind,
    variant: served.variant,
    accuracy,
    latency,
    p50Ms: isCold ? neededMs(latency, 0.5, 0) : latency.p50Ms,
    p95Ms: isCold ? neededMs(latency, 0.95, Z_OF_P95) : latency.p95Ms,
    neededMs: needed,
    costNanos,
    priceRatio,
    rankCostNanos: costNanos * handicap,
    rankMs: needed * handicap,
    evidence: observed?.count ?? 0,
    occupiedRatio:
      (state.inFlight + 1) / Math.max(1, Math.min(spec.max_concurrency, state.concurrencyLimit ?? Infinity)),
    acceptance: state.acceptance?.[key],
  };
}

/** What a place's cost and time count for when places are ranked: nothing at all where its kind is preferred. */
function handicapOf(kind: TargetKind, route: RouteSpec): number {
  if (route.prefer?.includes(kind) === true) return 0;
  return isEdgeKind(kind) ? 1 - (route.edge_preference ?? 0) : 1;
}

/** A configuration is one for all points of presence; how far each is from the place only the isolate can tell. */
function priorFrom(prior: LatencyPrior, wayMs: number | undefined): LatencyPrior {
  return wayMs === undefined ? prior : { p50_ms: prior.p50_ms + wayMs, p95_ms: prior.p95_ms + wayMs };
}

/** A first answer waits for the weights once, however many inputs it brings. */
function loadMsOf(state: TargetState, key: string): number {
  const cold = state.cold?.[key];
  return cold?.kind === 'loading' ? cold.loadMs : 0;
}

/** At the edge, what the isolate is busy with; elsewhere a reported load, as long as nothing was observed under it. */
function loadOf(
  { endpoint }: TargetSpec,
  facts: Facts,
  { status }: Condition,
  isUnseen: boolean,
): typeof UNLOADED | ReturnType<typeof edgeLoadOf> {
  if (endpoint.kind === 'edge' && endpoint.runtime !== 'onnx') return edgeLoadOf(facts.edgeLoad);
  const loadRatio = status?.loadRatio ?? null;
  return loadRatio === null || !isUnseen ? UNLOADED : { factor: loadFactor(loadRatio), queueMs: 0 };
}

/** What the model's reference variant would cost at its cheapest enabled place, whether or not it can answer right now. */
export function referenceCostNanos(facts: Facts): number {
  let cheapest = Infinity;
  const { model } = facts;
  for (const state of facts.targets) {
    const { spec } = state;
    if (!spec.enabled) continue;
    for (const served of spec.serves) {
      if (served.model !== model.name || served.variant !== model.reference_variant) continue;
      const computeMs = state.computeMs[`${served.model}/${served.variant}`] ?? served.compute_prior_ms;
      const factor = itemFactor(spec.endpoint.kind, facts.itemCount);
      const priceRatio = conditionOf(state, facts.nowMs).status?.priceRatio ?? 1;
      cheapest = Math.min(cheapest, Math.round(priceRatio * estimateCostNanos(spec.price, computeMs, factor)));
    }
  }
  return cheapest === Infinity ? 0 : cheapest;
}
