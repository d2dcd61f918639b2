/**
 * The world outside the gateway: what a call to a target takes, gives and costs. Owns latency, outages and bills; decides
 * nothing. The same request meets the same network and the same processor time under every policy.
 */
import { attemptCostNanos, gatewayCostNanos, nanosFromUsd } from '../../shared/measure/pricing.ts';
import type { FailureReason } from '../../shared/decide/plan-types.ts';
import type { Config, PriceSpec, TargetKind, TargetSpec } from '../../shared/schema/config.ts';
import * as assumed from './assumptions.ts';
import { InstanceFleet, OnDemandFleet, type Fleet, type SlowReplica } from './fleets.ts';
import { drawFor, exponential, logNormal, type Spread } from './random.ts';

export type Outage = {
  readonly region: string;
  readonly fromMs: number;
  readonly toMs: number;
  /** `hang`: calls are swallowed. `refuse`: no connection. */
  readonly how: 'hang' | 'refuse';
};

export type WorldOptions = {
  readonly config: Config;
  readonly seed: number;
  readonly variants: readonly string[];
  /** Processor time of each variant where a model server runs it. */
  readonly serverComputeMs: readonly Spread[];
  /** By region name; round trip of each point of presence. */
  readonly rttMs: ReadonlyMap<string, readonly number[]>;
  readonly pops: number;
  readonly outages: readonly Outage[];
  readonly slow?: SlowReplica | undefined;
  /** Fixes the fleet instead of letting it scale, so that a slow replica is one of this many. */
  readonly replicas?: number | undefined;
};

export type Call = {
  readonly request: number;
  readonly pop: number;
  readonly target: number;
  readonly variant: number;
  /** How many calls this request has made before to the same target and variant. */
  readonly repeat: number;
  readonly nowMs: number;
};

export type Reply = {
  readonly atMs: number;
  /** Undefined: it answered. */
  readonly failure: FailureReason | undefined;
  /** As the place says itself; null where it does not. */
  readonly computeMs: number | null;
  readonly costNanos: number;
};

export type Bill = {
  readonly gatewayNanos: number;
  readonly byKind: ReadonlyMap<TargetKind, number>;
  readonly idleNanos: number;
};

type Place = {
  readonly spec: TargetSpec;
  readonly kind: TargetKind;
  readonly rttMs: readonly number[];
  readonly fleet: Fleet | undefined;
  /** Equal for places of one kind: the first of them. */
  readonly machine: number;
  readonly outages: readonly Outage[];
  /** Processor time by variant number; undefined where it is not served. */
  readonly computeMs: readonly (Spread | undefined)[];
};

const PURPOSES_PER_CALL = 8;
const NEVER_MS = Infinity;

export class World {
  readonly #options: WorldOptions;
  readonly #places: readonly Place[];
  readonly #isolateBusyUntilMs: Float64Array;
  readonly #isolateSeenAtMs: Float64Array;
  readonly #byKind = new Map<TargetKind, number>();
  #gatewayNanos = 0;
  #untilMs = 0;

  constructor(options: WorldOptions) {
    this.#options = options;
    this.#places = options.config.targets.map((spec) => placeOf(spec, options));
    this.#isolateBusyUntilMs = new Float64Array(options.pops).fill(-Infinity);
    this.#isolateSeenAtMs = new Float64Array(options.pops).fill(-Infinity);
  }

