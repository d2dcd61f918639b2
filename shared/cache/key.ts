/**
 * The canonical form of a request: two requests with the same key may share an answer, two with different keys never do.
 * Partitioned by tenant first, so that no tenant is ever served another's answer. Holds the input itself: never log a key.
 */
import { sha256, toHex } from '../hash/sha256.ts';
import type { InferRequest } from '../schema/infer-request.ts';
import type { ModelInput } from '../schema/model-input.ts';
import type { NamedTensor } from '../schema/tensor.ts';

export type CacheScope = {
  readonly tenant: string;
  /** Model version and route as in force: a new one starts with an empty cache. */
  readonly modelVersion: string;
  readonly routeFingerprint: string;
};

/**
 * Latency, priority and cost cap do not change what a right answer is, so they are left out;
 * accuracy, complexity, placement and a pinned variant do.
 */
export function cacheKey(request: InferRequest, scope: CacheScope): string {
  const { requirements } = request;
  return JSON.stringify([
    scope.tenant,
    request.modelName,
    scope.modelVersion,
    scope.routeFingerprint,
    requirements.variant ?? '',
    requirements.placement,
    requirements.complexity,
    requirements.minAccuracy ?? 0,
    canonicalInput(request.input),
  ]);
}

/** Text counts as written: case and spacing can matter to a larger model. Pixels count exactly. */
function canonicalInput(input: ModelInput): unknown {
  switch (input.kind) {
    case 'text':
      return input.texts;
    case 'image':
      return input.images.map((pixels) => floatsAsText(pixels));
    case 'numbers':
      return input.rows.map((row) => floatsAsText(row));
    case 'tensors':
      return input.tensors.map((tensor) => canonicalTensor(tensor));
    case 'chat':
      return [input.messages, input.maxTokens, input.temperature, input.topP, input.stop, input.seed];
  }
}

function canonicalTensor({ name, datatype, shape, bytes }: NamedTensor): unknown {
  return [name, datatype, shape, toHex(sha256(bytes))];
}

function floatsAsText(values: Float32Array): string {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  let text = '';
  for (const value of bits) text += `${value.toString(36)},`;
  return text;
}
