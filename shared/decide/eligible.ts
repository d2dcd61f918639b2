/**
 * Which (target, variant) pairs could answer this request at all, and why the others cannot, with the numbers.
 * Owns the hard conditions; what is merely too slow or not good enough is weighed in plan.ts.
 */
import { breakerVerdict } from '../resilience/breaker.ts';
import { nanosFromUsd } from '../measure/pricing.ts';
import type { TargetKind, TargetSpec } from '../schema/config.ts';
import type { Placement, Requirements } from '../schema/infer-request.ts';
import { toCandidate } from './candidate.ts';
import type { Candidate } from './candidate.ts';
import type { ChosenPolicy } from './choose-policy.ts';
import type { Facts, TargetState } from './facts.ts';
import { normalQuantile } from './normal.ts';
import { conditionOf, isEdgeKind } from './place.ts';
import type { Condition } from './place.ts';
import type { Refusal, RefusalReason } from './plan-types.ts';

export type Eligible = { readonly candidates: Candidate[]; readonly refused: Refusal[] };

/** What the request may cost in all: the least of what the caller, the route and its budget allow. */
export function maxCostNanosOf({ requirements, route, budgetNanos }: Facts): number | undefined {
  let most = requirements.maxCostNanos ?? Infinity;
  if (route.max_cost_usd !== undefined) most = Math.min(most, nanosFromUsd(route.max_cost_usd));
  if (budgetNanos !== undefined && isHeldToBudget(requirements)) most = Math.min(most, budgetNanos);
  return most === Infinity ? undefined : most;
}

/** What is critical is not left unanswered because others have spent the money. */
export function isHeldToBudget({ priority }: Pick<Requirements, 'priority'>): boolean {
  return priority !== 'critical';
}

/** @param maxNanos for the whole request, gateway included */
export function eligible(
  facts: Facts,
  chosen: ChosenPolicy,
  maxNanos: number | undefined,
  gatewayNanos: number,
): Eligible {
  const candidates: Candidate[] = [];
  const refused: Refusal[] = [];
  const doubtful: Doubtful[] = [];
  const deadlineZ = normalQuantile(facts.route.deadline_probability);
  for (const state of facts.targets) {
    let targetRefusal: Refused | undefined;
    let condition: Condition | undefined;
    for (const served of state.spec.serves) {
      if (served.model !== facts.model.name) continue;
      const accuracy = accuracyOf(facts, served.variant);
      if (accuracy === undefined) continue;
      if (condition === undefined) {
        targetRefusal = refuseTarget(state, facts, chosen);
        condition = conditionOf(state, facts.nowMs);
      }
      const refusal = targetRefusal ?? refuseVariant(served.variant, facts) ?? refuseBroken(state, served);
      if (refusal !== undefined) {
        refused.push(refusalOf(state.spec, served.variant, refusal.reason, refusal.detail, refusal.retryAfterMs));
        continue;
      }
      const candidate = toCandidate(state, served, accuracy, facts, condition, deadlineZ);
      const totalNanos = candidate.costNanos + gatewayNanos;
      if (maxNanos !== undefined && totalNanos > maxNanos) {
        const { reason, detail, retryAfterMs } = tooDear(totalNanos, maxNanos, facts);
        refused.push(refusalOf(state.spec, served.variant, reason, detail, retryAfterMs));
        continue;
      }
      const doubt = doubtAbout(state, condition);
      if (doubt === undefined) candidates.push(candidate);
      else doubtful.push({ candidate, doubt });
    }
  }
  if (doubtful.length > 0) weigh(doubtful, candidates, refused);
  return { candidates, refused };
}

/**
 * A probe may be wrong, and a limit is only learned: where they leave nobody, they are not obeyed. A limit moves load to an
 * equal place; it does not take a variant away.
 */
function weigh(doubtful: readonly Doubtful[], candidates: Candidate[], refused: Refusal[]): void {
  const sure = new Set(candidates.map(({ variant }) => variant));
  for (const { candidate, doubt } of doubtful) {
    const { spec, variant } = candidate;
    const isNeeded = doubt.reason === 'concurrency_limit' ? !sure.has(variant) : sure.size === 0;
    if (isNeeded) candidates.push(candidate);
    else refused.push(refusalOf(spec, variant, doubt.reason, doubt.detail, doubt.retryAfterMs));
  }
}

type Doubtful = { readonly candidate: Candidate; readonly doubt: Refused };

/** What speaks against a place as long as there is another. */
function doubtAbout({ inFlight, concurrencyLimit }: TargetState, condition: Condition): Refused | undefined {
  if (condition.isDown) return { reason: 'reported_down', detail: 'the last probe found it down' };
  if (inFlight < (concurrencyLimit ?? Infinity)) return undefined;
  const detail = `${inFlight} running, it bears ${Math.floor(concurrencyLimit ?? 0)} as of late`;
  return { reason: 'concurrency_limit', detail, retryAfterMs: PROBE_RETRY_MS };
}

