/**
 * Gathers what the core decides from: the request, the configuration in force, what this isolate has seen.
 */
import type { Facts } from '../../shared/decide/facts.ts';
import { acceptConfidenceOf } from '../../shared/guard/shortcuts.ts';
import { inputCount, type ModelInput } from '../../shared/schema/model-input.ts';
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
    caller: {
      tenant: trip.caller?.tenant ?? '',
      requestId: trip.requestId,
      metadata: request.metadata ?? NO_METADATA,
    },
    requirements: request.requirements,
    itemCount: inputCount(request.input),
    inputBytes: inputBytes(request.input),
    inputChars: inputChars(request.input),
    model: served.model,
    route: served.route,
    targets: served.targets.map((spec) =>
      services.state.targetState(spec, trip.targets.get(spec.id), served.model.name, nowMs),
    ),
    edgeLoad: services.state.edgeLoad(served.targets.find(isOwnPlace), nowMs),
    arms: services.state.arms,
    budgetNanos: services.state.budgetNanos(served.route, nowMs),
    acceptConfidenceOf:
      served.route.guarantee === undefined
        ? undefined
        : acceptConfidenceOf(services.guard.standings(served.route, served.model, keepAlive)),
    gatewayPrice: config.gateway_price,
  };
}

const NO_METADATA = {};

/** Whose CPU is this isolate's. */
function isOwnPlace({ endpoint }: TargetSpec): boolean {
  return endpoint.kind === 'edge' && endpoint.runtime !== 'onnx';
}

/** Of the longest text. */
function inputChars(input: ModelInput): number | undefined {
  switch (input.kind) {
    case 'text':
      return input.texts.reduce((most, text) => Math.max(most, text.length), 0);
    case 'chat':
      return input.messages.reduce((total, { content }) => total + content.length, 0);
    case 'image':
    case 'numbers':
    case 'tensors':
      return undefined;
  }
}

const ENVELOPE_BYTES = 256;

/** As it would be sent upstream: UTF-8 JSON for text (escapes included, at worst), base64 float32 for pixels and numbers. */
function inputBytes(input: ModelInput): number {
  switch (input.kind) {
    case 'text':
      return input.texts.reduce((total, text) => total + textBytes(text), ENVELOPE_BYTES);
    case 'image':
      return ENVELOPE_BYTES + base64FloatBytes(input.images.length * input.height * input.width * input.channels);
    case 'numbers':
      return ENVELOPE_BYTES + base64FloatBytes(input.rows.length * input.size);
    case 'tensors':
      return input.tensors.reduce((total, tensor) => total + tensor.bytes.byteLength, ENVELOPE_BYTES);
    case 'chat':
      return input.messages.reduce((total, { content }) => total + textBytes(content), ENVELOPE_BYTES);
  }
}

function textBytes(text: string): number {
  return 3 * text.length + 3;
}

function base64FloatBytes(count: number): number {
  return Math.ceil((count * Float32Array.BYTES_PER_ELEMENT) / 3) * 4;
}
