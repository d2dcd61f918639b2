/**
 * The decision: facts in, plan out, with reasons. Pure and deterministic: the same facts give the same plan.
 * Owns putting primary, reserve and hedging attempts together. Which policy applies is choose-policy.ts, selecting the
 * primary ones select-cascade.ts and select-single.ts, what to do as attempts end next.ts.
 */
import { gatewayCostNanos } from '../measure/pricing.ts';
import type { BasePolicy } from '../schema/route-policy.ts';
import { referenceCostNanos } from './candidate.ts';
import type { Candidate, Choice } from './candidate.ts';
import { choosePolicy } from './choose-policy.ts';
import { eligible, maxCostNanosOf, refusalOf } from './eligible.ts';
import { estimateAcceptance, estimatePatienceMs, inTimeRatio } from './estimate.ts';
import type { Facts } from './facts.ts';
import type { AttemptRole, Plan, PlannedAttempt, Prediction, Refusal } from './plan-types.ts';
import { selectCascade, stepConfidence } from './select-cascade.ts';
import { byAccuracy, byCost, byLatency, isUrgent, selectSingle, tooSlow } from './select-single.ts';
import type { Order, Selection } from './select-single.ts';
import { explore } from './spread.ts';

export function decide(facts: Facts): Plan {
  const chosen = choosePolicy(facts);
  const gatewayNanos = gatewayCostNanos(facts.gatewayPrice);
  const maxCostNanos = maxCostNanosOf(facts);
  const leftMs = facts.deadlineAtMs - facts.nowMs;
  const { candidates, refused } = eligible(facts, chosen, maxCostNanos, gatewayNanos);
  const asked: Asked = { facts, policy: chosen.policy, leftMs, leftNanos: (maxCostNanos ?? Infinity) - gatewayNanos };
  const selection = candidates.length === 0 ? nobody : exploring(select(asked, candidates), asked, candidates);
  for (const { candidate, reason, detail } of selection.setAside) {
    refused.push(refusalOf(candidate.spec, candidate.variant, reason, detail));
  }
  const attempts = selection.primary.map((choice) => toAttempt(choice, 'primary', asked));
  addReserve(attempts, asked, candidates, selection, refused);
  if (facts.route.hedge !== undefined) addHedges(attempts, leftMs);
  return {
    policy: chosen.label,
    policyKind: chosen.policy.kind,
    canary: chosen.canary,
    reason: selection.reason,
    attempts,
    refused,
    missed: selection.missed,
    predicted: predict(attempts, gatewayNanos),
    maxCostNanos,
    retryAfterMs: attempts.length > 0 ? undefined : soonest(refused),
    gatewayCostNanos: gatewayNanos,
    cloudOnlyCostNanos: gatewayNanos + referenceCostNanos(facts),
  };
}

/** One request under one policy. */
type Asked = {
  readonly facts: Facts;
  readonly policy: BasePolicy;
  readonly leftMs: number;
  /** What all attempts together may cost. */
  readonly leftNanos: number;
};

const nobody: Selection = { primary: [], setAside: [], missed: [], reason: 'No target can take this request.' };

function select({ facts, policy, leftMs, leftNanos }: Asked, candidates: readonly Candidate[]): Selection {
  if (isCascade(facts, policy)) return selectCascade(facts, candidates, policy.steps, leftMs, leftNanos);
  return selectSingle(facts, candidates, orderOf(policy), leftMs);
}

/** Another place for the first attempt, now and then. What it replaces stands in reserve. */
function exploring(selection: Selection, asked: Asked, candidates: readonly Candidate[]): Selection {
  const { facts, policy, leftMs, leftNanos } = asked;
  const [first, ...others] = selection.primary;
  if (facts.route.exploration === undefined || first === undefined || selection.missed.length > 0) return selection;
  // In a cascade only another place of the same step; a single policy weighs variants against each other anyway.
  const mayStandIn = (it: Candidate): boolean =>
    isCascade(facts, policy)
      ? it.variant === first.candidate.variant
      : !selection.setAside.some(({ candidate }) => candidate === it);
  let freeNanos = leftNanos;
  for (const { candidate } of others) freeNanos -= candidate.costNanos;
  const explored = explore(first.candidate, candidates, facts, leftMs, freeNanos, mayStandIn);
  if (explored === undefined) return selection;
  return {
    ...selection,
    // Should it hang, the usual place still gets what it needs.
    primary: [{ ...first, candidate: explored, timeoutMs: leftMs - first.candidate.neededMs }, ...others],
    setAside: selection.setAside.filter(({ candidate }) => candidate !== explored),
    reason: `Exploring ${explored.variant} at ${explored.spec.id}, not seen for a while. ${selection.reason}`,
  };
}

/** A pinned variant leaves nothing to escalate to. */
function isCascade(facts: Facts, policy: BasePolicy): policy is Extract<BasePolicy, { kind: 'cascade' }> {
  return policy.kind === 'cascade' && facts.requirements.variant === undefined;
}

