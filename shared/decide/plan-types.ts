/**
 * What a decision says: ordered attempts, every refused candidate with its reason, requirements that cannot be met.
 * Owns types only.
 */
import type { TargetKind } from '../schema/config.ts';

export type RefusalReason =
  | 'disabled'
  | 'unreachable'
  | 'placement_excluded'
  | 'variant_not_pinned'
  | 'breaker_open'
  | 'breaker_half_open'
  | 'concurrency_limit'
  | 'payload_too_large'
  | 'batch_too_large'
  | 'over_budget'
  /** Its weights could not be loaded, and it is too early to try again. */
  | 'model_broken'
  | 'below_min_accuracy'
  | 'too_slow'
  | 'complexity_skips'
  /** The agreement guarantee accepts none of its answers. */
  | 'shortcut_off'
  | 'not_in_policy';

export type Refusal = {
  readonly target: string;
  readonly kind: TargetKind;
  readonly variant: string;
  readonly reason: RefusalReason;
  /** For people, with the numbers: "p95 120 ms, 80 ms left". */
  readonly detail: string;
};

/** A requirement that the plan cannot promise; `confidence`: an answer stayed below what its route accepts. */
export type MissedRequirement =
  | 'latency_requirement'
  | 'min_accuracy'
  | 'max_cost_usd'
  | 'model_complexity'
  | 'confidence';

/** `primary` attempts follow one another when an answer is not good enough; `reserve` attempts only when one failed. */
export type AttemptRole = 'primary' | 'reserve';

export type PlannedAttempt = {
  readonly target: string;
  readonly kind: TargetKind;
  readonly region: string;
  readonly variant: string;
  readonly role: AttemptRole;
  /** Answers with at least this calibrated confidence are accepted; 0 accepts any. */
  readonly acceptConfidence: number;
  /** Upper bound: the target's own, or all that was left. `next` gives the one to use, with room for what may follow. */
  readonly timeoutMs: number;
  readonly predictedP50Ms: number;
  readonly predictedP95Ms: number;
  /** What must be left for it to finish with the route's deadline probability. */
  readonly neededMs: number;
  readonly predictedCostNanos: number;
  readonly predictedAccuracy: number;
};

export type Prediction = {
  readonly latencyMs: number;
  readonly costNanos: number;
  readonly accuracy: number;
};

export type Plan = {
  readonly policy: string;
  /** One sentence for people: why this plan. */
  readonly reason: string;
  /** Primary ones first. Empty where no candidate is eligible; `refused` then says why. */
  readonly attempts: readonly PlannedAttempt[];
  /** Candidates kept out of the primary attempts by a requirement. Those that could still answer stand in reserve as well. */
  readonly refused: readonly Refusal[];
  readonly missed: readonly MissedRequirement[];
  /** Of the first attempt; cost with the gateway's own. */
  readonly predicted: Prediction;
  /** The gateway's own share of every request's cost. */
  readonly gatewayCostNanos: number;
  /** What the reference variant would cost for the same request, gateway included. */
  readonly cloudOnlyCostNanos: number;
};

/** Why an attempt failed, as far as the gateway can tell. */
export type FailureReason =
  | 'timeout'
  | 'connect_failed'
  | 'cut'
  | 'garbage'
  | 'throttled'
  | 'not_ready'
  | 'upstream_error'
  | 'rejected'
  | 'credentials'
  | 'model_broken'
  | 'cancelled';

export type AttemptOutcome =
  | {
      readonly kind: 'answered';
      /** Least confidence over the items of the attempt. */ readonly leastConfidence: number;
    }
  | { readonly kind: 'failed'; readonly reason: FailureReason };

export type FinishedAttempt = {
  /** Position in `plan.attempts`. */
  readonly index: number;
  readonly outcome: AttemptOutcome;
  readonly costNanos: number;
};

export type FinishReason =
  /** Every item has an accepted answer. */
  | 'accepted'
  /** Some item has only an answer below its threshold; nothing better was left. */
  | 'best_effort'
  /** No answer at all: every attempt failed. */
  | 'exhausted'
  /** No answer at all: the deadline passed first. */
  | 'deadline';

export type Next =
  | {
      readonly kind: 'attempt';
      readonly index: number;
      readonly why: 'first' | 'escalation' | 'fallback';
      readonly timeoutMs: number;
    }
  | { readonly kind: 'finish'; readonly reason: FinishReason; readonly detail: string };
