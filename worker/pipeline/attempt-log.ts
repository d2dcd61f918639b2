/**
 * What the attempts of one request leave behind: their records, what they cost, what the isolate learns of places and
 * budgets. Owns settling each attempt once, however it ended; running them is execute.ts, wording attempt-record.ts.
 */
import type { AttemptWhy, FinishedAttempt, Plan, PlannedAttempt } from '../../shared/decide/plan-types.ts';
import type { EarnedPolicy } from '../../shared/resilience/budget.ts';
import type { BreakerPolicy } from '../../shared/schema/config.ts';
import type { InferRequest } from '../../shared/schema/infer-request.ts';
import type { AttemptRecord } from '../../shared/schema/record.ts';
import type { IsolateState } from '../isolate-state.ts';
import type { Clock, Target, TargetResult } from '../ports.ts';
import {
  answeredRecord,
  attemptNanos,
  BREAKER_OPENED,
  cancelledRecord,
  cpuMsOf,
  failedRecord,
  FILLED_UP,
  isLost,
  type Begun,
} from './attempt-record.ts';
import type { Kept } from './best-answers.ts';
import type { Served } from './config-index.ts';

export type LogContext = {
  readonly request: InferRequest;
  readonly served: Served;
  readonly plan: Plan;
  /** What the gateway itself costs is spent already. */
  readonly gatewayCostNanos: number;
  readonly breakerPolicy: BreakerPolicy;
  readonly retryBudget: EarnedPolicy | undefined;
  readonly clock: Clock;
  readonly state: IsolateState;
};

/** An attempt that runs at its place. */
export type Attempt = Begun & { readonly index: number; readonly target: Target };

type Answered = Extract<TargetResult, { kind: 'answered' }>;
type Failed = Extract<TargetResult, { kind: 'failed' }>;

export class AttemptLog {
  readonly #context: LogContext;
  readonly finished: FinishedAttempt[] = [];
  readonly records: AttemptRecord[] = [];
  #costNanos: number;
  #retryAfterMs: number | undefined;

  constructor(context: LogContext) {
    this.#context = context;
    this.#costNanos = context.gatewayCostNanos;
  }

  get costNanos(): number {
    return this.#costNanos;
  }

  /** The soonest that anything says trying again makes sense; undefined where nothing does. */
  get retryAfterMs(): number | undefined {
    return this.#retryAfterMs ?? (this.records.length === 0 ? this.#moneyBackInMs() : undefined);
  }

  /** Whether it may run now. Where not it is over, and has cost nothing. */
  begins(begun: Begun, index: number, target: Target | undefined): target is Target {
    const { state, breakerPolicy } = this.#context;
    const start =
      target === undefined ? 'breaker_open' : state.attemptStarted(target.spec, begun.startedAtMs, breakerPolicy);
    if (start === 'started') {
      this.#spend(begun.planned, begun.why);
      return true;
    }
    const turnedAway = start === 'full' ? FILLED_UP : BREAKER_OPENED;
    this.finished.push({ index, outcome: { kind: 'failed', reason: turnedAway.reason }, costNanos: 0 });
    this.records.push(failedRecord(begun, turnedAway, 0, 0));
    return false;
  }

  /** It has come too late, and is paid all the same. */
  overtaken(attempt: Attempt, byAnother: boolean): void {
    const { clock, state, breakerPolicy } = this.#context;
    const { planned, target, positions, startedAtMs } = attempt;
    const nowMs = clock.now();
    const ranMs = nowMs - startedAtMs;
    const modelAndVariant = this.#modelAndVariant(planned);
    const overtaken = { target: target.spec, modelAndVariant, ranMs, items: positions.length, byAnother };
    state.attemptOvertaken(overtaken, nowMs, breakerPolicy);
    this.#costNanos += planned.predictedCostNanos;
    this.records.push(cancelledRecord(attempt, ranMs));
  }

  failed(attempt: Attempt, result: Failed): void {
    const { clock, state, breakerPolicy } = this.#context;
    const { planned, target, positions, startedAtMs, index } = attempt;
    const nowMs = clock.now();
    const latencyMs = Math.max(0, nowMs - startedAtMs);
    const costNanos = this.#settle(attempt, result, latencyMs, nowMs);
    state.attemptFailed(target.spec, result.reason, startedAtMs, nowMs, breakerPolicy);
    if (isLost(planned, result.reason, latencyMs))
      state.attemptLost(target.spec, this.#modelAndVariant(planned), planned.patienceMs, positions.length, nowMs);
    this.finished.push({ index, outcome: { kind: 'failed', reason: result.reason }, costNanos });
    this.records.push(failedRecord(attempt, result, latencyMs, costNanos));
    if (result.retryAfterMs !== undefined)
      this.#retryAfterMs = Math.min(this.#retryAfterMs ?? Infinity, result.retryAfterMs);
  }

  answered(attempt: Attempt, result: Answered, { leastConfidence, acceptedItems, confidenceSum }: Kept): void {
    const { clock, state, breakerPolicy, served, request } = this.#context;
    const { planned, target, positions, startedAtMs, index } = attempt;
    const { computeMs } = result;
    const nowMs = clock.now();
    const latencyMs = Math.max(0, nowMs - startedAtMs);
    const costNanos = this.#settle(attempt, result, latencyMs, nowMs);
    const items = positions.length;
    const isTelling = planned.acceptConfidence > 0 && request.requirements.minAccuracy === undefined;
    state.attemptAnswered(
      {
        target: target.spec,
        modelAndVariant: this.#modelAndVariant(planned),
        latencyMs,
        computeMs,
        cpuMs: planned.kind === 'edge' ? cpuMsOf(target.spec, served.model.name, planned.variant) * items : 0,
        items,
        accepted: isTelling ? { items: acceptedItems, confidenceSum } : undefined,
      },
      nowMs,
      breakerPolicy,
    );
    this.finished.push({ index, outcome: { kind: 'answered', leastConfidence }, costNanos });
    this.records.push(answeredRecord(attempt, acceptedItems, leastConfidence, latencyMs, computeMs, costNanos));
  }

  /** Spent when it begins, settled when it ends: two requests must not pay with the same money. */
  #spend(planned: PlannedAttempt, why: AttemptWhy): void {
    const { state, served, retryBudget, clock } = this.#context;
    state.spent(served.route, planned.predictedCostNanos, clock.now());
    if (planned.kind === 'edge') return;
    if (why === 'hedge') state.hedged(served.route);
    else state.remoteStarted(served.route, retryBudget);
    if (why === 'fallback') state.retried(retryBudget);
  }

  /** A place that failed late may have billed all the same; what it says it spent, or else the time we waited. */
  #settle(attempt: Attempt, result: TargetResult, latencyMs: number, nowMs: number): number {
    const { served, state } = this.#context;
    const costNanos = attemptNanos(attempt, attempt.target.spec, served.model.name, result.computeMs, latencyMs);
    this.#costNanos += costNanos;
    state.spent(served.route, costNanos - attempt.planned.predictedCostNanos, nowMs);
    return costNanos;
  }

  /** Where others have spent the money before anything was asked: until the route's budget pays for an attempt again. */
  #moneyBackInMs(): number | undefined {
    const { plan, state, served, clock } = this.#context;
    const leastNanos = plan.attempts.reduce((least, it) => Math.min(least, it.predictedCostNanos), Infinity);
    return state.budgetHoldsInMs(served.route, leastNanos + plan.gatewayCostNanos, clock.now());
  }

  #modelAndVariant({ variant }: PlannedAttempt): string {
    return `${this.#context.served.model.name}/${variant}`;
  }
}
