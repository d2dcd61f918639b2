/**
 * Replays one workload under one strategy: a discrete-event loop around the product's own `next`, breakers, budgets and
 * latency sketches, one isolate a point of presence. Does in simulated time what worker/pipeline/execute.ts does in real
 * time. Owns time, and who waits for what; chooses nothing itself.
 */
import { next } from '../../shared/decide/next.ts';
import type { AttemptWhy, Next, PlannedAttempt } from '../../shared/decide/plan-types.ts';
import type { Coordinates } from '../../shared/measure/distance.ts';
import type { Config } from '../../shared/schema/config.ts';
import { IsolateState } from '../../worker/isolate-state.ts';
import { attemptNanos, cpuMsOf, isLost } from '../../worker/pipeline/attempt-record.ts';
import type { Answers } from './answers.ts';
import { EventQueue } from './event-queue.ts';
import type { Event, Flight, Running } from './flight.ts';
import { drawFor } from './random.ts';
import type { Served, Strategy } from './strategies.ts';
import { NOBODY, Tally } from './tally.ts';
import type { Workload } from './workload.ts';
import type { Reply, World } from './world.ts';

export type Replay = {
  readonly workload: Workload;
  readonly answers: Answers;
  readonly served: Served;
  readonly world: World;
  readonly strategy: Strategy;
  /** Where each point of presence stands, as its isolate is told. */
  readonly coordinates: readonly (Coordinates | undefined)[];
  readonly seed: number;
  /** Wall clock time of the trace's start: breakers and sketches see real times. */
  readonly startMs: number;
};

/** Purpose number of a request's own draw: beyond any that a call uses. */
const DECISION = 1_000_001;
/** Every request has one input. */
const POSITIONS = [0] as const;

export function replay(options: Replay): Tally {
  return new Run(options).all();
}

class Run {
  readonly #options: Replay;
  readonly #events = new EventQueue<Event>();
  readonly #tally: Tally;
  readonly #isolates: readonly IsolateState[];
  readonly #targetNumbers: ReadonlyMap<string, number>;
  readonly #variantNumbers: ReadonlyMap<string, number>;

