/**
 * Runs a plan: the only step that touches the outside. Asks the core after every attempt what comes next, sends on only
 * the inputs that still need an answer, and keeps the best answer each input has.
 */
import type { FinishedAttempt, FinishReason, Next, Plan, PlannedAttempt } from '../../shared/decide/plan-types.ts';
import { next } from '../../shared/decide/next.ts';
import { attemptCostNanos } from '../../shared/measure/pricing.ts';
import type { BreakerPolicy, TargetSpec } from '../../shared/schema/config.ts';
import type { InferRequest } from '../../shared/schema/infer-request.ts';
import { inputCount, selectInputs } from '../../shared/schema/model-input.ts';
import type { AnsweredItem } from '../../shared/schema/infer-result.ts';
import type { Prediction } from '../../shared/schema/prediction.ts';
import type { AttemptRecord } from '../../shared/schema/record.ts';
import type { IsolateState } from '../isolate-state.ts';
import type { Clock, Target, TargetResult } from '../ports.ts';
import type { Served } from './config-index.ts';

export type ExecuteContext = {
  readonly requestId: string;
  readonly request: InferRequest;
  readonly served: Served;
  readonly plan: Plan;
  readonly deadlineAtMs: number;
  /** What the gateway itself costs is spent already. */
  readonly gatewayCostNanos: number;
  readonly breakerPolicy: BreakerPolicy;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly state: IsolateState;
  readonly targetOf: (id: string) => Target | undefined;
  /** Asked once, before the first attempt that leaves the isolate. A cached answer ends the execution. */
  readonly beforeRemote: () => Promise<boolean>;
};

export type Execution = {
  readonly items: readonly (AnsweredItem | undefined)[];
  readonly attempts: readonly AttemptRecord[];
  readonly costNanos: number;
  readonly finish: FinishReason | 'cached' | 'cancelled';
  readonly detail: string;
};

export async function execute(context: ExecuteContext): Promise<Execution> {
  const run = new Run(context);
  for (;;) {
    if (context.signal.aborted) return run.end('cancelled', 'the caller left');
    const step = run.next();
    if (step.kind === 'finish') return run.end(step.reason, step.detail);
    if (run.isFirstRemote(step.index) && (await context.beforeRemote()))
      return run.end('cached', 'found in the shared cache');
    await run.attempt(step);
  }
}

class Run {
  readonly #context: ExecuteContext;
  readonly #items: (AnsweredItem | undefined)[];
  readonly #finished: FinishedAttempt[] = [];
  readonly #attempts: AttemptRecord[] = [];
  #costNanos: number;
  #remoteBegun = false;

  constructor(context: ExecuteContext) {
    this.#context = context;
    this.#items = Array.from({ length: inputCount(context.request.input) }, () => undefined);
    this.#costNanos = context.gatewayCostNanos;
  }

  next(): Next {
    const { plan, clock, deadlineAtMs, request } = this.#context;
    return next(
      plan,
      this.#finished,
      { nowMs: clock.now(), deadlineAtMs },
      { maxCostNanos: request.requirements.maxCostNanos },
    );
  }

