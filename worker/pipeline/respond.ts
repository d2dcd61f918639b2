/**
 * Puts an execution, or a cached answer, into the result that every protocol renders.
 */
import { GatewayError } from '../../shared/errors.ts';
import { explainPlan } from '../../shared/decide/explain.ts';
import type { Plan, Refusal } from '../../shared/decide/plan-types.ts';
import type { AnsweredItem, Decision, InferResult, TargetUsed } from '../../shared/schema/infer-result.ts';
import type { AttemptRecord, CacheStatus } from '../../shared/schema/record.ts';
import type { CanaryOutcome } from '../isolate-state.ts';
import type { Execution } from './execute.ts';
import type { CachedAnswer } from './stored-answer.ts';

export type Actual = {
  readonly requestId: string;
  readonly modelName: string;
  readonly configVersion: string;
  readonly latencyMs: number;
  readonly costNanos: number;
  readonly explain: boolean;
};

/** @param items one per input, all answered */
export function fromExecution(
  plan: Plan,
  execution: Execution,
  items: readonly AnsweredItem[],
  actual: Actual,
): InferResult {
  const last = hardestItem(items, execution.attempts);
  const decision = decisionFrom(plan, execution, actual, last.target);
  return result(actual, { items, variant: last.variant, targetUsed: last.target }, 'miss', decision);
}

export function fromCache(
  cached: CachedAnswer,
  cache: Exclude<CacheStatus, 'miss'>,
  reason: string,
  attempts: readonly AttemptRecord[],
  actual: Actual,
): InferResult {
  return result(actual, cached, cache, {
    targetSelected: cached.targetUsed,
    fallbackChain: attempts,
    policy: 'cache',
    reason,
    missed: [],
    predicted: null,
    actual: { latencyMs: actual.latencyMs, costNanos: actual.costNanos },
    cloudOnlyCostNanos: cached.cloudOnlyCostNanos,
    configVersion: actual.configVersion,
    explanation: actual.explain ? { planned: [], refused: [], sentences: [reason] } : null,
  });
}

export function decisionFrom(
  plan: Plan,
  execution: Execution,
  actual: Actual,
  targetSelected: TargetUsed | null,
): Decision {
  return {
    targetSelected,
    fallbackChain: execution.attempts,
    policy: plan.policy,
    reason: reasonOf(plan, execution),
    missed: missedOf(plan, execution),
    predicted: plan.attempts.length === 0 ? null : plan.predicted,
    actual: { latencyMs: actual.latencyMs, costNanos: actual.costNanos },
    cloudOnlyCostNanos: plan.cloudOnlyCostNanos,
    configVersion: actual.configVersion,
    explanation: actual.explain
      ? { planned: plan.attempts, refused: plan.refused, sentences: explainPlan(plan) }
      : null,
  };
}

/** Why a request that nothing answered failed, as one clear error. */
export function failureOf(plan: Plan, execution: Execution): GatewayError {
  const tried = execution.attempts
    .map((attempt) => `${attempt.target}: ${attempt.reason ?? attempt.outcome}`)
    .join(', ');
  switch (execution.finish) {
    case 'cancelled':
      return new GatewayError('client_closed_request', 'The caller closed the request.');
    case 'stream_broken':
      return new GatewayError('stream_broken', `The answer broke off while it was being sent (${tried}).`);
    case 'deadline':
      return new GatewayError(
        'deadline_exceeded',
        `No answer inside the deadline${tried === '' ? '' : ` (${tried})`}.`,
      );
    case 'exhausted':
    case 'accepted':
    case 'best_effort':
    case 'cached':
      if (plan.attempts.length === 0) return noEligibleTarget(plan);
      if (execution.attempts.length === 0)
        return new GatewayError('budget_exhausted', "Other requests spent the rest of the route's budget.", {
          retryAfterMs: execution.retryAfterMs ?? RETRY_AFTER_MS,
        });
      if (isInputAtFault(plan, execution))
        return new GatewayError('invalid_input', `Every place that was asked refuses this input (${tried}).`);
      return new GatewayError('chain_exhausted', `Every place in the chain was tried once and failed (${tried}).`, {
        retryAfterMs: execution.retryAfterMs ?? RETRY_AFTER_MS,
      });
  }
}

