/**
 * The decision: facts in, plan out, with reasons. Pure and deterministic: the same facts give the same plan.
 * Owns putting primary and reserve attempts together; selecting the primary ones is select-cascade.ts and
 * select-single.ts, what to do as attempts end is next.ts.
 */
import { gatewayCostNanos } from '../measure/pricing.ts';
import type { RouteSpec } from '../schema/config.ts';
import { eligible, referenceCostNanos, refusalOf } from './eligible.ts';
import type { Candidate } from './eligible.ts';
import type { Facts } from './facts.ts';
import type { AttemptRole, Plan, PlannedAttempt, Refusal } from './plan-types.ts';
import { selectCascade, stepConfidence } from './select-cascade.ts';
import { byAccuracy, byCost, byLatency, isUrgent, selectSingle, tooSlow } from './select-single.ts';
import type { Order, Selection } from './select-single.ts';

export function decide(facts: Facts): Plan {
  const gatewayNanos = gatewayCostNanos(facts.gatewayPrice);
  const leftMs = facts.deadlineAtMs - facts.nowMs;
  const { candidates, refused } = eligible(facts, gatewayNanos);
  const selection = candidates.length === 0 ? nobody : select(facts, candidates, leftMs, gatewayNanos);
  for (const { candidate, reason, detail } of selection.setAside) {
    refused.push(refusalOf(candidate.spec, candidate.variant, reason, detail));
  }
  const attempts = selection.primary.map(({ candidate, acceptConfidence }) =>
    toAttempt(candidate, 'primary', acceptConfidence, leftMs),
  );
  addReserve(attempts, facts, candidates, selection, leftMs, refused);
  const [first] = attempts;
  return {
    policy: facts.route.policy.kind,
    reason: selection.reason,
    attempts,
    refused,
    missed: selection.missed,
    predicted: {
      latencyMs: first?.predictedP50Ms ?? 0,
      costNanos: gatewayNanos + (first?.predictedCostNanos ?? 0),
      accuracy: first?.predictedAccuracy ?? 0,
    },
    gatewayCostNanos: gatewayNanos,
    cloudOnlyCostNanos: gatewayNanos + referenceCostNanos(facts),
  };
}

const nobody: Selection = { primary: [], setAside: [], missed: [], reason: 'No target can take this request.' };

function select(facts: Facts, candidates: readonly Candidate[], leftMs: number, gatewayNanos: number): Selection {
  const { policy } = facts.route;
  if (isCascade(facts, policy)) {
    const leftNanos = (facts.requirements.maxCostNanos ?? Infinity) - gatewayNanos;
    return selectCascade(facts, candidates, policy.steps, leftMs, leftNanos);
  }
  return selectSingle(facts, candidates, orderOf(policy), leftMs);
}

/** A pinned variant leaves nothing to escalate to. */
function isCascade(
  facts: Facts,
  policy: RouteSpec['policy'],
): policy is Extract<RouteSpec['policy'], { kind: 'cascade' }> {
  return policy.kind === 'cascade' && facts.requirements.variant === undefined;
}

function orderOf(policy: RouteSpec['policy']): Order {
  switch (policy.kind) {
    case 'cascade':
    case 'cheapest':
      return byCost;
    case 'fastest':
      return byLatency;
    case 'most_accurate':
      return byAccuracy;
  }
}

/** Who else could answer if a primary attempt fails, in the order to ask them. */
function addReserve(
  attempts: PlannedAttempt[],
  facts: Facts,
  candidates: readonly Candidate[],
  selection: Selection,
  leftMs: number,
  refused: Refusal[],
): void {
  const reserve: Candidate[] = [];
  for (const candidate of candidates) {
    if (selection.primary.some((choice) => choice.candidate === candidate)) continue;
    const aside = selection.setAside.find((it) => it.candidate === candidate);
    if (aside?.reason === 'not_in_policy') continue;
    if (candidate.p50Ms <= leftMs) reserve.push(candidate);
    else if (aside === undefined) {
      const { reason, detail } = tooSlow(candidate, leftMs);
      refused.push(refusalOf(candidate.spec, candidate.variant, reason, detail));
    }
  }
  if (reserve.length > 1) reserve.sort(reserveOrderOf(facts));
  for (const candidate of reserve)
    attempts.push(toAttempt(candidate, 'reserve', reserveConfidence(facts, candidate), leftMs));
}

function reserveOrderOf(facts: Facts): Order {
  const { policy } = facts.route;
  if (policy.kind !== 'cascade') return orderOf(policy);
  return isUrgent(facts) ? byAccuracy : byCost;
}

/** A stand-in is held to what its step asks; with no step, to min_accuracy where it is weaker than that on the whole. */
function reserveConfidence(facts: Facts, candidate: Candidate): number {
  const { policy } = facts.route;
  if (isCascade(facts, policy)) return stepConfidence(facts, policy.steps, candidate);
  const { minAccuracy = 0 } = facts.requirements;
  return candidate.accuracy >= minAccuracy ? 0 : minAccuracy;
}

function toAttempt(candidate: Candidate, role: AttemptRole, acceptConfidence: number, leftMs: number): PlannedAttempt {
  return {
    target: candidate.spec.id,
    kind: candidate.kind,
    region: candidate.spec.region,
    variant: candidate.variant,
    role,
    acceptConfidence,
    timeoutMs: Math.max(0, Math.min(candidate.spec.timeout_ms, leftMs)),
    predictedP50Ms: candidate.p50Ms,
    predictedP95Ms: candidate.p95Ms,
    neededMs: candidate.neededMs,
    predictedCostNanos: candidate.costNanos,
    predictedAccuracy: candidate.accuracy,
  };
}
