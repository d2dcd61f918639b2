/**
 * The internal result every protocol renders from: answers, place, cost, and the decision behind them.
 * Owns types only. Costs are integer nano-dollars, times milliseconds.
 */
import type { MissedRequirement, PlannedAttempt, Prediction as PlanPrediction, Refusal } from '../decide/plan-types.ts';
import type { TargetKind } from './config.ts';
import type { Prediction } from './prediction.ts';
import type { AttemptRecord, CacheStatus } from './record.ts';

export type TargetUsed = { readonly kind: TargetKind; readonly id: string; readonly region: string };

/** In a batch, each input may have been answered by another variant at another place. */
export type AnsweredItem = {
  readonly prediction: Prediction;
  readonly variant: string;
  readonly target: TargetUsed;
  /** The confidence reached what the plan asked for. */
  readonly accepted: boolean;
};

type Explanation = {
  readonly planned: readonly PlannedAttempt[];
  readonly refused: readonly Refusal[];
  /** The same in sentences. */
  readonly sentences: readonly string[];
};

export type Decision = {
  /** The place that gave the answer, or the last one tried. */
  readonly targetSelected: TargetUsed | null;
  readonly fallbackChain: readonly AttemptRecord[];
  readonly policy: string;
  readonly reason: string;
  readonly missed: readonly MissedRequirement[];
  readonly predicted: PlanPrediction | null;
  readonly actual: { readonly latencyMs: number; readonly costNanos: number };
  readonly cloudOnlyCostNanos: number;
  readonly configVersion: string;
  /** Only where the caller asked for an explanation. */
  readonly explanation: Explanation | null;
};

export type InferResult = {
  readonly requestId: string;
  readonly modelName: string;
  readonly variant: string;
  readonly items: readonly AnsweredItem[];
  readonly targetUsed: TargetUsed;
  readonly latencyMs: number;
  readonly costNanos: number;
  readonly cache: CacheStatus;
  readonly decision: Decision;
};
