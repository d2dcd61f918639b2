/**
 * What a decision says: ordered attempts, every refused candidate with its reason, requirements that cannot be met.
 * Owns types only.
 */
import type { BreakerPolicy, TargetKind } from '../schema/config.ts';
import type { BasePolicy } from '../schema/route-policy.ts';

export type RefusalReason =
  | 'disabled'
  | 'unreachable'
  /** By the control plane's probe, and nothing newer says otherwise. */
  | 'reported_down'
  | 'placement_excluded'
  | 'variant_not_pinned'
  | 'breaker_open'
  | 'breaker_half_open'
  | 'concurrency_limit'
  | 'payload_too_large'
  | 'batch_too_large'
  | 'over_budget'
  /** The route's own, which trickles in again. */
  | 'budget_spent'
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
  /** Where it passes by waiting: how long. */
  readonly retryAfterMs?: number;
};

/** A requirement that the plan cannot promise; `confidence`: an answer stayed below what its route accepts. */
export type MissedRequirement =
  | 'latency_requirement'
  | 'min_accuracy'
  | 'max_cost_usd'
  | 'model_complexity'
  | 'confidence';

/**
 * `primary` attempts follow one another when an answer is not good enough, `reserve` attempts only when one failed, and a
 * `hedge` runs beside the attempt it repeats when that one takes long.
 */
export type AttemptRole = 'primary' | 'reserve' | 'hedge';

export type PlannedAttempt = {
  readonly target: string;
  readonly kind: TargetKind;
  readonly region: string;
  readonly variant: string;
  readonly role: AttemptRole;
  /** Answers with at least this calibrated confidence are accepted; 0 accepts any. */
  readonly acceptConfidence: number;
  /** Sent off together with the first attempt, because time would not hold both in sequence. */
  readonly isSpeculative: boolean;
  /** Once it has run so long without a first token, it may be hedged; null: never. */
  readonly hedgeAfterMs: number | null;
  /** Of a hedge: the position of the attempt that it repeats; null for others. */
  readonly hedgeOf: number | null;
  /** Upper bound: the target's own, or all that was left. `next` gives the one to use, with room for what may follow. */
  readonly timeoutMs: number;
  readonly predictedP50Ms: number;
  readonly predictedP95Ms: number;
  /** What must be left for it to finish with the route's deadline probability. */
  readonly neededMs: number;
  /** After it the attempt is as good as lost: where another place would answer as well, that is asked. Infinity: never. */
  readonly patienceMs: number;
  /** Probability of an answer within all that is left. */
  readonly inTimeRatio: number;
  readonly predictedCostNanos: number;
  /** What the place costs now, over the configured price. */
  readonly priceRatio: number;
  /** Share of its answers that will be accepted, as far as can be told. */
  readonly predictedAcceptedRatio: number;
  /** How sure an accepted answer is, as far as can be told. */
  readonly predictedConfidence: number;
  /** Held-out accuracy of the variant. */
  readonly predictedAccuracy: number;
};

export type Prediction = {
  /** Median of the first attempt: most requests end there. */
  readonly latencyMs: number;
  /** Probability that the first attempt answers before the deadline. */
  readonly inTimeRatio: number;
  /** Mean over escalations, the gateway's own cost included. */
  readonly costNanos: number;
  /** Mean over escalations: how sure accepted answers are. */
  readonly accuracy: number;
};

/** The canary that a request tries: its breaker's key, and when that opens. */
export type ChosenCanary = { readonly key: string; readonly stop: BreakerPolicy };

export type Plan = {
  /** With the rule, the arm and whatever else led to it: `rule vip: split b: cheapest`. */
  readonly policy: string;
  /** What it comes down to. */
  readonly policyKind: BasePolicy['kind'];
  readonly canary: ChosenCanary | undefined;
  /** One sentence for people: why this plan. */
  readonly reason: string;
  /** Primary ones first, then reserve, then hedges. Empty where no candidate is eligible; `refused` then says why. */
  readonly attempts: readonly PlannedAttempt[];
  /** Candidates kept out of the primary attempts by a requirement. Those that could still answer stand in reserve as well. */
  readonly refused: readonly Refusal[];
  readonly missed: readonly MissedRequirement[];
  readonly predicted: Prediction;
  /** For the whole request, gateway included: the least of what caller, route and budget allow. */
  readonly maxCostNanos: number | undefined;
  /** Where nothing can answer now: when a place may be back. */
  readonly retryAfterMs: number | undefined;
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

export type RunningAttempt = {
  readonly index: number;
  readonly startedAtMs: number;
  /** Once something of the answer has arrived nobody is asked beside it; undefined while nothing has. */
  readonly firstTokenAtMs?: number | undefined;
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

/** `speculation`: the next step, begun before it was known to be needed. `hedge`: a repetition of one that takes long. */
export type AttemptWhy = 'first' | 'escalation' | 'fallback' | 'speculation' | 'hedge';

export type Next =
  | { readonly kind: 'attempt'; readonly index: number; readonly why: AttemptWhy; readonly timeoutMs: number }
  /** Something runs. Ask again when it ends or, where a time is given, then. */
  | { readonly kind: 'wait'; readonly untilMs: number | undefined }
  | { readonly kind: 'finish'; readonly reason: FinishReason; readonly detail: string };
