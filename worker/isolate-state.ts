/**
 * What one isolate has seen: of its targets, of its own load, of what its routes have spent. Lives as long as the isolate;
 * survives a new configuration, because targets and routes keep their names. The reducers are pure; this only holds values.
 */
import type {
  AcceptanceEstimate,
  EdgeLoad,
  LatencyEstimate,
  ResourceStatus,
  TargetState,
} from '../shared/decide/facts.ts';
import { itemFactor } from '../shared/decide/estimate.ts';
import type { ChosenCanary, FailureReason } from '../shared/decide/plan-types.ts';
import { MEAN_WEIGHT, observeAcceptance } from '../shared/measure/acceptance.ts';
import { estimatedRttMs, REGION_COORDINATES, type Coordinates } from '../shared/measure/distance.ts';
import { createLatencyTracker, estimate, observe } from '../shared/measure/latency-tracker.ts';
import { nanosFromUsd } from '../shared/measure/pricing.ts';
import { addToRate, NO_RATE, ratePerMs, type Rate } from '../shared/measure/rate.ts';
import {
  breakerVerdict,
  initialBreaker,
  reduceBreaker,
  type BreakerEvent,
  type BreakerState,
} from '../shared/resilience/breaker.ts';
import {
  earn,
  fullBudget,
  hasToken,
  hedgeBudget,
  RETRY_BUDGET,
  spend,
  trickle,
  type EarnedPolicy,
  type TimedBudget,
  type TimedPolicy,
} from '../shared/resilience/budget.ts';
import type { BreakerPolicy, RouteSpec, TargetSpec } from '../shared/schema/config.ts';
import type { Target } from './ports.ts';
import { TargetMemory, type AttemptStart } from './target-memory.ts';

const MS_PER_HOUR = 3_600_000;
const MS_PER_MINUTE = 60_000;

export type AnsweredAttempt = {
  readonly target: TargetSpec;
  readonly modelAndVariant: string;
  readonly latencyMs: number;
  /** As the place measured itself; null where it does not say. */
  readonly computeMs: number | null;
  /** CPU it took of this isolate. */
  readonly cpuMs: number;
  /** Inputs sent: estimates are kept per input and scaled again when deciding. */
  readonly items: number;
  /** Undefined where the caller asked for a confidence of its own: that says nothing about other requests. */
  readonly accepted: { readonly items: number; readonly confidenceSum: number } | undefined;
};

export type OvertakenAttempt = Pick<AnsweredAttempt, 'target' | 'modelAndVariant' | 'items'> & {
  /** How long it has run. */
  readonly ranMs: number;
  /** The answer that came first was another place's. */
  readonly byAnother: boolean;
};

/** `unknown`: the request ended without asking the canary anything. */
export type CanaryOutcome = 'well' | 'ill' | 'unknown';

export class IsolateState {
  /** The data centre it runs in, as the first request told. */
  place = 'local';
  /** Where that is, as the first request told: callers come to a point of presence near them. */
  location: Coordinates | undefined;
  #inFlight = 0;
  #ended: Rate = NO_RATE;
  #cpuMs: Rate = NO_RATE;
  #retryTokens: number | undefined;
  readonly #targets = new Map<string, TargetMemory>();
  /** By region: neither it nor the isolate moves. */
  readonly #wayMsTo = new Map<string, number | undefined>();
  readonly #latency = createLatencyTracker();
  /** Moving mean per input: costs add up, so their mean is what matters. */
  readonly #computeMs = new Map<string, number>();
  readonly #acceptance = new Map<string, AcceptanceEstimate>();
  readonly #hedgeTokens = new Map<string, number>();
  readonly #budgets = new Map<string, TimedBudget>();
  readonly #arms = new Map<string, BreakerState>();
  readonly #statuses = new Map<string, ResourceStatus>();

  /** Requests this isolate is working on now. */
  get inFlight(): number {
    return this.#inFlight;
  }

