/**
 * Runs a plan: the only step that touches the outside. Asks the core whenever something ends or falls due what comes next,
 * sends on only the inputs that still need an answer, and keeps the best answer each input has. Owns running attempts
 * beside one another and cancelling those that come too late; what an attempt leaves behind is attempt-log.ts.
 */
import type {
  AttemptWhy,
  FinishedAttempt,
  FinishReason,
  Next,
  Plan,
  PlannedAttempt,
} from '../../shared/decide/plan-types.ts';
import { next } from '../../shared/decide/next.ts';
import type { EarnedPolicy } from '../../shared/resilience/budget.ts';
import type { BreakerPolicy } from '../../shared/schema/config.ts';
import type { InferRequest } from '../../shared/schema/infer-request.ts';
import { inputCount, selectInputs } from '../../shared/schema/model-input.ts';
import type { AnsweredItem } from '../../shared/schema/infer-result.ts';
import type { AttemptRecord } from '../../shared/schema/record.ts';
import type { IsolateState } from '../isolate-state.ts';
import type { Clock, Target, TargetCall, TargetResult } from '../ports.ts';
import {
  BREAKER_OPENED,
  answeredRecord,
  attemptNanos,
  cancelledRecord,
  cpuMsOf,
  failedRecord,
  type Begun,
} from './attempt-record.ts';
import { alarmAfter } from './alarm.ts';
import { BestAnswers } from './best-answers.ts';
import type { Served } from './config-index.ts';
import { traceContext, type Trace } from '../../shared/trace/trace.ts';
import type { TextListener } from './incoming.ts';
import { Speaker } from './speaker.ts';

export type ExecuteContext = {
  readonly requestId: string;
  readonly trace?: Trace | undefined;
  readonly request: InferRequest;
  readonly served: Served;
  readonly plan: Plan;
  readonly deadlineAtMs: number;
  /** What the gateway itself costs is spent already. */
  readonly gatewayCostNanos: number;
  readonly breakerPolicy: BreakerPolicy;
  readonly retryBudget: EarnedPolicy | undefined;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly state: IsolateState;
  readonly targetOf: (id: string) => Target | undefined;
  /** Asked once, before the first attempt that leaves the isolate. A cached answer ends the execution. */
  readonly beforeRemote: () => Promise<boolean>;
  /** A place said that it must start first. */
  readonly onNotReady?: (target: Target, call: TargetCall, retryAfterMs: number | undefined) => void;
  /** Where the caller wants a generated text as it comes. */
  readonly onText?: TextListener | undefined;
};

export type Execution = {
  readonly items: readonly (AnsweredItem | undefined)[];
  readonly attempts: readonly AttemptRecord[];
  readonly costNanos: number;
  /** `stream_broken`: the attempt that had begun to speak failed, and no other may go on in its place. */
  readonly finish: FinishReason | 'cached' | 'cancelled' | 'stream_broken';
  readonly detail: string;
  /** The soonest that a place which failed asked to be tried again; undefined where none did. */
  readonly retryAfterMs: number | undefined;
};

export async function execute(context: ExecuteContext): Promise<Execution> {
  const run = new Run(context);
  for (;;) {
    if (context.signal.aborted) return run.end('cancelled', 'the caller left');
    const speech = run.speech();
    if (speech !== undefined) return run.afterSpeech(await speech);
    const step = run.next();
    switch (step.kind) {
      case 'finish':
        return run.end(step.reason, step.detail);
      case 'wait':
        await run.wait(step.untilMs);
        break;
      case 'attempt':
        if (run.isFirstRemote(step.index) && (await context.beforeRemote()))
          return run.end('cached', 'found in the shared cache');
        run.begin(step);
        break;
    }
  }
}

/** An attempt under way; `settled` when its result is taken in. */
type Running = Begun & { readonly index: number; readonly target: Target; settled: Promise<void> };

class Run {
  readonly #context: ExecuteContext;
  readonly #answers: BestAnswers;
  readonly #running: Running[] = [];
  readonly #finished: FinishedAttempt[] = [];
  readonly #attempts: AttemptRecord[] = [];
  /** Only where attempts may run beside one another: one that loses is told so. */
  readonly #losers: AbortController | undefined;
  readonly #speaker: Speaker | undefined;
  #costNanos: number;
  #retryAfterMs: number | undefined;
  #remoteBegun = false;
  #begun = 0;
  #isOver = false;