  isFirstRemote(index: number): boolean {
    if (this.#remoteBegun || this.#planned(index).kind === 'edge') return false;
    this.#remoteBegun = true;
    return true;
  }

  async attempt(step: Extract<Next, { kind: 'attempt' }>): Promise<void> {
    const { clock, state, breakerPolicy, served, request, requestId, signal, targetOf } = this.#context;
    const planned = this.#planned(step.index);
    const positions = this.#openPositions();
    const startedAtMs = clock.now();
    const target = targetOf(planned.target);
    if (target === undefined || !state.attemptStarted(planned.target, startedAtMs, breakerPolicy)) {
      this.#failed(step, planned, positions.length, 0, {
        kind: 'failed',
        reason: 'connect_failed',
        detail: 'its breaker opened after the plan was made',
        computeMs: 0,
      });
      return;
    }
    const result = await target.infer(
      {
        requestId,
        model: served.model,
        variant: planned.variant,
        input: positions.length === this.#items.length ? request.input : selectInputs(request.input, positions),
        timeoutMs: step.timeoutMs,
      },
      signal,
    );
    const endedAtMs = clock.now();
    const latencyMs = Math.max(0, endedAtMs - startedAtMs);
    if (result.kind === 'answered') {
      const modelAndVariant = `${served.model.name}/${planned.variant}`;
      const { target: id, kind } = planned;
      state.attemptAnswered(
        { target: id, kind, modelAndVariant, latencyMs, computeMs: result.computeMs, items: positions.length },
        endedAtMs,
        breakerPolicy,
      );
      this.#answered(step, planned, positions, latencyMs, result);
    } else {
      state.attemptFailed(planned.target, result.reason, endedAtMs, breakerPolicy);
      this.#failed(step, planned, positions.length, latencyMs, result);
    }
  }

  end(finish: Execution['finish'], detail: string): Execution {
    return { items: this.#items, attempts: this.#attempts, costNanos: this.#costNanos, finish, detail };
  }

  #answered(
    step: Extract<Next, { kind: 'attempt' }>,
    planned: PlannedAttempt,
    positions: readonly number[],
    latencyMs: number,
    result: Extract<TargetResult, { kind: 'answered' }>,
  ): void {
    let least = 1;
    let acceptedItems = 0;
    positions.forEach((position, index) => {
      const prediction = result.predictions[index];
      if (prediction === undefined) return;
      const accepted = prediction.confidence >= planned.acceptConfidence;
      if (accepted) acceptedItems += 1;
      least = Math.min(least, prediction.confidence);
      this.#keep(position, prediction, planned, accepted);
    });
    const costNanos = this.#charge(planned, result.computeMs, latencyMs, positions.length);
    const all = acceptedItems === positions.length;
    this.#finished.push({ index: step.index, outcome: { kind: 'answered', leastConfidence: least }, costNanos });
    this.#attempts.push({
      ...this.#place(planned, step),
      outcome: all ? 'accepted' : acceptedItems > 0 ? 'partly_accepted' : 'low_confidence',
      reason: null,
      detail: `${acceptedItems} of ${positions.length} at or above confidence ${planned.acceptConfidence}, least ${least.toFixed(3)}`,
      items: positions.length,
      acceptedItems,
      latencyMs,
      computeMs: result.computeMs,
      costNanos,
    });
  }

  #failed(
    step: Extract<Next, { kind: 'attempt' }>,
    planned: PlannedAttempt,
    items: number,
    latencyMs: number,
    result: Extract<TargetResult, { kind: 'failed' }>,
  ): void {
    // A place that failed late may have billed all the same; what it says it spent, or else the time we waited.
    const costNanos = this.#charge(planned, result.computeMs, latencyMs, items);
    this.#finished.push({ index: step.index, outcome: { kind: 'failed', reason: result.reason }, costNanos });
    this.#attempts.push({
      ...this.#place(planned, step),
      outcome: 'failed',
      reason: result.reason,
      detail: result.detail,
      items,
      acceptedItems: 0,
      latencyMs,
      computeMs: result.computeMs,
      costNanos,
    });
  }

  /** A later, better variant's answer replaces an earlier one that was not accepted, even below its own threshold. */
  #keep(position: number, prediction: Prediction, planned: PlannedAttempt, accepted: boolean): void {
    this.#items[position] = {
      prediction,
      variant: planned.variant,
      target: { kind: planned.kind, id: planned.target, region: planned.region },
      accepted,
    };
  }

  #openPositions(): number[] {
    return this.#items.flatMap((item, position) => (item?.accepted === true ? [] : [position]));
  }

  #charge(planned: PlannedAttempt, computeMs: number | null, latencyMs: number, items: number): number {
    const spec = this.#context.targetOf(planned.target)?.spec;
    if (spec === undefined) return 0;
    const busyMs =
      computeMs ?? (spec.price.kind === 'edge_cpu' ? this.#cpuMs(spec, planned.variant) * items : latencyMs);
    const costNanos = attemptCostNanos(spec.price, busyMs);
    this.#costNanos += costNanos;
    return costNanos;
  }

  /** Of one input in the isolate, where the clock stands still while it is worked on: as measured beforehand. */
  #cpuMs({ price, serves }: TargetSpec, variant: string): number {
    const model = this.#context.served.model.name;
    const served = serves.find((it) => it.model === model && it.variant === variant);
    return (price.kind === 'edge_cpu' ? price.cpu_ms_per_item : 0) + (served?.compute_prior_ms ?? 0);
  }

  #planned(index: number): PlannedAttempt {
    const planned = this.#context.plan.attempts[index];
    if (planned === undefined)
      throw new RangeError(`the core asked for attempt ${index}, which the plan does not have`);
    return planned;
  }

  #place(planned: PlannedAttempt, step: Extract<Next, { kind: 'attempt' }>) {
    return {
      target: planned.target,
      kind: planned.kind,
      region: planned.region,
      variant: planned.variant,
      why: step.why,
    } as const;
  }
}
