/**
 * `npm run bench:hedge`: what hedging does to the slowest answers where one replica in twenty is slow. A simulation around the
 * very same core (decide, next, IsolateState) with a clock of its own, deterministic for a seed; one JSON line per case.
 *
 * Behind one endpoint the gateway cannot choose a replica: the endpoint's balancer does, by one of three rules. Where each
 * replica is a place of its own, the gateway chooses, and a hedge goes to another one.
 */
import { parseArgs } from 'node:util';
import { EventQueue } from '../../cli/simulate/event-queue.ts';
import type { Facts } from '../../shared/decide/facts.ts';
import { next } from '../../shared/decide/next.ts';
import { decide } from '../../shared/decide/plan.ts';
import type { FinishedAttempt, Plan } from '../../shared/decide/plan-types.ts';
import type { ModelSpec, RouteSpec, TargetSpec } from '../../shared/schema/config.ts';
import { IsolateState } from '../../worker/isolate-state.ts';
import { seeded } from './seeded.ts';

const { values: flags } = parseArgs({
  options: {
    requests: { type: 'string', default: '200000' },
    rate: { type: 'string', default: '200' },
    seed: { type: 'string', default: '1' },
  },
});
const REQUESTS = Number(flags.requests);
const RATE_PER_MS = Number(flags.rate) / 1_000;
const REPLICAS = 20;
/** Log-normal: 20 ms at the median, 40 at p95. The slow replica takes twenty times as long. */
const P50_MS = 20;
const SIGMA = Math.log(2) / 1.6448536269514722;
const SLOWDOWN = 20;
const DEADLINE_MS = 60_000;
/** Before it estimates are young: not counted. */
const WARM_UP_REQUESTS = 2_000;
const BREAKER = { failure_ratio: 0.5, minimum_calls: 5, window_ms: 10_000, open_ms: 2_000, max_open_ms: 60_000 };

type Balancer = 'random' | 'round_robin' | 'least_busy' | 'gateway';
type Scenario = { readonly name: string; readonly balancer: Balancer; readonly slowMovesEveryMs: number };

const SCENARIOS: readonly Scenario[] = [
  { name: 'one endpoint, its balancer goes round', balancer: 'round_robin', slowMovesEveryMs: Infinity },
  { name: 'one endpoint, its balancer takes the least busy', balancer: 'least_busy', slowMovesEveryMs: Infinity },
  { name: 'one endpoint, its balancer draws', balancer: 'random', slowMovesEveryMs: Infinity },
  { name: 'twenty places, the same one always slow', balancer: 'gateway', slowMovesEveryMs: Infinity },
  { name: 'twenty places, another one slow every ten seconds', balancer: 'gateway', slowMovesEveryMs: 10_000 },
];

const model: ModelSpec = {
  name: 'm',
  version: '1',
  task: 'text_classification',
  description: '',
  labels: ['a', 'b'],
  out_of_scope_label: null,
  input: { kind: 'text', max_chars: 100 },
  reference_variant: 'large',
  variants: [{ name: 'large', accuracy: 0.97, size_bytes: 1, sha256: '0'.repeat(64), format: 'onnx' }],
};

function targetsOf(count: number): TargetSpec[] {
  return Array.from({ length: count }, (_, index) => ({
    id: `place-${index}`,
    region: 'r',
    enabled: true,
    endpoint: { kind: 'sagemaker', endpoint_name: 'e', base_url: null },
    serves: [
      { model: 'm', variant: 'large', latency_prior: { p50_ms: P50_MS, p95_ms: 2 * P50_MS }, compute_prior_ms: 10 },
    ],
    price: { kind: 'flat', usd_per_request: 0.000_01 },
    timeout_ms: DEADLINE_MS,
    max_batch: 1,
    max_payload_bytes: 1_000,
    max_concurrency: 10_000,
  }));
}

type Running = {
  readonly index: number;
  readonly startedAtMs: number;
  readonly replica: number;
  readonly target: TargetSpec;
};
type Flight = {
  readonly plan: Plan;
  readonly arrivedAtMs: number;
  readonly finished: FinishedAttempt[];
  running: Running[];
  isOver: boolean;
  hasAlarm: boolean;
};
type Event =
  | { readonly kind: 'arrival' }
  | { readonly kind: 'ended'; readonly flight: Flight; readonly running: Running }
  | { readonly kind: 'due'; readonly flight: Flight };