  constructor(options: Replay) {
    this.#options = options;
    const { workload, answers, served } = options;
    this.#tally = new Tally(workload.count);
    const pops = workload.pop.reduce((most, pop) => Math.max(most, pop), 0) + 1;
    this.#isolates = Array.from({ length: pops }, (_, pop) => {
      const state = new IsolateState();
      state.location = options.coordinates[pop];
      return state;
    });
    this.#targetNumbers = new Map(served.config.targets.map(({ id }, index) => [id, index]));
    this.#variantNumbers = new Map(answers.variants.map((name, index) => [name, index]));
  }

  all(): Tally {
    const { workload, startMs } = this.#options;
    for (let request = 0; request < workload.count; request += 1) {
      const atMs = startMs + (workload.atMs[request] ?? 0);
      this.#passUntil(atMs);
      this.#arrive(request, atMs);
    }
    this.#passUntil(Infinity);
    return this.#tally;
  }

  #passUntil(atMs: number): void {
    const events = this.#events;
    while (events.nextAtMs <= atMs) {
      const nowMs = events.nextAtMs;
      const event = events.pop();
      if (event === undefined) return;
      const { flight, running, reply } = event;
      // It was overtaken, and has been paid for.
      if (flight.isOver) continue;
      if (running !== undefined && reply !== undefined) this.#takeIn(flight, running, reply, nowMs);
      this.#continue(flight, nowMs);
    }
  }

  #arrive(request: number, atMs: number): void {
    const { workload, world, strategy, startMs, seed } = this.#options;
    const pop = workload.pop[request] ?? 0;
    const entered = world.enter(pop, atMs - startMs);
    this.#tally.cost(request, entered.costNanos);
    const stated = workload.latencyMs[request];
    const latencyMs = stated === undefined || Number.isNaN(stated) ? undefined : stated;
    const nowMs = startMs + entered.atMs;
    const deadlineAtMs = atMs + (latencyMs ?? strategy.route.default_deadline_ms);
    const state = this.#isolate(pop);
    state.requestStarted();
    const random = drawFor(seed, request, DECISION);
    const plan = strategy.plan({ request, pop, nowMs, deadlineAtMs, latencyMs, state, random });
    if (plan.canary !== undefined) state.canaryStarted(plan.canary, nowMs);
    const flight: Flight = {
      request,
      pop,
      plan,
      arrivedAtMs: atMs,
      plannedAtMs: nowMs,
      deadlineAtMs,
      finished: [],
      running: [],
      target: NOBODY,
      variant: NOBODY,
      accuracy: -1,
      isAccepted: false,
      isOver: false,
    };
    this.#continue(flight, nowMs);
  }

  #continue(flight: Flight, nowMs: number): void {
    for (;;) {
      const step = this.#next(flight, nowMs);
      switch (step.kind) {
        case 'finish':
          this.#finish(flight, nowMs);
          return;
        case 'wait':
          if (step.untilMs !== undefined)
            this.#events.push(Math.max(nowMs, step.untilMs), { flight, running: undefined, reply: undefined });
          return;
        case 'attempt':
          this.#begin(flight, step, nowMs);
          break;
      }
    }
  }

  #next({ plan, finished, running, deadlineAtMs, pop }: Flight, nowMs: number): Next {
    const { strategy } = this.#options;
    const clock = { nowMs, deadlineAtMs };
    if (!strategy.isGuarded) return next(plan, finished, clock, { running });
    const state = this.#isolate(pop);
    const { route } = strategy;
    return next(plan, finished, clock, {
      running,
      budgetNanos: state.budgetNanos(route, nowMs),
      hedgeFill: state.hedgeFill(route),
      mayRetry: state.mayRetry(this.#retryBudget),
    });
  }

  #begin(flight: Flight, { index, why, timeoutMs }: Extract<Next, { kind: 'attempt' }>, nowMs: number): void {
    const { world, served, strategy, startMs } = this.#options;
    const planned = flight.plan.attempts[index];
    if (planned === undefined)
      throw new RangeError(`the core asked for attempt ${index}, which the plan does not have`);
    const state = this.#isolate(flight.pop);
    this.#tally.attempt(flight.request, why);
    const target = this.#targetNumbers.get(planned.target) ?? NOBODY;
    const spec = served.config.targets[target];
    if (spec === undefined) throw new RangeError(`there is no target ${planned.target}`);
    const start = state.attemptStarted(spec, nowMs, served.config.breaker);
    if (start !== 'started' && strategy.isGuarded) {
      const reason = start === 'full' ? 'throttled' : 'connect_failed';
      flight.finished.push({ index, outcome: { kind: 'failed', reason }, costNanos: 0 });
      return;
    }
    this.#count(state, planned, why, nowMs);
    const reply = world.call({
      request: flight.request,
      pop: flight.pop,
      target,
      variant: this.#variantNumbers.get(planned.variant) ?? NOBODY,
      repeat: why === 'hedge' ? 1 : 0,
      nowMs: nowMs - startMs,
    });
    this.#tally.call(flight.request, planned.kind, reply.costNanos);
    const running: Running = { index, planned, why, positions: POSITIONS, target, startedAtMs: nowMs };
    flight.running.push(running);
    const lateAtMs = nowMs + timeoutMs;
    const endsAtMs = startMs + reply.atMs;
    const seen: Reply = endsAtMs > lateAtMs ? { ...reply, failure: 'timeout', computeMs: null } : reply;
    this.#events.push(Math.min(endsAtMs, lateAtMs), { flight, running, reply: seen });
  }

  #count(state: IsolateState, planned: PlannedAttempt, why: AttemptWhy, nowMs: number): void {
    const { route } = this.#options.strategy;
    state.spent(route, planned.predictedCostNanos, nowMs);
    if (planned.kind === 'edge') return;
    if (why === 'hedge') state.hedged(route);
    else state.remoteStarted(route, this.#retryBudget);
    if (why === 'fallback') state.retried(this.#retryBudget);
  }

  #takeIn(flight: Flight, running: Running, reply: Reply, nowMs: number): void {
    const { served, strategy, answers, workload } = this.#options;
    const { breaker } = served.config;
    const { index, planned } = running;
    const spec = served.config.targets[running.target];
    if (spec === undefined) throw new RangeError(`there is no target ${running.target}`);
    flight.running.splice(flight.running.indexOf(running), 1);
    const state = this.#isolate(flight.pop);
    const latencyMs = nowMs - running.startedAtMs;
    const costNanos = attemptNanos(running, spec, served.model.name, reply.computeMs, latencyMs);
    state.spent(strategy.route, costNanos - planned.predictedCostNanos, nowMs);
    if (reply.failure !== undefined) {
      state.attemptFailed(spec, reply.failure, running.startedAtMs, nowMs, breaker);
      if (isLost(planned, reply.failure, latencyMs))
        state.attemptLost(spec, `${served.model.name}/${planned.variant}`, planned.patienceMs, 1, nowMs);
      flight.finished.push({ index, outcome: { kind: 'failed', reason: reply.failure }, costNanos });
      return;
    }
    const variant = this.#variantNumbers.get(planned.variant) ?? NOBODY;
    const confidence = answers.confidence[variant]?.[workload.row[flight.request] ?? 0] ?? 0;
    const isAccepted = confidence >= planned.acceptConfidence;
    const items = isAccepted ? 1 : 0;
    state.attemptAnswered(
      {
        target: spec,
        modelAndVariant: `${served.model.name}/${planned.variant}`,
        latencyMs,
        computeMs: reply.computeMs,
        cpuMs: planned.kind === 'edge' ? cpuMsOf(spec, served.model.name, planned.variant) : 0,
        items: 1,
        accepted: planned.acceptConfidence > 0 ? { items, confidenceSum: items * confidence } : undefined,
      },
      nowMs,
      breaker,
    );
    flight.finished.push({ index, outcome: { kind: 'answered', leastConfidence: confidence }, costNanos });
    if (flight.isAccepted || (!isAccepted && flight.accuracy > planned.predictedAccuracy)) return;
    flight.target = running.target;
    flight.variant = variant;
    flight.accuracy = planned.predictedAccuracy;
    flight.isAccepted = isAccepted;
  }

  /** Whoever still runs has come too late. */
  #finish(flight: Flight, nowMs: number): void {
    const { served } = this.#options;
    const state = this.#isolate(flight.pop);
    flight.isOver = true;
    for (const { planned, target, startedAtMs } of flight.running) {
      const spec = served.config.targets[target];
      if (spec === undefined) continue;
      const modelAndVariant = `${served.model.name}/${planned.variant}`;
      const ranMs = nowMs - startedAtMs;
      const byAnother = flight.target !== NOBODY && flight.target !== target;
      state.attemptOvertaken(
        { target: spec, modelAndVariant, ranMs, items: 1, byAnother },
        nowMs,
        served.config.breaker,
      );
    }
    const { canary } = flight.plan;
    const hasFailed = flight.finished.some(({ outcome }) => outcome.kind === 'failed');
    if (canary !== undefined)
      state.canaryEnded(canary, hasFailed || flight.target === NOBODY ? 'ill' : 'well', flight.plannedAtMs, nowMs);
    state.requestEnded(served.config.gateway_price.cpu_ms_per_request, nowMs);
    this.#tally.end(flight.request, {
      latencyMs: nowMs - flight.arrivedAtMs,
      target: flight.target,
      variant: flight.variant,
      isAccepted: flight.isAccepted,
      isInTime: nowMs <= flight.deadlineAtMs,
    });
  }

  get #retryBudget(): Config['retry_budget'] {
    return this.#options.served.config.retry_budget;
  }

  #isolate(pop: number): IsolateState {
    const state = this.#isolates[pop];
    if (state === undefined) throw new RangeError(`there is no point of presence ${pop}`);
    return state;
  }
}