  requestStarted(): void {
    this.#inFlight += 1;
  }

  /** @param cpuMs what the gateway itself is known to take; the clock does not show it */
  requestEnded(cpuMs: number, nowMs: number): void {
    this.#inFlight -= 1;
    this.#ended = addToRate(this.#ended, 1, nowMs);
    this.#cpuMs = addToRate(this.#cpuMs, cpuMs, nowMs);
  }

  endedPerSecond(nowMs: number): number {
    return 1_000 * ratePerMs(this.#ended, nowMs);
  }

  /** @param edge the isolate's own place, where it has one */
  edgeLoad(edge: TargetSpec | undefined, nowMs: number): EdgeLoad {
    const cpuMsPerItem = edge?.price.kind === 'edge_cpu' ? edge.price.cpu_ms_per_item : 0;
    const waiting = edge === undefined ? 0 : (this.#targets.get(edge.id)?.inFlight ?? 0);
    return { cpuRatio: ratePerMs(this.#cpuMs, nowMs), queueMs: waiting * cpuMsPerItem };
  }

  inFlightOf(targetId: string): number {
    return this.#targets.get(targetId)?.inFlight ?? 0;
  }

  breakerOf(targetId: string): BreakerState {
    return this.#targets.get(targetId)?.breaker ?? initialBreaker;
  }

  targetState(
    spec: TargetSpec,
    target: Pick<Target, 'unreachable' | 'cold'> | undefined,
    modelName: string,
    nowMs: number,
  ): TargetState {
    const latency: Record<string, LatencyEstimate> = {};
    const computeMs: Record<string, number> = {};
    const acceptance: Record<string, AcceptanceEstimate> = {};
    for (const served of spec.serves) {
      if (served.model !== modelName) continue;
      const modelAndVariant = `${modelName}/${served.variant}`;
      const key = `${spec.id}/${modelAndVariant}`;
      const observed = estimate(this.#latency, key, nowMs);
      if (observed !== undefined) latency[modelAndVariant] = observed;
      const compute = this.#computeMs.get(key);
      if (compute !== undefined) computeMs[modelAndVariant] = compute;
      const accepted = this.#acceptance.get(key);
      if (accepted !== undefined) acceptance[modelAndVariant] = accepted;
    }
    const memory = this.#targets.get(spec.id);
    return {
      spec,
      breaker: memory?.breaker ?? initialBreaker,
      inFlight: memory?.inFlight ?? 0,
      concurrencyLimit: memory?.concurrencyLimit,
      latency,
      computeMs,
      acceptance,
      seen: memory?.seen,
      wayMs: this.#wayMs(spec),
      status: this.#statuses.get(spec.id),
      cold: target?.cold?.(modelName),
      unreachable: target?.unreachable,
    };
  }

  /** What the control plane's probe last wrote; replaces what it wrote before. */
  reported(statuses: ReadonlyMap<string, ResourceStatus>): void {
    this.#statuses.clear();
    for (const [targetId, status] of statuses) this.#statuses.set(targetId, status);
  }

  attemptStarted({ id, max_concurrency: most }: TargetSpec, nowMs: number, policy: BreakerPolicy): AttemptStart {
    return this.#memoryOf(id).started(most, nowMs, policy);
  }

  attemptAnswered(answered: AnsweredAttempt, nowMs: number, policy: BreakerPolicy): void {
    const { target, modelAndVariant, latencyMs, computeMs, cpuMs, items, accepted } = answered;
    const { kind } = target.endpoint;
    const key = `${target.id}/${modelAndVariant}`;
    const factor = itemFactor(kind, items);
    // In workerd the clock stands still while the edge computes: its observations would all say zero.
    const isInProcess = target.endpoint.kind === 'edge' && target.endpoint.runtime !== 'onnx';
    const itemMs = isInProcess ? undefined : latencyMs / factor;
    if (itemMs !== undefined) observe(this.#latency, key, itemMs, nowMs);
    if (computeMs !== null) this.#observeCompute(key, computeMs / factor);
    if (accepted !== undefined)
      this.#acceptance.set(key, observeAcceptance(this.#acceptance.get(key), accepted, items));
    if (cpuMs > 0) this.#cpuMs = addToRate(this.#cpuMs, cpuMs, nowMs);
    // A hub gives a device only what its window takes and turns away the rest: how many to send is not learned from latency.
    const learnedMs = kind === 'mcu' ? undefined : itemMs;
    this.#memoryOf(target.id).answered(learnedMs, target.max_concurrency, nowMs, policy);
  }

  attemptFailed(
    target: TargetSpec,
    reason: FailureReason,
    startedAtMs: number,
    nowMs: number,
    policy: BreakerPolicy,
  ): void {
    this.#memoryOf(target.id).failed(reason, startedAtMs, target.max_concurrency, nowMs, policy);
  }

  /** It was given up as lost: how long it would have taken is not known, only that longer than this. */
  attemptLost(target: TargetSpec, modelAndVariant: string, ranMs: number, items: number, nowMs: number): void {
    observe(this.#latency, `${target.id}/${modelAndVariant}`, ranMs / itemFactor(target.endpoint.kind, items), nowMs);
  }

  /**
   * It ran beside another that answered first. How long it would have taken is not known, only that at least so long: that
   * tells something of a place that another place has overtaken. Where the place overtook itself it would count its slow
   * answers as half slow, raise its p95, hedge later and so on.
   */
  attemptOvertaken(overtaken: OvertakenAttempt, nowMs: number, policy: BreakerPolicy): void {
    const { target, modelAndVariant, ranMs, items, byAnother } = overtaken;
    const factor = itemFactor(target.endpoint.kind, items);
    if (byAnother) observe(this.#latency, `${target.id}/${modelAndVariant}`, Math.max(0, ranMs) / factor, nowMs);
    this.attemptFailed(target, 'cancelled', nowMs - ranMs, nowMs, policy);
  }

  /** Every call that leaves the isolate earns its route a part of a hedge, and all routes a part of a retry. */
  remoteStarted(route: RouteSpec, retry: EarnedPolicy = RETRY_BUDGET): void {
    this.#retryTokens = earn(this.#retryTokens ?? retry.burst, retry);
    if (route.hedge === undefined) return;
    const policy = hedgeBudget(route.hedge.max_extra_ratio);
    this.#hedgeTokens.set(route.name, earn(this.#hedgeTokens.get(route.name) ?? 0, policy));
  }

  /** How full the route's hedge budget is, 0 to 1; 0 where it has no whole token. */
  hedgeFill({ hedge, name }: RouteSpec): number {
    if (hedge === undefined) return 0;
    const tokens = this.#hedgeTokens.get(name) ?? 0;
    return hasToken(tokens) ? tokens / hedgeBudget(hedge.max_extra_ratio).burst : 0;
  }

  hedged(route: RouteSpec): void {
    this.#hedgeTokens.set(route.name, (this.#hedgeTokens.get(route.name) ?? 0) - 1);
  }

  mayRetry(retry: EarnedPolicy = RETRY_BUDGET): boolean {
    return hasToken(this.#retryTokens ?? retry.burst);
  }

  retried(retry: EarnedPolicy = RETRY_BUDGET): void {
    this.#retryTokens = (this.#retryTokens ?? retry.burst) - 1;
  }

  /** What the route's budget still pays for; undefined where it has none. */
  budgetNanos(route: RouteSpec, nowMs: number): number | undefined {
    const policy = moneyPolicy(route);
    return policy === undefined ? undefined : this.#timed(route.name, policy, nowMs).left;
  }

  spent(route: RouteSpec, nanos: number, nowMs: number): void {
    const policy = moneyPolicy(route);
    if (policy !== undefined) this.#budgets.set(route.name, spend(this.#timed(route.name, policy, nowMs), nanos));
  }

  /** Until the route's budget pays for so much; undefined where it never holds as much. */
  budgetHoldsInMs(route: RouteSpec, nanos: number, nowMs: number): number | undefined {
    const policy = moneyPolicy(route);
    if (policy === undefined || nanos > policy.burst || !(policy.perMs > 0)) return undefined;
    return Math.max(0, (nanos - this.#timed(route.name, policy, nowMs).left) / policy.perMs);
  }

  /** Takes a token for a background copy of a request, where the route has one left. */
  takeShadow(route: RouteSpec, nowMs: number): boolean {
    if (route.shadow === undefined) return false;
    const { max_per_minute: most } = route.shadow;
    const key = `shadow ${route.name}`;
    const budget = this.#timed(key, { perMs: most / MS_PER_MINUTE, burst: most }, nowMs);
    if (!hasToken(budget.left)) return false;
    this.#budgets.set(key, spend(budget, 1));
    return true;
  }

  /** Breakers of canaries, by key. */
  get arms(): Readonly<Record<string, BreakerState>> | undefined {
    return this.#arms.size === 0 ? undefined : Object.fromEntries(this.#arms);
  }

  canaryStarted({ key, stop }: ChosenCanary, nowMs: number): void {
    const breaker = this.#arms.get(key) ?? initialBreaker;
    if (breakerVerdict(breaker, nowMs) !== 'probe_allowed') return;
    this.#arms.set(key, reduceBreaker(breaker, { kind: 'probe_started' }, nowMs, stop));
  }

  canaryEnded({ key, stop }: ChosenCanary, how: CanaryOutcome, startedAtMs: number, nowMs: number): void {
    const breaker = this.#arms.get(key) ?? initialBreaker;
    const event: BreakerEvent =
      how === 'well' ? { kind: 'success' } : { kind: how === 'ill' ? 'failure' : 'probe_abandoned', startedAtMs };
    this.#arms.set(key, reduceBreaker(breaker, event, nowMs, stop));
  }

  /** It said that it must start first, and has not answered since. */
  isWaking(targetId: string): boolean {
    return this.#targets.get(targetId)?.seen?.notReadySinceMs !== undefined;
  }

  /** Estimated round trip to the target's region; undefined in the isolate, and where either end is not known. */
  #wayMs({ endpoint, region }: TargetSpec): number | undefined {
    if (endpoint.kind === 'edge' || this.location === undefined) return undefined;
    if (this.#wayMsTo.has(region)) return this.#wayMsTo.get(region);
    const there = REGION_COORDINATES.get(region);
    const wayMs = there === undefined ? undefined : estimatedRttMs(this.location, there);
    this.#wayMsTo.set(region, wayMs);
    return wayMs;
  }

  #memoryOf(targetId: string): TargetMemory {
    let memory = this.#targets.get(targetId);
    if (memory === undefined) {
      memory = new TargetMemory();
      this.#targets.set(targetId, memory);
    }
    return memory;
  }

  #timed(key: string, policy: TimedPolicy, nowMs: number): TimedBudget {
    const budget = trickle(this.#budgets.get(key) ?? fullBudget(policy, nowMs), policy, nowMs);
    this.#budgets.set(key, budget);
    return budget;
  }

  #observeCompute(key: string, computeMs: number): void {
    const mean = this.#computeMs.get(key) ?? computeMs;
    this.#computeMs.set(key, mean + MEAN_WEIGHT * (computeMs - mean));
  }
}

function moneyPolicy({ budget }: RouteSpec): TimedPolicy | undefined {
  if (budget === undefined) return undefined;
  return { perMs: nanosFromUsd(budget.usd_per_hour) / MS_PER_HOUR, burst: nanosFromUsd(budget.burst_usd) };
}
