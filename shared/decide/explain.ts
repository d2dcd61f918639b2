/**
 * A plan in sentences, the way a person wants to read it: the winner and why, who is asked after it and when, what is
 * expected of each, who was left out for which reason. Owns the words; numbers come from the plan.
 */
import { usdFromNanos } from '../measure/pricing.ts';
import type { MissedRequirement, Plan, PlannedAttempt, RefusalReason } from './plan-types.ts';

export function explainPlan(plan: Plan): readonly string[] {
  return [
    `${plan.policy}: ${plan.reason}`,
    ...(plan.missed.length === 0
      ? []
      : [`Cannot be promised: ${plan.missed.map((one) => MISSED_WORDS[one]).join(', ')}.`]),
    ...plan.attempts.map((attempt, index) => `${index + 1}. ${attemptSentence(attempt, index)}`),
    ...plan.refused.map(
      ({ variant, target, reason, detail }) =>
        `Left out: ${variant} at ${target}: ${REFUSAL_WORDS[reason]} (${detail}).`,
    ),
    ...(plan.retryAfterMs === undefined ? [] : [`A place may be back in ${Math.ceil(plan.retryAfterMs)} ms.`]),
    ...(plan.attempts.length === 0 ? [] : [expectation(plan)]),
  ];
}

export const MISSED_WORDS: Readonly<Record<MissedRequirement, string>> = {
  latency_requirement: 'an answer in time',
  min_accuracy: 'the accuracy asked for',
  max_cost_usd: 'the cost asked for',
  model_complexity: 'the complexity asked for',
  confidence: 'the confidence its route asks',
};

export const REFUSAL_WORDS: Readonly<Record<RefusalReason, string>> = {
  disabled: 'switched off',
  unreachable: 'cannot be reached',
  reported_down: 'reported down',
  placement_excluded: 'not where it may run',
  variant_not_pinned: 'another variant is pinned',
  breaker_open: 'breaker open',
  breaker_half_open: 'breaker half open',
  concurrency_limit: 'full',
  payload_too_large: 'input too large',
  batch_too_large: 'too many inputs',
  over_budget: 'too dear',
  budget_spent: 'the budget is spent',
  model_broken: 'model broken',
  below_min_accuracy: 'not accurate enough',
  too_slow: 'too slow',
  complexity_skips: 'skipped by complexity',
  shortcut_off: 'shortcut off',
  not_in_policy: 'not in the policy',
};

function attemptSentence(attempt: PlannedAttempt, index: number): string {
  const { variant, target, predictedP50Ms, predictedP95Ms, inTimeRatio, predictedCostNanos, predictedAccuracy } =
    attempt;
  return (
    `${variant} at ${target}, ${turnOf(attempt, index)}; takes ${takenAnswers(attempt)}; ` +
    `${milliseconds(predictedP50Ms)} at the median, ${milliseconds(predictedP95Ms)} at p95, in time with probability ${inTimeRatio.toFixed(3)}; ` +
    `${dollars(predictedCostNanos)} a million; ${percent(predictedAccuracy)} right on held-out data.`
  );
}

/** When an attempt's turn comes. */
function turnOf({ role, isSpeculative, hedgeAfterMs, hedgeOf }: PlannedAttempt, index: number): string {
  const hedged = hedgeAfterMs === null ? '' : `, hedged after ${milliseconds(hedgeAfterMs)}`;
  switch (role) {
    case 'primary':
      return `${index === 0 ? 'first' : isSpeculative ? 'beside the first' : 'if the answer before is not sure enough'}${hedged}`;
    case 'reserve':
      return 'if one fails';
    case 'hedge':
      return `beside ${(hedgeOf ?? 0) + 1} if that takes long`;
  }
}

function takenAnswers({ acceptConfidence, predictedAcceptedRatio }: PlannedAttempt): string {
  if (acceptConfidence === 0) return 'any answer';
  if (acceptConfidence > 1) return 'no answer as sure enough';
  return `answers from confidence ${acceptConfidence} (about ${percent(predictedAcceptedRatio)})`;
}

function expectation({ predicted, cloudOnlyCostNanos }: Plan): string {
  const saved = 1 - predicted.costNanos / cloudOnlyCostNanos;
  return (
    `Expected, escalations included: ${milliseconds(predicted.latencyMs)} at the median, ${dollars(predicted.costNanos)} a million, ${percent(predicted.accuracy)} right; ` +
    `the cloud alone ${dollars(cloudOnlyCostNanos)} a million${saved > 0 ? ` (${percent(saved)} saved)` : ''}.`
  );
}

function milliseconds(value: number): string {
  return `${value >= 100 ? Math.round(value) : Number(value.toPrecision(3))} ms`;
}

/** For a million such requests. */
function dollars(nanos: number): string {
  return `$${(1e6 * usdFromNanos(nanos)).toFixed(2)}`;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
