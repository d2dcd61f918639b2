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
import { factsOf } from './facts-of.ts';
import { identify } from './identify.ts';
import type { Incoming, Outcome } from './incoming.ts';
import { parse } from './parse.ts';
import { decisionFrom, failureOf, fromCache, fromExecution } from './respond.ts';
import { runPlan } from './run-plan.ts';
import type { Services } from './services.ts';
import { shadowAnswer } from './shadow-answer.ts';
import { Trip } from './trip.ts';

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
  const wire = await incoming.read(config.limits);
  trip.begin();
  trip.parsed = await parse(wire, config, incoming.parseInput);
  admit(trip.parsed.request.requirements.priority, services.state, services.clock.now(), config.limits);

  const key = cacheScope(trip, services);
  const found = key.readable ? services.cache.local(key.text) : undefined;
  if (found !== undefined) return answered(fromCache(found, 'hit', 'an exact answer was cached', [], trip.actual()));

  const plan = decide(factsOf(trip, services, incoming.keepAlive));
  const { execution, shared } = await runPlan(plan, key, trip, services, incoming);
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
