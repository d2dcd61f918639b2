/**
 * Gathers what the core decides from: the request, the configuration in force, what this isolate has seen.
 */
import type { Facts } from '../../shared/decide/facts.ts';
import { acceptConfidenceOf } from '../../shared/guard/shortcuts.ts';
import { inputCount } from '../../shared/schema/model-input.ts';
import { inputBytes, inputChars } from './input-size.ts';
import type { TargetSpec } from '../../shared/schema/config.ts';
import type { KeepAlive } from '../ports.ts';
import type { Services } from './services.ts';
import type { Trip } from './trip.ts';

export function factsOf(trip: Trip, services: Services, keepAlive: KeepAlive): Facts {
  const { request, served } = trip.mustHaveParsed();
  const nowMs = services.clock.now();
  const { config } = trip.inForce;
  return {
    nowMs,
    deadlineAtMs: trip.deadlineAtMs,
    random: trip.random,
    caller: callerOf(trip),
    requirements: request.requirements,
    itemCount: inputCount(request.input),
    inputBytes: inputBytes(request.input),
    inputChars: inputChars(request.input),
    difficulty: difficultyOf(trip, services, keepAlive),
    model: served.model,
    route: served.route,
    targets: served.targets.map((spec) =>
      services.state.targetState(spec, trip.targets.get(spec.id), served.model.name, nowMs),
    ),
    edgeLoad: services.state.edgeLoad(served.targets.find(isOwnPlace), nowMs),
    arms: services.state.arms,
    mayRetry: services.state.mayRetry(config.retry_budget),
    budgetNanos: services.state.budgetNanos(served.route, nowMs),
    acceptConfidenceOf:
      served.route.guarantee === undefined
        ? undefined
        : acceptConfidenceOf(services.guard.standings(served.route, served.model, keepAlive)),
    gatewayPrice: config.gateway_price,
  };
}

/** Who asks, as far as rules and sticky arms may look. */
export function callerOf(trip: Trip): NonNullable<Facts['caller']> {
  const { request } = trip.mustHaveParsed();
  return {
    tenant: trip.caller?.tenant ?? '',
    requestId: trip.requestId,
    metadata: request.metadata ?? NO_METADATA,
  };
}

/** Only where the route looks at it, and the caller has not said it himself. */
function difficultyOf(trip: Trip, { difficulty }: Services, keepAlive: KeepAlive): number | undefined {
  const { request, served } = trip.mustHaveParsed();
  const { input, requirements } = request;
  if (served.route.skip_above_difficulty === undefined || requirements.complexity !== 'auto') return undefined;
  switch (input.kind) {
    case 'text':
      return difficulty.of(input.texts, keepAlive);
    case 'chat':
      return difficulty.of([input.messages.at(-1)?.content ?? ''], keepAlive);
    case 'image':
    case 'numbers':
    case 'tensors':
      return undefined;
  }
}

const NO_METADATA = {};

/** Whose CPU is this isolate's. */
function isOwnPlace({ endpoint }: TargetSpec): boolean {
  return endpoint.kind === 'edge' && endpoint.runtime !== 'onnx';
}
