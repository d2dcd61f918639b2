/**
 * Runs a request's plan with all that the request brings: its caller's signal, its place in the caches, the canary it may be.
 * Owns that wiring only; running is execute.ts.
 */
import type { Plan } from '../../shared/decide/plan-types.ts';
import { execute, type Execution } from './execute.ts';
import type { Incoming } from './incoming.ts';
import type { AnswerKey } from './keep-answer.ts';
import { canaryOutcome } from './respond.ts';
import type { Services } from './services.ts';
import type { CachedAnswer } from './stored-answer.ts';
import type { Trip } from './trip.ts';
import { keepWaking } from './wake.ts';
import { warmTooCold } from './warm.ts';

/** `shared`: an answer of another isolate, found before anything left this one. */
export type Ran = { readonly execution: Execution; readonly shared: CachedAnswer | undefined };

/** Of the time that is left: the place behind the shared cache must still have its chance. */
const LOOK_SHARE = 0.25;

export async function runPlan(
  plan: Plan,
  key: AnswerKey,
  trip: Trip,
  services: Services,
  incoming: Incoming,
): Promise<Ran> {
  const { config } = trip.inForce;
  const { request, served } = trip.mustHaveParsed();
  const { clock, state } = services;
  trip.plan = plan;
  warmTooCold(plan, served.model.name, trip.targets);
  const startedAtMs = clock.now();
  if (plan.canary !== undefined) state.canaryStarted(plan.canary, startedAtMs);
  let shared: CachedAnswer | undefined;
  const execution = await execute({
    requestId: incoming.requestId,
    trace: incoming.trace,
    request,
    served,
    plan,
    deadlineAtMs: trip.deadlineAtMs,
    gatewayCostNanos: trip.gatewayCostNanos,
    breakerPolicy: config.breaker,
    retryBudget: config.retry_budget,
    signal: incoming.signal,
    clock,
    state,
    targetOf: (id) => trip.targets.get(id),
    onText: incoming.textListener?.(),
    onNotReady: (target, call, retryAfterMs) =>
      keepWaking(target, call, retryAfterMs, services, config.breaker, incoming.keepAlive),
    beforeRemote: async () => {
      const mostMs = LOOK_SHARE * (trip.deadlineAtMs - clock.now());
      shared = key.readable ? await services.cache.shared(key.text, mostMs) : undefined;
      return shared !== undefined;
    },
  });
  trip.execution = execution;
  if (plan.canary !== undefined) state.canaryEnded(plan.canary, canaryOutcome(execution), startedAtMs, clock.now());
  return { execution, shared };
}