function tooDear(totalNanos: number, maxNanos: number, { budgetNanos, route }: Facts): Refused {
  const detail = `${totalNanos} nano-dollars, ${Math.max(0, Math.floor(maxNanos))} allowed`;
  if (budgetNanos !== maxNanos || route.budget === undefined) return { reason: 'over_budget', detail };
  const fullNanos = nanosFromUsd(route.budget.burst_usd);
  // Waiting would not help.
  if (totalNanos > fullNanos)
    return { reason: 'over_budget', detail: `${totalNanos} nano-dollars, the route's budget holds ${fullNanos}` };
  const nanosPerMs = nanosFromUsd(route.budget.usd_per_hour) / MS_PER_HOUR;
  if (!(nanosPerMs > 0)) return { reason: 'budget_spent', detail };
  return { reason: 'budget_spent', detail, retryAfterMs: Math.ceil((totalNanos - budgetNanos) / nanosPerMs) };
}

const MS_PER_HOUR = 3_600_000;

type Refused = { readonly reason: RefusalReason; readonly detail: string; readonly retryAfterMs?: number };

export function refusalOf(
  spec: TargetSpec,
  variant: string,
  reason: RefusalReason,
  detail: string,
  retryAfterMs?: number,
): Refusal {
  const refusal = { target: spec.id, kind: spec.endpoint.kind, variant, reason, detail };
  return retryAfterMs === undefined ? refusal : { ...refusal, retryAfterMs };
}

/** Conditions that hold for every variant of the target. */
function refuseTarget(state: TargetState, facts: Facts, { targets, label }: ChosenPolicy): Refused | undefined {
  const { spec } = state;
  if (!spec.enabled) return { reason: 'disabled', detail: 'switched off in the configuration' };
  if (state.unreachable !== undefined) return { reason: 'unreachable', detail: state.unreachable };
  if (targets?.includes(spec.id) === false) return { reason: 'not_in_policy', detail: `${label} uses other places` };
  const { placement } = facts.requirements;
  if (!isPlacedIn(spec.endpoint.kind, placement)) {
    return { reason: 'placement_excluded', detail: `placement is ${placement}` };
  }
  const verdict = breakerVerdict(state.breaker, facts.nowMs);
  if (verdict === 'open') {
    const leftMs = openForMs(state, facts.nowMs);
    return { reason: 'breaker_open', detail: `open for another ${leftMs} ms`, retryAfterMs: leftMs };
  }
  if (verdict === 'half_open_busy')
    return { reason: 'breaker_half_open', detail: 'a probe is under way', retryAfterMs: PROBE_RETRY_MS };
  if (state.inFlight >= spec.max_concurrency) {
    return {
      reason: 'concurrency_limit',
      detail: `${state.inFlight} running, ${spec.max_concurrency} allowed`,
      retryAfterMs: PROBE_RETRY_MS,
    };
  }
  if (facts.inputBytes > spec.max_payload_bytes) {
    return { reason: 'payload_too_large', detail: `${facts.inputBytes} bytes, ${spec.max_payload_bytes} allowed` };
  }
  if (facts.itemCount > spec.max_batch) {
    return { reason: 'batch_too_large', detail: `${facts.itemCount} inputs, ${spec.max_batch} allowed` };
  }
  return undefined;
}

/** A probe, or one of the attempts that fill a place, is over in about a second. */
const PROBE_RETRY_MS = 1_000;

function refuseVariant(variant: string, facts: Facts): Refused | undefined {
  const pinned = facts.requirements.variant;
  if (pinned === undefined || pinned === variant) return undefined;
  return { reason: 'variant_not_pinned', detail: `the request pins ${pinned}` };
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

function refuseBroken(state: TargetState, served: TargetSpec['serves'][number]): Refused | undefined {
  const cold = state.cold?.[`${served.model}/${served.variant}`];
  if (cold?.kind !== 'broken') return undefined;
  const retryAfterMs = Math.ceil(cold.retryAfterMs);
  return { reason: 'model_broken', detail: `its weights are tried again in ${retryAfterMs} ms`, retryAfterMs };
}

function openForMs({ breaker }: TargetState, nowMs: number): number {
  return breaker.kind === 'open' ? Math.ceil(breaker.openedAtMs + breaker.openMs - nowMs) : 0;
}

function accuracyOf(facts: Facts, variant: string): number | undefined {
  for (const spec of facts.model.variants) if (spec.name === variant) return spec.accuracy;
  return undefined;
}