/** All that could be asked refused it, and none is merely away: the same request would fail again. */
function isInputAtFault(plan: Plan, { attempts }: Execution): boolean {
  return attempts.every(({ reason }) => reason === 'rejected') && !plan.refused.some(({ reason }) => AWAY.has(reason));
}

/** Reasons that pass by themselves. */
const AWAY: ReadonlySet<Refusal['reason']> = new Set([
  'breaker_open',
  'breaker_half_open',
  'concurrency_limit',
  'model_broken',
]);

/** What a canary's request says about the canary. */
export function canaryOutcome({ items, attempts, finish }: Execution): CanaryOutcome {
  if (finish === 'cached' || finish === 'cancelled' || attempts.length === 0) return 'unknown';
  const isWhole = items.every((item) => item !== undefined);
  return isWhole && attempts.every(({ outcome }) => outcome !== 'failed') ? 'well' : 'ill';
}

/** Where nothing tells when a place will be back. */
const RETRY_AFTER_MS = 1_000;

/** Told apart: the caller asked for what cannot be, or the places are not there right now. */
function noEligibleTarget(plan: Plan): GatewayError {
  const why = plan.refused
    .map((refusal) => `${refusal.target}/${refusal.variant}: ${refusal.reason} (${refusal.detail})`)
    .join('; ');
  const passing = plan.refused.some(
    ({ reason }) => AWAY.has(reason) || reason === 'unreachable' || reason === 'disabled',
  );
  const retryAfterMs = plan.retryAfterMs ?? RETRY_AFTER_MS;
  if (!passing && plan.refused.some(({ reason }) => reason === 'budget_spent'))
    return new GatewayError('budget_exhausted', `The route's budget is spent for now: ${why}.`, { retryAfterMs });
  return passing
    ? new GatewayError('target_unavailable', `No place that may answer is available: ${why}.`, { retryAfterMs })
    : new GatewayError(
        'no_eligible_target',
        `No place can meet what the request asks: ${why === '' ? 'no target serves this model' : why}.`,
      );
}

function result(
  actual: Actual,
  answer: Pick<CachedAnswer, 'items' | 'variant' | 'targetUsed'>,
  cache: CacheStatus,
  decision: Decision,
): InferResult {
  return {
    requestId: actual.requestId,
    modelName: actual.modelName,
    variant: answer.variant,
    items: answer.items,
    targetUsed: answer.targetUsed,
    latencyMs: actual.latencyMs,
    costNanos: actual.costNanos,
    cache,
    decision,
  };
}

/** A batch is named after the place of its hardest input: the one answered by the latest attempt. */
function hardestItem(items: readonly AnsweredItem[], attempts: readonly AttemptRecord[]): AnsweredItem {
  for (let index = attempts.length - 1; index >= 0; index -= 1) {
    const attempt = attempts[index];
    const item = items.find(
      (candidate) => candidate.target.id === attempt?.target && candidate.variant === attempt.variant,
    );
    if (item !== undefined) return item;
  }
  const [first] = items;
  if (first === undefined) throw new RangeError('a result has at least one item');
  return first;
}

function reasonOf(plan: Plan, execution: Execution): string {
  const parts = [plan.reason];
  const escalations = execution.attempts.filter((attempt) => attempt.why === 'escalation').length;
  const failures = execution.attempts.filter((attempt) => attempt.outcome === 'failed');
  if (escalations > 0)
    parts.push(`${escalations} escalation${escalations > 1 ? 's' : ''}: the answer before was not confident enough`);
  for (const failure of failures)
    parts.push(`${failure.target} failed (${failure.reason ?? 'unknown'}: ${failure.detail})`);
  if (execution.finish === 'best_effort') parts.push(`best effort: ${execution.detail}`);
  return parts.join('; ');
}

function missedOf(plan: Plan, execution: Execution): Decision['missed'] {
  return execution.finish === 'best_effort' ? [...plan.missed, 'confidence'] : plan.missed;
}
