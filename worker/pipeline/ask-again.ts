/**
 * Asks one variant about inputs that were answered already, by the same core as any request: for audits and shadows.
 * In the background, at the lowest priority, with its own time; whatever it comes to never touches the answer.
 */
import { decide } from '../../shared/decide/plan.ts';
import type { RouteSpec } from '../../shared/schema/config.ts';
import type { InferRequest, Placement } from '../../shared/schema/infer-request.ts';
import { selectInputs } from '../../shared/schema/model-input.ts';
import { admit } from './admit.ts';
import { execute, type Execution } from './execute.ts';
import { factsOf } from './facts-of.ts';
import type { Incoming } from './incoming.ts';
import type { Services } from './services.ts';
import type { Trip } from './trip.ts';

/** A worker may work on for 30 s after its answer. */
const DEADLINE_MS = 20_000;

export type AskedAgain = {
  readonly positions: readonly number[];
  readonly variant: string;
  /** The only place to ask; undefined: any that serves the variant. */
  readonly target: string | undefined;
  readonly placement: Placement;
};

/** Not while requests are being shed: what runs in the background goes first. */
export function hasRoomForMore(trip: Trip, services: Services): boolean {
  try {
    admit('low', services.state, services.clock.now(), trip.inForce.config.limits);
    return true;
  } catch {
    return false;
  }
}

export function askAgain(asked: AskedAgain, trip: Trip, services: Services, incoming: Incoming): Promise<Execution> {
  const { request, served } = trip.mustHaveParsed();
  const deadlineAtMs = services.clock.now() + DEADLINE_MS;
  const route = plainRoute(served.route);
  const again: InferRequest = {
    ...request,
    input: selectInputs(request.input, asked.positions),
    requirements: {
      latencyMs: DEADLINE_MS,
      complexity: 'auto',
      priority: 'low',
      minAccuracy: undefined,
      maxCostNanos: undefined,
      placement: asked.placement,
      variant: asked.variant,
    },
  };
  const facts = factsOf(trip, services, incoming.keepAlive);
  const plan = decide({
    ...facts,
    deadlineAtMs,
    requirements: again.requirements,
    itemCount: asked.positions.length,
    route,
    targets: facts.targets.filter(({ spec }) => asked.target === undefined || spec.id === asked.target),
    budgetNanos: undefined,
  });
  return execute({
    requestId: incoming.requestId,
    request: again,
    served: { ...served, route },
    plan,
    deadlineAtMs,
    gatewayCostNanos: 0,
    breakerPolicy: trip.inForce.config.breaker,
    retryBudget: trip.inForce.config.retry_budget,
    // The caller may leave; this goes on.
    signal: new AbortController().signal,
    clock: services.clock,
    state: services.state,
    targetOf: (id) => trip.targets.get(id),
    beforeRemote: async () => false,
  });
}

/** Without what the route does for its callers: no arms, no hedges, no budget of theirs. */
function plainRoute(route: RouteSpec): RouteSpec {
  const { name, model, default_deadline_ms, deadline_probability, cache } = route;
  return { name, model, policy: { kind: 'cheapest' }, default_deadline_ms, deadline_probability, cache };
}
