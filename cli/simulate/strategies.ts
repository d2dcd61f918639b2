/**
 * Who chooses: the product's own core under one of its policies, or one of the things it is compared with. Owns making a
 * plan for a request; running it is replay.ts, the same for all of them.
 */
import { decide } from '../../shared/decide/plan.ts';
import type { Facts } from '../../shared/decide/facts.ts';
import type { Plan, PlannedAttempt } from '../../shared/decide/plan-types.ts';
import { gatewayCostNanos } from '../../shared/measure/pricing.ts';
import type { Config, ModelSpec, RouteSpec, TargetSpec } from '../../shared/schema/config.ts';
import type { Requirements } from '../../shared/schema/infer-request.ts';
import type { IsolateState } from '../../worker/isolate-state.ts';

/** What a chooser may know of a request when it arrives. */
export type Ask = {
  readonly request: number;
  readonly pop: number;
  readonly nowMs: number;
  readonly deadlineAtMs: number;
  readonly latencyMs: number | undefined;
  /** What the isolate at this point of presence has seen. */
  readonly state: IsolateState;
  /** The request's one draw, 0 <= random < 1. */
  readonly random: number;
};

export type Strategy = {
  readonly name: string;
  /** Whether breakers and budgets are asked, as the product does; what follows a fixed plan just calls. */
  readonly isGuarded: boolean;
  /** Whose budgets are spent. */
  readonly route: RouteSpec;
  plan(ask: Ask): Plan;
};

/** A sentence of at most this size; what matters is only that every place takes it. */
const INPUT_BYTES = 400;

const NO_REQUIREMENTS: Requirements = {
  latencyMs: undefined,
  complexity: 'auto',
  priority: 'normal',
  minAccuracy: undefined,
  maxCostNanos: undefined,
  placement: 'any',
  variant: undefined,
};

export type Served = { readonly config: Config; readonly model: ModelSpec; readonly route: RouteSpec };

/** The product: the very core that the worker runs. */
export function gateway(name: string, { config, model, route }: Served, wanted: Partial<Requirements> = {}): Strategy {
  const requirements: Requirements = { ...NO_REQUIREMENTS, ...wanted };
  const edge = config.targets.find(({ endpoint }) => endpoint.kind === 'edge' && endpoint.runtime !== 'onnx');
  return {
    name,
    isGuarded: true,
    route,
    plan({ nowMs, deadlineAtMs, latencyMs, state, random }) {
      const facts: Facts = {
        nowMs,
        deadlineAtMs,
        random,
        requirements: latencyMs === undefined ? requirements : { ...requirements, latencyMs },
        itemCount: 1,
        inputBytes: INPUT_BYTES,
        model,
        route,
        targets: config.targets.map((spec) => state.targetState(spec, undefined, model.name, nowMs)),
        edgeLoad: state.edgeLoad(edge, nowMs),
        arms: state.arms,
        mayRetry: state.mayRetry(config.retry_budget),
        budgetNanos: state.budgetNanos(route, nowMs),
        gatewayPrice: config.gateway_price,
      };
      return decide(facts);
    },
  };
}

/** One place and variant of a fixed plan. */
export type Stop = { readonly target: number; readonly variant: string; readonly acceptConfidence: number };

/** A plan that looks at nothing: what its name says, in this order, whatever happens. */
export function fixed(
  name: string,
  { config, model, route }: Served,
  stopsFor: (ask: Ask) => readonly Stop[],
): Strategy {
  const gatewayNanos = gatewayCostNanos(config.gateway_price);
  return {
    name,
    isGuarded: false,
    route,
    plan(ask) {
      const leftMs = ask.deadlineAtMs - ask.nowMs;
      return {
        policy: name,
        policyKind: 'cascade',
        canary: undefined,
        reason: name,
        attempts: stopsFor(ask).map((stop) => plannedAt(stop, config.targets, model, leftMs)),
        refused: [],
        missed: [],
        predicted: { latencyMs: 0, inTimeRatio: 1, costNanos: gatewayNanos, accuracy: 0 },
        maxCostNanos: undefined,
        retryAfterMs: undefined,
        gatewayCostNanos: gatewayNanos,
        cloudOnlyCostNanos: gatewayNanos,
      };
    },
  };
}

const CLOUD_ROOM_MS = 1_000;

function plannedAt(
  { target, variant, acceptConfidence }: Stop,
  targets: readonly TargetSpec[],
  model: ModelSpec,
  leftMs: number,
): PlannedAttempt {
  const spec = targets[target];
  if (spec === undefined) throw new RangeError(`there is no target ${target}`);
  return {
    target: spec.id,
    kind: spec.endpoint.kind,
    region: spec.region,
    variant,
    role: 'primary',
    acceptConfidence,
    isSpeculative: false,
    hedgeAfterMs: null,
    hedgeOf: null,
    timeoutMs: Math.min(spec.timeout_ms, leftMs),
    // What is left for the next place after this one: a second, as a careful client leaves.
    predictedP50Ms: spec.endpoint.kind === 'edge' ? 0 : CLOUD_ROOM_MS,
    predictedP95Ms: 0,
    neededMs: 0,
    patienceMs: Infinity,
    inTimeRatio: 1,
    predictedCostNanos: 0,
    priceRatio: 1,
    predictedAcceptedRatio: 1,
    predictedConfidence: 1,
    predictedAccuracy: model.variants.find((it) => it.name === variant)?.accuracy ?? 0,
  };
}