class Replay {
  readonly #scenario: Scenario;
  readonly #route: RouteSpec;
  readonly #targets: readonly TargetSpec[];
  readonly #state = new IsolateState();
  readonly #random: () => number;
  /** Of its own, so that how long a call takes does not hang together with what else is drawn. */
  readonly #latencyRandom: () => number;
  readonly #queue = new EventQueue<Event>();
  readonly #busy = Array.from({ length: REPLICAS }, () => 0);
  readonly latencies: number[] = [];
  calls = 0;
  hedges = 0;
  #arrived = 0;
  #turn = 0;

  constructor(scenario: Scenario, isHedging: boolean, seed: number) {
    this.#scenario = scenario;
    this.#random = seeded(seed);
    this.#latencyRandom = seeded(seed + 1_000);
    this.#targets = targetsOf(scenario.balancer === 'gateway' ? REPLICAS : 1);
    this.#route = {
      name: 'r',
      model: 'm',
      policy: { kind: 'cheapest' },
      default_deadline_ms: DEADLINE_MS,
      deadline_probability: 0.95,
      cache: { ttl_ms: 0, stale_if_error_ms: 0 },
      ...(isHedging ? { hedge: { max_extra_ratio: 0.05 } } : {}),
    };
  }

  run(): this {
    let nowMs = 1_700_000_000_000;
    this.#queue.push(nowMs, { kind: 'arrival' });
    for (;;) {
      nowMs = this.#queue.nextAtMs;
      const event = this.#queue.pop();
      if (event === undefined) return this;
      if (event.kind === 'arrival') this.#arrive(nowMs);
      else if (event.kind === 'due') {
        event.flight.hasAlarm = false;
        this.#go(event.flight, nowMs);
      } else this.#end(event.flight, event.running, nowMs);
    }
  }

  #arrive(nowMs: number): void {
    this.#arrived += 1;
    if (this.#arrived < REQUESTS + WARM_UP_REQUESTS)
      this.#queue.push(nowMs - Math.log(1 - this.#random()) / RATE_PER_MS, { kind: 'arrival' });
    this.#go(
      {
        plan: decide(this.#facts(nowMs)),
        arrivedAtMs: nowMs,
        finished: [],
        running: [],
        isOver: false,
        hasAlarm: false,
      },
      nowMs,
    );
  }

  #facts(nowMs: number): Facts {
    return {
      nowMs,
      deadlineAtMs: nowMs + DEADLINE_MS,
      random: this.#random(),
      requirements: {
        latencyMs: undefined,
        complexity: 'auto',
        priority: 'normal',
        minAccuracy: undefined,
        maxCostNanos: undefined,
        placement: 'any',
        variant: undefined,
      },
      itemCount: 1,
      inputBytes: 100,
      model,
      route: this.#route,
      targets: this.#targets.map((spec) => this.#state.targetState(spec, undefined, 'm', nowMs)),
      gatewayPrice: {
        usd_per_million_requests: 0,
        usd_per_million_cpu_ms: 0,
        cpu_ms_per_request: 0,
        as_of: '2026-11-01',
      },
    };
  }

  #go(flight: Flight, nowMs: number): void {
    while (!flight.isOver) {
      const step = next(
        flight.plan,
        flight.finished,
        { nowMs, deadlineAtMs: flight.arrivedAtMs + DEADLINE_MS },
        { running: flight.running, hedgeFill: this.#state.hedgeFill(this.#route) },
      );
      if (step.kind === 'finish') this.#finish(flight, nowMs);
      else if (step.kind === 'attempt') this.#begin(flight, step.index, step.why === 'hedge', nowMs);
      else {
        if (step.untilMs !== undefined && !flight.hasAlarm) {
          flight.hasAlarm = true;
          this.#queue.push(step.untilMs, { kind: 'due', flight });
        }
        return;
      }
    }
  }

  #begin(flight: Flight, index: number, isHedge: boolean, nowMs: number): void {
    const planned = flight.plan.attempts[index];
    const target = this.#targets.find((spec) => spec.id === planned?.target);
    if (target === undefined) throw new Error('the plan names a place that is not there');
    this.#state.attemptStarted(target, nowMs, BREAKER);
    if (isHedge) this.#state.hedged(this.#route);
    else this.#state.remoteStarted(this.#route);
    if (isHedge) this.hedges += 1;
    else this.calls += 1;
    const replica = this.#replicaFor(target);
    this.#busy[replica] = (this.#busy[replica] ?? 0) + 1;
    const running = { index, startedAtMs: nowMs, replica, target };
    flight.running.push(running);
    this.#queue.push(nowMs + this.#latencyMs(replica, nowMs), { kind: 'ended', flight, running });
  }

  #end(flight: Flight, running: Running, nowMs: number): void {
    // A loser's replica works on to its end: cancelling spares the caller, not the machine.
    this.#busy[running.replica] = (this.#busy[running.replica] ?? 0) - 1;
    if (flight.isOver) return;
    flight.running = flight.running.filter((one) => one !== running);
    const latencyMs = nowMs - running.startedAtMs;
    this.#state.attemptAnswered(
      {
        target: running.target,
        modelAndVariant: 'm/large',
        latencyMs,
        computeMs: null,
        cpuMs: 0,
        items: 1,
        accepted: undefined,
      },
      nowMs,
      BREAKER,
    );
    flight.finished.push({
      index: running.index,
      outcome: { kind: 'answered', leastConfidence: 1 },
      costNanos: 10_000,
    });
    this.#go(flight, nowMs);
  }

  #finish(flight: Flight, nowMs: number): void {
    flight.isOver = true;
    const winner = flight.plan.attempts[flight.finished.at(-1)?.index ?? -1]?.target;
    for (const { target, startedAtMs } of flight.running) {
      const overtaken = { target, modelAndVariant: 'm/large', ranMs: nowMs - startedAtMs, items: 1 };
      this.#state.attemptOvertaken({ ...overtaken, byAnother: winner !== target.id }, nowMs, BREAKER);
    }
    if (this.#isCounted) this.latencies.push(nowMs - flight.arrivedAtMs);
  }

  get #isCounted(): boolean {
    return this.#arrived > WARM_UP_REQUESTS;
  }

  #replicaFor(target: TargetSpec): number {
    switch (this.#scenario.balancer) {
      case 'gateway':
        return this.#targets.indexOf(target);
      case 'random':
        return Math.floor(this.#random() * REPLICAS);
      case 'round_robin':
        this.#turn = (this.#turn + 1) % REPLICAS;
        return this.#turn;
      case 'least_busy': {
        const offset = Math.floor(this.#random() * REPLICAS);
        let chosen = offset;
        for (let step = 1; step < REPLICAS; step += 1) {
          const replica = (offset + step) % REPLICAS;
          if ((this.#busy[replica] ?? 0) < (this.#busy[chosen] ?? 0)) chosen = replica;
        }
        return chosen;
      }
    }
  }

  #latencyMs(replica: number, nowMs: number): number {
    const slow =
      this.#scenario.slowMovesEveryMs === Infinity ? 0 : Math.floor(nowMs / this.#scenario.slowMovesEveryMs) % REPLICAS;
    const normal = Math.sqrt(-2 * Math.log(1 - this.#latencyRandom())) * Math.cos(2 * Math.PI * this.#latencyRandom());
    return P50_MS * Math.exp(SIGMA * normal) * (replica === slow ? SLOWDOWN : 1);
  }
}

function quantilesOf(latencies: number[]): { readonly p50: number; readonly p99: number; readonly p999: number } {
  const sorted = latencies.toSorted((a, b) => a - b);
  const at = (q: number): number => Math.round(10 * (sorted[Math.floor(q * (sorted.length - 1))] ?? 0)) / 10;
  return { p50: at(0.5), p99: at(0.99), p999: at(0.999) };
}

for (const scenario of SCENARIOS) {
  const without = new Replay(scenario, false, Number(flags.seed)).run();
  const withIt = new Replay(scenario, true, Number(flags.seed)).run();
  const [before, after] = [quantilesOf(without.latencies), quantilesOf(withIt.latencies)];
  console.log(
    JSON.stringify({
      name: scenario.name,
      requests: withIt.latencies.length,
      without_ms: before,
      hedged_ms: after,
      p999_ratio: Math.round((100 * before.p999) / after.p999) / 100,
      extra_calls_ratio: Math.round((1e5 * withIt.hedges) / withIt.calls) / 1e5,
    }),
  );
}
