/**
 * The way of a request: identify, parse, admit, look up, decide, execute, record, respond.
 * Identify comes before parse, because an unknown caller should cost nothing and learn nothing.
 */
import { asGatewayError, type GatewayError } from '../../shared/errors.ts';
import { decide } from '../../shared/decide/plan.ts';
import type { AnsweredItem } from '../../shared/schema/infer-result.ts';
import { admit } from './admit.ts';
import { auditAnswer } from './audit-answer.ts';
import { cacheScope, keepAnswer } from './keep-answer.ts';
import { execute } from './execute.ts';
import { factsOf } from './facts-of.ts';
import { identify } from './identify.ts';
import type { Incoming, Outcome } from './incoming.ts';
import type { CachedAnswer } from './lookup.ts';
import { parse } from './parse.ts';
import { canaryOutcome, decisionFrom, failureOf, fromCache, fromExecution } from './respond.ts';
import type { Services } from './services.ts';
import { warmTooCold } from './warm.ts';
import { shadowAnswer } from './shadow-answer.ts';
import { Trip } from './trip.ts';
import { keepWaking } from './wake.ts';

export async function handle(incoming: Incoming, services: Services): Promise<Outcome> {
  const trip = new Trip(incoming, services, await services.config.ready(incoming.keepAlive));
  try {
    return trip.end(await answer(trip, incoming, services));
  } catch (error) {
    return trip.end({ kind: 'failed', error: asGatewayError(error), decision: null });
  }
}

async function answer(trip: Trip, incoming: Incoming, services: Services): Promise<Outcome> {
  const { config } = trip.inForce;
  trip.caller = incoming.caller ?? (await identify(incoming.apiKey, 'infer', trip.inForce, services.access));
  trip.parsed = await parse(await incoming.read(config.limits), config, incoming.parseInput);
  const { request, served } = trip.parsed;
  admit(request.requirements.priority, services.state, services.clock.now(), config.limits);

  const key = cacheScope(trip.caller, trip.parsed);
  const found = key.readable ? services.cache.local(key.text) : undefined;
  if (found !== undefined) return answered(fromCache(found, 'hit', 'an exact answer was cached', [], trip.actual()));

  const plan = decide(factsOf(trip, services, incoming.keepAlive));
  trip.plan = plan;
  warmTooCold(plan, served.model.name, trip.targets);
  if (plan.canary !== undefined) services.state.canaryStarted(plan.canary, services.clock.now());
  let shared: CachedAnswer | undefined;
  const execution = await execute({
    requestId: incoming.requestId,
    request,
    served,
    plan,
    deadlineAtMs: trip.deadlineAtMs,
    gatewayCostNanos: trip.gatewayCostNanos,
    breakerPolicy: config.breaker,
    retryBudget: config.retry_budget,
    signal: incoming.signal,
    clock: services.clock,
    state: services.state,
    targetOf: (id) => trip.targets.get(id),
    onText: incoming.textListener?.(),
    onNotReady: (target, call, retryAfterMs) =>
      keepWaking(target, call, retryAfterMs, services, config.breaker, incoming.keepAlive),
    beforeRemote: async () => {
      shared = key.readable ? await services.cache.shared(key.text) : undefined;
      return shared !== undefined;
    },
  });
  trip.execution = execution;
  if (plan.canary !== undefined)
    services.state.canaryEnded(plan.canary, canaryOutcome(execution), services.clock.now());
  if (shared !== undefined) {
    return answered(
      fromCache(shared, 'hit', 'an exact answer was in the shared cache', execution.attempts, trip.actual()),
    );
  }
  const items = execution.items.filter((item): item is AnsweredItem => item !== undefined);
  if (items.length === execution.items.length && execution.finish !== 'cancelled') {
    keepAnswer(items, trip, key, services, incoming);
    auditAnswer(items, trip, services, incoming);
    shadowAnswer(items, trip, services, incoming);
    return answered(fromExecution(plan, execution, items, trip.actual()));
  }

  const error = failureOf(plan, execution);
  const stale = staleMayStandIn(error) && key.readable ? await services.cache.stale(key.text) : undefined;
  if (stale !== undefined) {
    return answered(
      fromCache(stale, 'stale', `${error.message} A stale cached answer stands in.`, execution.attempts, trip.actual()),
    );
  }
  return { kind: 'failed', error, decision: decisionFrom(plan, execution, trip.actual(), trip.lastTarget()) };
}

function answered(result: Extract<Outcome, { kind: 'answered' }>['result']): Outcome {
  return { kind: 'answered', result };
}

function staleMayStandIn(error: GatewayError): boolean {
  return error.code === 'chain_exhausted' || error.code === 'deadline_exceeded' || error.code === 'target_unavailable';
}
