/**
 * Runs a plan: the only step that touches the outside. Asks the core whenever something ends or falls due what comes next,
 * sends on only the inputs that still need an answer, and keeps the best answer each input has. Owns running attempts
 * beside one another and cancelling those that come too late; what an attempt leaves behind is attempt-log.ts.
 */
import { isHeldToBudget } from '../../shared/decide/eligible.ts';
import { next } from '../../shared/decide/next.ts';
import type { FinishReason, Next, PlannedAttempt } from '../../shared/decide/plan-types.ts';
import type { AnsweredItem } from '../../shared/schema/infer-result.ts';
import { inputCount, selectInputs } from '../../shared/schema/model-input.ts';
import type { AttemptRecord } from '../../shared/schema/record.ts';
import { traceContext, type Trace } from '../../shared/trace/trace.ts';
import type { Target, TargetCall, TargetResult } from '../ports.ts';
import { alarmAfter } from './alarm.ts';
import { AttemptLog, type Attempt, type LogContext } from './attempt-log.ts';
import { BestAnswers } from './best-answers.ts';
import type { TextListener } from './incoming.ts';
import { Speaker } from './speaker.ts';

export type ExecuteContext = LogContext & {
  readonly requestId: string;
  readonly trace?: Trace | undefined;
  readonly deadlineAtMs: number;
  readonly signal: AbortSignal;
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
  /** The soonest that anything says trying again makes sense; undefined where nothing does. */
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
        if (run.isFirstRemote(step.index)) {
          if (await context.beforeRemote()) return run.end('cached', 'found in the shared cache');
          // Time has passed meanwhile and others have spent, so the core is asked again.
          break;
        }
        run.begin(step);
        break;
    }
  }
}

/** An attempt under way; `settled` when its result is taken in. */
type Running = Attempt & {
  /** Its own end, where attempts may run beside one another. */
  readonly overtaken: AbortController | undefined;
  settled: Promise<void>;
  firstTokenAtMs: number | undefined;
};

class Run {
  readonly #context: ExecuteContext;
  readonly #answers: BestAnswers;
  readonly #log: AttemptLog;
  readonly #running: Running[] = [];
  /** Only then is each told of its own end: it costs a controller. */
  readonly #mayRunBeside: boolean;
  readonly #speaker: Speaker | undefined;
  #remoteBegun = false;
  #begun = 0;

  constructor(context: ExecuteContext) {
    this.#context = context;
    this.#answers = new BestAnswers(inputCount(context.request.input));
    this.#log = new AttemptLog(context);
    this.#speaker = context.onText === undefined ? undefined : new Speaker(context.onText);
    this.#mayRunBeside = context.plan.attempts.some((it) => it.isSpeculative || it.hedgeAfterMs !== null);
    if (this.#mayRunBeside) context.signal.addEventListener('abort', this.#leave);
  }

  readonly #leave = (): void => {
    for (const { overtaken } of this.#running) overtaken?.abort();
  };

  next(): Next {
    const { plan, clock, deadlineAtMs, state, served, request, retryBudget } = this.#context;
    const nowMs = clock.now();
    return next(
      plan,
      this.#log.finished,
      { nowMs, deadlineAtMs },
      {
        running: this.#running,
        isComplete: this.#answers.isComplete,
        budgetNanos: isHeldToBudget(request.requirements) ? state.budgetNanos(served.route, nowMs) : undefined,
        hedgeFill: state.hedgeFill(served.route),
        mayRetry: state.mayRetry(retryBudget),
      },
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
    const outcome = this.#log.finished.find((it) => it.index === index)?.outcome;
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
    const { clock, served, request, requestId, trace, signal, targetOf } = this.#context;
    const planned = this.#planned(index);
    const positions = this.#answers.openPositions();
    const begun = { planned, why, positions, startedAtMs: clock.now(), number: (this.#begun += 1) };
    const target = targetOf(planned.target);
    if (!this.#log.begins(begun, index, target)) return;
    const overtaken = this.#mayRunBeside ? new AbortController() : undefined;
    const running: Running = { ...begun, index, target, overtaken, settled: DONE, firstTokenAtMs: undefined };
    const onText = this.#earOf(running);
    const call: TargetCall = {
      requestId,
      model: served.model,
      variant: planned.variant,
      input: positions.length === this.#answers.count ? request.input : selectInputs(request.input, positions),
      timeoutMs,
      ...traceContext(trace, begun.number),
      ...(onText === undefined ? {} : { onText }),
    };
    this.#running.push(running);
    running.settled = this.#settle(running, call, target.infer(call, overtaken?.signal ?? signal));
  }

  /** Hears an attempt's text: nobody is asked beside one that has begun, and of two only the first to begin speaks. */
  #earOf(running: Running): ((piece: string) => void) | undefined {
    const { index, planned } = running;
    if (this.#speaker === undefined && planned.hedgeAfterMs === null) return undefined;
    const voice = this.#speaker?.voiceOf(index, planned);
    return (piece) => {
      // What has ended says nothing more, even where its last words were under way.
      if (!this.#running.includes(running)) return;
      running.firstTokenAtMs ??= this.#context.clock.now();
      if (voice === undefined) return;
      voice(piece);
      if (this.#running.length > 1) this.#overtakeAllBut(running);
    };
  }

  async #settle(running: Running, call: TargetCall, answer: Promise<TargetResult>): Promise<void> {
    const result = await answer;
    // Overtaken meanwhile, and paid.
    if (!this.#running.includes(running)) return;
    this.#running.splice(this.#running.indexOf(running), 1);
    if (result.kind === 'failed') {
      this.#log.failed(running, result);
      if (result.reason === 'not_ready') this.#context.onNotReady?.(running.target, call, result.retryAfterMs);
      return;
    }
    this.#log.answered(running, result, this.#answers.keep(running.positions, running.planned, result.predictions));
  }

  #overtakeAllBut(winner: Running): void {
    const losers = this.#running.filter((running) => running !== winner);
    for (const loser of losers) this.#overtake(loser, winner.planned.target !== loser.planned.target);
  }

  #overtake(running: Running, byAnother: boolean): void {
    this.#running.splice(this.#running.indexOf(running), 1);
    this.#log.overtaken(running, byAnother);
    running.overtaken?.abort();
  }

  /** Whoever still runs has come too late. */
  end(finish: Execution['finish'], detail: string): Execution {
    const { records } = this.#log;
    const winner = finish === 'accepted' ? records.at(-1)?.target : undefined;
    while (this.#running[0] !== undefined)
      this.#overtake(this.#running[0], winner !== undefined && winner !== this.#running[0].planned.target);
    if (this.#mayRunBeside) this.#context.signal.removeEventListener('abort', this.#leave);
    const { costNanos, retryAfterMs } = this.#log;
    return { items: this.#answers.items(), attempts: records, costNanos, finish, detail, retryAfterMs };
  }

  #planned(index: number): PlannedAttempt {
    const planned = this.#context.plan.attempts[index];
    if (planned === undefined)
      throw new RangeError(`the core asked for attempt ${index}, which the plan does not have`);
    return planned;
  }
}

const DONE = Promise.resolve();
