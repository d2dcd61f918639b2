/**
 * What one attempt came to, as the record and the answer show it, and what it cost. Owns the wording; holds no input.
 */
import type { AttemptWhy, FailureReason, PlannedAttempt } from '../../shared/decide/plan-types.ts';
import { attemptCostNanos } from '../../shared/measure/pricing.ts';
import type { TargetSpec } from '../../shared/schema/config.ts';
import type { AttemptRecord } from '../../shared/schema/record.ts';
import type { TargetResult } from '../ports.ts';

export type Begun = {
  readonly planned: PlannedAttempt;
  readonly why: AttemptWhy;
  /** Inputs it was sent. */
  readonly positions: readonly number[];
  readonly startedAtMs: number;
  /** In the order begun, from 1. */
  readonly number: number;
};

/** A place that does not say how long it was busy is billed for the time we waited. */
export function attemptNanos(
  { planned, positions }: Pick<Begun, 'planned' | 'positions'>,
  spec: TargetSpec,
  modelName: string,
  computeMs: number | null,
  latencyMs: number,
): number {
  const { price } = spec;
  const ownMs = price.kind === 'edge_cpu' ? cpuMsOf(spec, modelName, planned.variant) * positions.length : latencyMs;
  return Math.round(planned.priceRatio * attemptCostNanos(price, computeMs ?? ownMs));
}

/** Of one input in the isolate, where the clock stands still while it is worked on: as measured beforehand. */
export function cpuMsOf({ price, serves }: TargetSpec, modelName: string, variant: string): number {
  const served = serves.find((it) => it.model === modelName && it.variant === variant);
  return (price.kind === 'edge_cpu' ? price.cpu_ms_per_item : 0) + (served?.compute_prior_ms ?? 0);
}

/** Waited for as long as anybody would. Timers may fire a little early. */
export function isLost({ patienceMs }: PlannedAttempt, reason: FailureReason, ranMs: number): boolean {
  return reason === 'timeout' && ranMs >= 0.95 * patienceMs;
}

export function answeredRecord(
  begun: Begun,
  acceptedItems: number,
  leastConfidence: number,
  latencyMs: number,
  computeMs: number | null,
  costNanos: number,
): AttemptRecord {
  const items = begun.positions.length;
  return {
    ...placeOf(begun),
    outcome: acceptedItems === items ? 'accepted' : acceptedItems > 0 ? 'partly_accepted' : 'low_confidence',
    reason: null,
    detail: `${acceptedItems} of ${items} at or above confidence ${begun.planned.acceptConfidence}, least ${leastConfidence.toFixed(3)}`,
    items,
    acceptedItems,
    latencyMs,
    computeMs,
    costNanos,
  };
}

export function failedRecord(
  begun: Begun,
  result: Extract<TargetResult, { kind: 'failed' }>,
  latencyMs: number,
  costNanos: number,
): AttemptRecord {
  return {
    ...placeOf(begun),
    outcome: 'failed',
    reason: result.reason,
    detail: result.detail,
    items: begun.positions.length,
    acceptedItems: 0,
    latencyMs,
    computeMs: result.computeMs,
    costNanos,
  };
}

/** It is paid as predicted: the place goes on computing for a while, and does not say for how long. */
export function cancelledRecord(begun: Begun, latencyMs: number): AttemptRecord {
  return {
    ...placeOf(begun),
    outcome: 'cancelled',
    reason: 'cancelled',
    detail: 'another attempt answered first',
    items: begun.positions.length,
    acceptedItems: 0,
    latencyMs: Math.max(0, latencyMs),
    computeMs: null,
    costNanos: begun.planned.predictedCostNanos,
  };
}

function placeOf({
  planned,
  why,
  number,
  startedAtMs,
}: Begun): Pick<AttemptRecord, 'target' | 'kind' | 'region' | 'variant' | 'why' | 'number' | 'startedAtMs'> {
  const { target, kind, region, variant } = planned;
  return { target, kind, region, variant, why, number, startedAtMs };
}

export const BREAKER_OPENED = {
  kind: 'failed',
  reason: 'connect_failed',
  detail: 'its breaker opened after the plan was made',
  computeMs: 0,
} as const;

export const FILLED_UP = {
  kind: 'failed',
  reason: 'throttled',
  detail: 'as many run there as its configuration allows',
  computeMs: 0,
} as const;
