/**
 * An upstream request's input against its model's card. Owns the checks and the decoding of pixels.
 */
import { GatewayError } from '../../shared/errors.ts';
import type { ModelInputSpec } from '../../shared/schema/card.ts';
import type { ModelInput } from '../../shared/schema/infer-request.ts';
import type { UpstreamRequest } from '../../shared/schema/upstream.ts';

/** Far above any gateway's batch; bounds the memory that one request can claim. */
const MAX_ITEMS = 4096;

const FLOAT_BYTES = 4;
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

export function readInput(input: UpstreamRequest['input'], spec: ModelInputSpec): ModelInput {
  const items = input.kind === 'text' ? input.texts.length : input.count;
  if (items > MAX_ITEMS)
    throw new GatewayError('batch_too_large', `At most ${MAX_ITEMS} inputs a request.`, { field: 'input' });
  if (input.kind !== spec.kind) {
    throw new GatewayError('invalid_input', `The model reads ${spec.kind} input.`, { field: 'input.kind' });
  }
  return input.kind === 'text' ? { kind: 'text', texts: input.texts } : readImages(input, spec);
}

type UpstreamImages = Extract<UpstreamRequest['input'], { kind: 'image' }>;

function readImages(input: UpstreamImages, spec: ModelInputSpec): ModelInput {
  if (
    spec.kind !== 'image' ||
    input.height !== spec.height ||
    input.width !== spec.width ||
    input.channels !== spec.channels
  ) {
    const wanted = spec.kind === 'image' ? `${spec.height}x${spec.width}x${spec.channels}` : 'no';
    throw new GatewayError('invalid_input', `The model reads ${wanted} images.`, { field: 'input.height' });
  }
  const size = input.height * input.width * input.channels;
  if (!BASE64.test(input.pixels_base64)) {
    throw new GatewayError('invalid_input', 'pixels_base64 is not base64.', { field: 'input.pixels_base64' });
  }
  const bytes = Buffer.from(input.pixels_base64, 'base64');
  if (bytes.byteLength !== input.count * size * FLOAT_BYTES) {
    throw new GatewayError('invalid_input', `pixels_base64 must hold ${input.count} x ${size} float32 values.`, {
      field: 'input.pixels_base64',
    });
  }
  const images = Array.from({ length: input.count }, (_, index) => readFloats(bytes, index * size, size));
  return { kind: 'image', height: input.height, width: input.width, channels: input.channels, images };
}

function readFloats(bytes: Buffer, from: number, count: number): Float32Array {
  const values = new Float32Array(count);
  for (let index = 0; index < count; index += 1) {
    const value = bytes.readFloatLE((from + index) * FLOAT_BYTES);
    if (!Number.isFinite(value)) {
      throw new GatewayError('invalid_input', 'A pixel is not a finite number.', { field: 'input.pixels_base64' });
    }
    values[index] = value;
  }
  return values;
}
