/**
 * Which (target, variant) pairs could answer this request at all, and why the others cannot, with the numbers.
 * Owns the hard conditions; what is merely too slow or not good enough is weighed in plan.ts.
 */
import { breakerVerdict } from '../resilience/breaker.ts';
import type { TargetKind, TargetSpec } from '../schema/config.ts';
import type { Placement } from '../schema/infer-request.ts';
import { estimateCostNanos, estimateLatency, itemFactor, normalQuantile } from './estimate.ts';
import type { Facts, TargetState } from './facts.ts';
import type { Refusal, RefusalReason } from './plan-types.ts';

export type Candidate = {
  readonly spec: TargetSpec;
  readonly kind: TargetKind;
  readonly variant: string;
  readonly accuracy: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly neededMs: number;
  readonly costNanos: number;
};

export type Eligible = { readonly candidates: Candidate[]; readonly refused: Refusal[] };

export function eligible(facts: Facts, gatewayCostNanos: number): Eligible {
  const candidates: Candidate[] = [];
  const refused: Refusal[] = [];
  const { model } = facts;
  const deadlineZ = normalQuantile(facts.route.deadline_probability);
  for (const state of facts.targets) {
    let targetRefusal: Refused | undefined;
    let isTargetChecked = false;
    for (const served of state.spec.serves) {
      if (served.model !== model.name) continue;
      const accuracy = accuracyOf(facts, served.variant);
      if (accuracy === undefined) continue;
      if (!isTargetChecked) {
        targetRefusal = refuseTarget(state, facts);
        isTargetChecked = true;
      }
      const refusal = targetRefusal ?? refuseVariant(served.variant, facts) ?? refuseBroken(state, served);
      if (refusal !== undefined) {
        refused.push(refusalOf(state.spec, served.variant, refusal.reason, refusal.detail));
        continue;
      }
      const candidate = toCandidate(state, served, accuracy, facts, deadlineZ);
      const totalNanos = candidate.costNanos + gatewayCostNanos;
      const capNanos = facts.requirements.maxCostNanos;
      if (capNanos !== undefined && totalNanos > capNanos) {
        refused.push(
          refusalOf(state.spec, served.variant, 'over_budget', `${totalNanos} nano-dollars, ${capNanos} allowed`),
        );
        continue;
      }
      candidates.push(candidate);
    }
  }
  return { candidates, refused };
}

type Refused = { readonly reason: RefusalReason; readonly detail: string };

export function refusalOf(spec: TargetSpec, variant: string, reason: RefusalReason, detail: string): Refusal {
  return { target: spec.id, kind: spec.endpoint.kind, variant, reason, detail };
}

/** Conditions that hold for every variant of the target. */
function refuseTarget(state: TargetState, facts: Facts): Refused | undefined {
  const { spec } = state;
  if (!spec.enabled) return { reason: 'disabled', detail: 'switched off in the configuration' };
  if (state.unreachable !== undefined) return { reason: 'unreachable', detail: state.unreachable };
  const { placement } = facts.requirements;
  if (!isPlacedIn(spec.endpoint.kind, placement)) {
    return { reason: 'placement_excluded', detail: `placement is ${placement}` };
  }
  const verdict = breakerVerdict(state.breaker, facts.nowMs);
  if (verdict === 'open') return { reason: 'breaker_open', detail: openFor(state, facts.nowMs) };
  if (verdict === 'half_open_busy') return { reason: 'breaker_half_open', detail: 'a probe is under way' };
  if (state.inFlight >= spec.max_concurrency) {
    return { reason: 'concurrency_limit', detail: `${state.inFlight} running, ${spec.max_concurrency} allowed` };
  }
  if (facts.inputBytes > spec.max_payload_bytes) {
    return { reason: 'payload_too_large', detail: `${facts.inputBytes} bytes, ${spec.max_payload_bytes} allowed` };
  }
  if (facts.itemCount > spec.max_batch) {
    return { reason: 'batch_too_large', detail: `${facts.itemCount} inputs, ${spec.max_batch} allowed` };
  }
  return undefined;
}

function refuseVariant(variant: string, facts: Facts): Refused | undefined {
  const pinned = facts.requirements.variant;
  if (pinned === undefined || pinned === variant) return undefined;
  return { reason: 'variant_not_pinned', detail: `the request pins ${pinned}` };
}

function refuseBroken(state: TargetState, served: TargetSpec['serves'][number]): Refused | undefined {
  const cold = state.cold?.[`${served.model}/${served.variant}`];
  if (cold?.kind !== 'broken') return undefined;
  return { reason: 'model_broken', detail: `its weights are tried again in ${Math.ceil(cold.retryAfterMs)} ms` };
}

function isPlacedIn(kind: TargetKind, placement: Placement): boolean {
  switch (placement) {
    case 'any':
      return true;
    case 'edge':
      return isEdgeKind(kind);
    case 'cloud':
      return !isEdgeKind(kind);
  }
}

/** Places that are not a cloud region. */
function isEdgeKind(kind: TargetKind): boolean {
  switch (kind) {
    case 'edge':
      return true;
    case 'lambda':
    case 'sagemaker':
      return false;
  }
}

function openFor(state: TargetState, nowMs: number): string {
  const { breaker } = state;
  if (breaker.kind !== 'open') return 'open';
  return `open for another ${Math.ceil(breaker.openedAtMs + breaker.openMs - nowMs)} ms`;
}

function accuracyOf(facts: Facts, variant: string): number | undefined {
  for (const spec of facts.model.variants) if (spec.name === variant) return spec.accuracy;
  return undefined;
}

function toCandidate(
  state: TargetState,
  served: TargetSpec['serves'][number],
  accuracy: number,
  facts: Facts,
  deadlineZ: number,
): Candidate {
  const { spec } = state;
  const kind = spec.endpoint.kind;
  const key = `${served.model}/${served.variant}`;
  const factor = itemFactor(kind, facts.itemCount);
  const latency = estimateLatency(served.latency_prior, state.latency[key], factor, deadlineZ);
  const loadMs = loadMsOf(state, key);
  return {
    spec,
    kind,
    variant: served.variant,
    accuracy,
    p50Ms: latency.p50Ms + loadMs,
    p95Ms: latency.p95Ms + loadMs,
    neededMs: latency.neededMs + loadMs,
    costNanos: estimateCostNanos(spec.price, state.computeMs[key] ?? served.compute_prior_ms, factor),
  };
}

/** A first answer waits for the weights once, however many inputs it brings. */
function loadMsOf(state: TargetState, key: string): number {
  const cold = state.cold?.[key];
  return cold?.kind === 'loading' ? cold.loadMs : 0;
}

/** What the model's reference variant would cost at its cheapest enabled place, whether or not it can answer right now. */
export function referenceCostNanos(facts: Facts): number {
  let cheapest = Infinity;
  for (const state of facts.targets) {
    if (!state.spec.enabled) continue;
    for (const served of state.spec.serves) {
      if (served.model !== facts.model.name || served.variant !== facts.model.reference_variant) continue;
      const candidate = toCandidate(state, served, 0, facts, Z_ANY);
      if (candidate.costNanos < cheapest) cheapest = candidate.costNanos;
    }
  }
  return cheapest === Infinity ? 0 : cheapest;
}

/** Costs do not depend on the asked probability. */
const Z_ANY = 0;