  /** The gateway takes a request in; @returns when it has its attention. */
  enter(pop: number, nowMs: number): { readonly atMs: number; readonly costNanos: number } {
    const seenAtMs = this.#isolateSeenAtMs[pop] ?? -Infinity;
    const startMs = nowMs - seenAtMs > assumed.ISOLATE_IDLE_MS ? assumed.ISOLATE_START_MS : 0;
    this.#isolateSeenAtMs[pop] = nowMs;
    const costNanos = gatewayCostNanos(this.#options.config.gateway_price);
    this.#gatewayNanos += costNanos;
    return { atMs: this.#compute(pop, nowMs, startMs + assumed.GATEWAY_CPU_MS), costNanos };
  }

  call(call: Call): Reply {
    const place = this.#place(call.target);
    const reply = place.fleet === undefined ? this.#edge(place, call) : this.#cloud(place, place.fleet, call);
    this.#byKind.set(place.kind, (this.#byKind.get(place.kind) ?? 0) + reply.costNanos);
    if (reply.atMs !== NEVER_MS) this.#untilMs = Math.max(this.#untilMs, reply.atMs);
    return reply;
  }

  /** What the call would take on a warm, free place; Infinity where the place does not serve the variant or is down. */
  aloneMs(call: Call): number {
    const place = this.#place(call.target);
    const compute = this.#computeMs(place, call);
    if (compute === undefined) return Infinity;
    if (place.fleet === undefined) return compute;
    if (outageAt(place, call.nowMs) !== undefined) return Infinity;
    return this.#rttMs(place, call) + this.#overheadMs(place, call) + compute;
  }

  /** What the call would be billed on a warm place; instances by the configuration's share. */
  aloneCostNanos(call: Call): number {
    const place = this.#place(call.target);
    return costOf(place.spec.price, this.#computeMs(place, call) ?? 0);
  }

  bill(untilMs: number): Bill {
    let idleNanos = 0;
    for (const { spec, fleet } of this.#places) {
      if (fleet === undefined || spec.price.kind !== 'instance') continue;
      idleNanos += nanosFromUsd(fleet.instanceHours(Math.max(untilMs, this.#untilMs)) * spec.price.usd_per_hour);
    }
    return { gatewayNanos: this.#gatewayNanos, byKind: new Map(this.#byKind), idleNanos };
  }

  #edge(place: Place, call: Call): Reply {
    const computeMs = this.#computeMs(place, call);
    if (computeMs === undefined) return { atMs: call.nowMs, failure: 'model_broken', computeMs: 0, costNanos: 0 };
    const atMs = this.#compute(call.pop, call.nowMs, computeMs);
    return { atMs, failure: undefined, computeMs: null, costNanos: costOf(place.spec.price, computeMs) };
  }

  #cloud(place: Place, fleet: Fleet, call: Call): Reply {
    const rttMs = this.#rttMs(place, call);
    const outage = outageAt(place, call.nowMs);
    if (outage?.how === 'hang') return { atMs: NEVER_MS, failure: 'timeout', computeMs: null, costNanos: 0 };
    if (outage !== undefined)
      return { atMs: call.nowMs + rttMs, failure: 'connect_failed', computeMs: 0, costNanos: 0 };
    const computeMs = this.#computeMs(place, call);
    if (computeMs === undefined) return { atMs: call.nowMs + rttMs, failure: 'rejected', computeMs: 0, costNanos: 0 };
    const arrivesAtMs = call.nowMs + rttMs / 2 + this.#overheadMs(place, call);
    const coldMs = logNormal(
      place.kind === 'lambda' ? assumed.FUNCTION_COLD_START : assumed.SERVERLESS_COLD_START,
      this.#draw(call, 4),
    );
    const placed = fleet.place(arrivesAtMs, computeMs, coldMs, this.#draw(call, 5));
    if (placed.kind === 'throttled')
      return { atMs: arrivesAtMs + rttMs / 2, failure: 'throttled', computeMs: 0, costNanos: 0 };
    // What an instance costs is counted by the hour, used or not.
    const costNanos = place.spec.price.kind === 'instance' ? 0 : attemptCostNanos(place.spec.price, placed.busyMs);
    return { atMs: placed.endsAtMs + rttMs / 2, failure: undefined, computeMs: placed.busyMs, costNanos };
  }

  /** One thread: requests of a point of presence wait for one another. */
  #compute(pop: number, nowMs: number, computeMs: number): number {
    const endsAtMs = Math.max(nowMs, this.#isolateBusyUntilMs[pop] ?? nowMs) + computeMs;
    this.#isolateBusyUntilMs[pop] = endsAtMs;
    return endsAtMs;
  }

  #rttMs(place: Place, call: Call): number {
    const lost = this.#draw(call, 1) < assumed.LOSS_RATE ? assumed.RETRANSMIT_MS : 0;
    return (place.rttMs[call.pop] ?? 0) + exponential(assumed.JITTER_MEAN_MS, this.#draw(call, 0)) + lost;
  }

  #overheadMs(place: Place, call: Call): number {
    const overhead = place.kind === 'lambda' ? assumed.FUNCTION_OVERHEAD : assumed.ENDPOINT_OVERHEAD;
    return logNormal(overhead, this.#draw(call, 2));
  }

  #computeMs(place: Place, call: Call): number | undefined {
    const spread = place.computeMs[call.variant];
    if (spread === undefined) return undefined;
    // The same work in every region: of equal machines none is cheaper.
    return logNormal(spread, this.#draw({ ...call, target: place.machine }, 3));
  }

  /** Network and overhead of another place are other luck; so is a repeated call. */
  #draw({ request, target, variant, repeat }: Call, what: number): number {
    const purpose = ((repeat * 64 + target) * 16 + variant) * PURPOSES_PER_CALL + what;
    return drawFor(this.#options.seed, request, purpose);
  }

  #place(target: number): Place {
    const place = this.#places[target];
    if (place === undefined) throw new RangeError(`there is no target ${target}`);
    return place;
  }
}

/** At the edge, handling an input costs too, whatever the variant. */
function costOf(price: PriceSpec, computeMs: number): number {
  return attemptCostNanos(price, price.kind === 'edge_cpu' ? price.cpu_ms_per_item + computeMs : computeMs);
}

function outageAt(place: Place, atMs: number): Outage | undefined {
  for (const outage of place.outages) if (atMs >= outage.fromMs && atMs < outage.toMs) return outage;
  return undefined;
}

function placeOf(spec: TargetSpec, options: WorldOptions): Place {
  const { kind } = spec.endpoint;
  const model = options.config.models[0]?.name;
  return {
    spec,
    kind,
    rttMs: options.rttMs.get(spec.region) ?? [],
    machine: options.config.targets.findIndex(({ endpoint }) => endpoint.kind === kind),
    fleet: fleetOf(spec, options),
    outages: options.outages.filter(({ region }) => region === spec.region),
    computeMs: options.variants.map((variant, number) => {
      const served = spec.serves.find((it) => it.model === model && it.variant === variant);
      if (served === undefined) return undefined;
      // In the isolate the prior is the whole time; behind a network it holds the way there too.
      if (kind === 'edge') return { p50Ms: served.latency_prior.p50_ms, p95Ms: served.latency_prior.p95_ms };
      return options.serverComputeMs[number];
    }),
  };
}

/** What is paid by the hour stands there; everything else starts on demand. */
function fleetOf({ endpoint, price }: TargetSpec, { slow, replicas }: WorldOptions): Fleet | undefined {
  if (endpoint.kind === 'edge') return undefined;
  if (price.kind === 'instance') {
    const isScaled = replicas === undefined;
    return new InstanceFleet({ instances: replicas ?? 1, concurrency: price.concurrency, isScaled, slow });
  }
  const limit = endpoint.kind === 'lambda' ? assumed.FUNCTION_CONCURRENCY : assumed.SERVERLESS_CONCURRENCY;
  return new OnDemandFleet(limit, slow);
}