  constructor(context: ExecuteContext) {
    this.#context = context;
    this.#answers = new BestAnswers(inputCount(context.request.input));
    this.#costNanos = context.gatewayCostNanos;
    this.#speaker = context.onText === undefined ? undefined : new Speaker(context.onText);
    if (context.plan.attempts.some((it) => it.isSpeculative || it.hedgeAfterMs !== null)) {
      this.#losers = new AbortController();
      context.signal.addEventListener('abort', this.#leave);
    }
  }

  readonly #leave = (): void => this.#losers?.abort();

  next(): Next {
    const { plan, clock, deadlineAtMs, state, served, retryBudget } = this.#context;
    return next(
      plan,
      this.#finished,
      { nowMs: clock.now(), deadlineAtMs },
      { running: this.#running, hedgeFill: state.hedgeFill(served.route), mayRetry: state.mayRetry(retryBudget) },
    );
  }

  /** Resolves with its index when the attempt that speaks has ended; undefined while nobody has begun to. */
  speech(): Promise<number> | undefined {
    const index = this.#speaker?.index;
    if (index === undefined) return undefined;
    const running = this.#running.find((it) => it.index === index);
    return (running?.settled ?? DONE).then(() => index);
  }

  afterSpeech(index: number): Execution {
    const outcome = this.#finished.find((it) => it.index === index)?.outcome;
    if (this.#context.signal.aborted) return this.end('cancelled', 'the caller left');
    return outcome?.kind === 'answered'
      ? this.end('accepted', 'the text is complete')
      : this.end('stream_broken', 'the text broke off');
  }

  isFirstRemote(index: number): boolean {
    if (this.#remoteBegun || this.#planned(index).kind === 'edge') return false;
    this.#remoteBegun = true;
    return true;
  }

  /** Until an attempt ends or, where a time is given, until then. */
  async wait(untilMs: number | undefined): Promise<void> {
    const [only, another] = this.#running;
    if (only === undefined) return;
    if (untilMs === undefined && another === undefined) return only.settled;
    const settled = this.#running.map((running) => running.settled);
    if (untilMs === undefined) return Promise.race(settled);
    const due = alarmAfter(Math.max(0, untilMs - this.#context.clock.now()));
    await Promise.race([...settled, due.rung]);
    due.cancel();
  }

  begin({ index, why, timeoutMs }: Extract<Next, { kind: 'attempt' }>): void {
    const { clock, state, breakerPolicy, served, request, requestId, trace, signal, targetOf } = this.#context;
    const planned = this.#planned(index);
    const positions = this.#answers.openPositions();
    const begun: Begun = { planned, why, positions, startedAtMs: clock.now(), number: (this.#begun += 1) };
    const target = targetOf(planned.target);
    if (target === undefined || !state.attemptStarted(planned.target, begun.startedAtMs, breakerPolicy)) {
      this.#finished.push({ index, outcome: { kind: 'failed', reason: 'connect_failed' }, costNanos: 0 });
      this.#attempts.push(failedRecord(begun, BREAKER_OPENED, 0, 0));
      return;
    }
    this.#count(planned, why);
    const call: TargetCall = {
      requestId,
      model: served.model,
      variant: planned.variant,
      input: positions.length === this.#answers.count ? request.input : selectInputs(request.input, positions),
      timeoutMs,
      ...traceContext(trace, begun.number),
      ...(this.#speaker === undefined ? {} : { onText: this.#speaker.voiceOf(index, planned) }),
    };
    const running: Running = { ...begun, index, target, settled: DONE };
    this.#running.push(running);
    running.settled = this.#settle(running, call, target.infer(call, this.#losers?.signal ?? signal));
  }

  async #settle(running: Running, call: TargetCall, answer: Promise<TargetResult>): Promise<void> {
    const result = await answer;
    if (this.#isOver) return;
    this.#running.splice(this.#running.indexOf(running), 1);
    this.#takeIn(running, call, result);
  }

  /** Whoever still runs has come too late: told so, and paid. */
  end(finish: Execution['finish'], detail: string): Execution {
    const { clock, state, breakerPolicy, served, signal } = this.#context;
    this.#isOver = true;
    const nowMs = clock.now();
    const winner = finish === 'accepted' ? this.#attempts.at(-1)?.target : undefined;
    for (const running of this.#running) {
      const { planned, target, positions, startedAtMs } = running;
      const modelAndVariant = `${served.model.name}/${planned.variant}`;
      const ranMs = nowMs - startedAtMs;
      const byAnother = winner !== undefined && winner !== planned.target;
      state.attemptOvertaken(
        { target: target.spec, modelAndVariant, ranMs, items: positions.length, byAnother },
        nowMs,
        breakerPolicy,
      );
      this.#costNanos += planned.predictedCostNanos;
      this.#attempts.push(cancelledRecord(running, ranMs));
    }
    if (this.#losers !== undefined) {
      signal.removeEventListener('abort', this.#leave);
      if (this.#running.length > 0) this.#losers.abort();
    }
    return {
      items: this.#answers.items(),
      attempts: this.#attempts,
      costNanos: this.#costNanos,
      finish,
      detail,
      retryAfterMs: this.#retryAfterMs,
    };
  }

  #takeIn(running: Running, call: TargetCall, result: TargetResult): void {
    const { clock, state, breakerPolicy, served, request, onNotReady } = this.#context;
    const { planned, target, positions, startedAtMs, index } = running;
    const nowMs = clock.now();
    const latencyMs = Math.max(0, nowMs - startedAtMs);
    // A place that failed late may have billed all the same; what it says it spent, or else the time we waited.
    const costNanos = attemptNanos(running, target.spec, served.model.name, result.computeMs, latencyMs);
    this.#costNanos += costNanos;
    state.spent(served.route, costNanos - planned.predictedCostNanos, nowMs);
    if (result.kind === 'failed') {
      state.attemptFailed(target.spec, result.reason, nowMs, breakerPolicy);
      this.#finished.push({ index, outcome: { kind: 'failed', reason: result.reason }, costNanos });
      this.#attempts.push(failedRecord(running, result, latencyMs, costNanos));
      if (result.retryAfterMs !== undefined)
        this.#retryAfterMs = Math.min(this.#retryAfterMs ?? Infinity, result.retryAfterMs);
      if (result.reason === 'not_ready') onNotReady?.(target, call, result.retryAfterMs);
      return;
    }
    const { leastConfidence, acceptedItems, confidenceSum } = this.#answers.keep(
      positions,
      planned,
      result.predictions,
    );
    const { computeMs } = result;
    const items = positions.length;
    const isTelling = planned.acceptConfidence > 0 && request.requirements.minAccuracy === undefined;
    state.attemptAnswered(
      {
        target: target.spec,
        modelAndVariant: `${served.model.name}/${planned.variant}`,
        latencyMs,
        computeMs,
        cpuMs: planned.kind === 'edge' ? cpuMsOf(target.spec, served.model.name, planned.variant) * items : 0,
        items,
        accepted: isTelling ? { items: acceptedItems, confidenceSum } : undefined,
      },
      nowMs,
      breakerPolicy,
    );
    this.#finished.push({ index, outcome: { kind: 'answered', leastConfidence }, costNanos });
    this.#attempts.push(answeredRecord(running, acceptedItems, leastConfidence, latencyMs, computeMs, costNanos));
  }

  /** Spent when it begins, settled when it ends: two requests must not pay with the same money. */
  #count(planned: PlannedAttempt, why: AttemptWhy): void {
    const { state, served, retryBudget, clock } = this.#context;
    state.spent(served.route, planned.predictedCostNanos, clock.now());
    if (planned.kind === 'edge') return;
    if (why === 'hedge') state.hedged(served.route);
    else state.remoteStarted(served.route, retryBudget);
    if (why === 'fallback') state.retried(retryBudget);
  }

  #planned(index: number): PlannedAttempt {
    const planned = this.#context.plan.attempts[index];
    if (planned === undefined)
      throw new RangeError(`the core asked for attempt ${index}, which the plan does not have`);
    return planned;
  }
}

const DONE = Promise.resolve();