function orderOf(policy: BasePolicy): Order {
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
  asked: Asked,
  candidates: readonly Candidate[],
  selection: Selection,
  refused: Refusal[],
): void {
  const { leftMs } = asked;
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
  if (reserve.length > 1) reserve.sort(reserveOrderOf(asked));
  for (const candidate of reserve)
    attempts.push(toAttempt({ candidate, acceptConfidence: reserveConfidence(asked, candidate) }, 'reserve', asked));
}

function reserveOrderOf({ facts, policy }: Asked): Order {
  if (policy.kind !== 'cascade') return orderOf(policy);
  return isUrgent(facts) ? byAccuracy : byCost;
}

/** A stand-in is held to what its step asks; with no step, to min_accuracy where it is weaker than that on the whole. */
function reserveConfidence({ facts, policy }: Asked, candidate: Candidate): number {
  if (isCascade(facts, policy)) return stepConfidence(facts, policy.steps, candidate);
  const { minAccuracy = 0 } = facts.requirements;
  return candidate.accuracy >= minAccuracy ? 0 : minAccuracy;
}

/**
 * For every primary attempt that leaves the isolate, a second one of the same variant in case it takes longer than its own
 * p95: at another place where there is one, else once more at the same.
 */
function addHedges(attempts: PlannedAttempt[], leftMs: number): void {
  const planned = attempts.length;
  for (let index = 0; index < planned; index += 1) {
    const own = attempts[index];
    if (own === undefined || own.role !== 'primary' || own.kind === 'edge') continue;
    const other =
      attempts.find((it) => it.role === 'reserve' && it.variant === own.variant && it.kind !== 'edge') ?? own;
    const hedgeAfterMs = own.predictedP95Ms;
    if (hedgeAfterMs + other.predictedP50Ms > leftMs) continue;
    attempts[index] = { ...own, hedgeAfterMs };
    attempts.push({
      ...other,
      role: 'hedge',
      acceptConfidence: own.acceptConfidence,
      isSpeculative: false,
      hedgeOf: index,
    });
  }
}

function toAttempt(
  { candidate, acceptConfidence, isSpeculative = false, timeoutMs = Infinity }: Choice,
  role: AttemptRole,
  asked: Asked,
): PlannedAttempt {
  const { leftMs } = asked;
  const { accuracy } = candidate;
  const acceptance = estimateAcceptance(acceptConfidence, accuracy, candidate.acceptance);
  return {
    target: candidate.spec.id,
    kind: candidate.kind,
    region: candidate.spec.region,
    variant: candidate.variant,
    role,
    acceptConfidence,
    isSpeculative,
    hedgeAfterMs: null,
    hedgeOf: null,
    timeoutMs: Math.max(0, Math.min(candidate.spec.timeout_ms, leftMs, timeoutMs)),
    predictedP50Ms: candidate.p50Ms,
    predictedP95Ms: candidate.p95Ms,
    neededMs: candidate.neededMs,
    patienceMs: patienceOf(candidate, asked),
    inTimeRatio: inTimeRatio(candidate.latency, leftMs),
    predictedCostNanos: candidate.costNanos,
    priceRatio: candidate.priceRatio,
    predictedAcceptedRatio: acceptance.acceptedRatio,
    predictedConfidence: acceptance.acceptedConfidence,
    predictedAccuracy: accuracy,
  };
}

/** What computes in this isolate cannot be left, and a text that is being written has time-outs of its own. */
function patienceOf({ kind, latency, spec }: Candidate, { facts, leftMs }: Asked): number {
  if (kind === 'edge' || facts.model.task === 'text_generation') return Infinity;
  return estimatePatienceMs(latency, spec.cold_start?.p95_ms ?? 0, leftMs);
}

/** Each primary attempt is reached by what the ones before it do not accept. */
function predict(attempts: readonly PlannedAttempt[], gatewayNanos: number): Prediction {
  let reached = 1;
  let costNanos = gatewayNanos;
  let accuracy = 0;
  let last: PlannedAttempt | undefined;
  for (const attempt of attempts) {
    if (attempt.role !== 'primary') break;
    last = attempt;
    const accepted = reached * attempt.predictedAcceptedRatio;
    costNanos += attempt.predictedCostNanos * (attempt.isSpeculative ? 1 : reached);
    accuracy += accepted * attempt.predictedConfidence;
    reached -= accepted;
  }
  const [first] = attempts;
  return {
    latencyMs: first?.predictedP50Ms ?? 0,
    inTimeRatio: first?.inTimeRatio ?? 0,
    costNanos: Math.round(costNanos),
    // What nobody accepts is answered all the same, by the last one asked.
    accuracy: accuracy + reached * (last?.predictedAccuracy ?? 0),
  };
}

function soonest(refused: readonly Refusal[]): number | undefined {
  let leastMs: number | undefined;
  for (const { retryAfterMs } of refused)
    if (retryAfterMs !== undefined && !(leastMs !== undefined && leastMs <= retryAfterMs)) leastMs = retryAfterMs;
  return leastMs;
}
