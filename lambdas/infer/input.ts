/**
 * An upstream request's input against its model's card. Owns the checks and the decoding of pixels.
 */
import { GatewayError } from '../../shared/errors.ts';
import type { ModelInputSpec } from '../../shared/schema/card.ts';
import type { ImageInput, NumbersInput, TextInput } from '../../shared/schema/model-input.ts';
import type { UpstreamRequest } from '../../shared/schema/upstream.ts';

/** What this server takes. */
export type ServerInput = TextInput | ImageInput | NumbersInput;

/** Far above any gateway's batch; bounds the memory that one request can claim. */
const MAX_ITEMS = 4096;

const FLOAT_BYTES = 4;
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

export function readInput(input: UpstreamRequest['input'], spec: ModelInputSpec): ServerInput {
  const items = input.kind === 'text' ? input.texts.length : input.count;
  if (items > MAX_ITEMS)
    throw new GatewayError('batch_too_large', `At most ${MAX_ITEMS} inputs a request.`, { field: 'input' });
  if (input.kind !== spec.kind) {
    throw new GatewayError('invalid_input', `The model reads ${spec.kind} input.`, { field: 'input.kind' });
  }
  switch (input.kind) {
    case 'text':
      return { kind: 'text', texts: input.texts };
    case 'image':
      return readImages(input, spec);
    case 'numbers':
      return readNumbers(input, spec);
  }
}

type UpstreamNumbers = Extract<UpstreamRequest['input'], { kind: 'numbers' }>;

function readNumbers(input: UpstreamNumbers, spec: ModelInputSpec): ServerInput {
  if (spec.kind !== 'numbers' || input.size !== spec.size) {
    const wanted = spec.kind === 'numbers' ? String(spec.size) : 'no';
    throw new GatewayError('invalid_input', `The model reads ${wanted} numbers.`, { field: 'input.size' });
  }
  const rows = readRows(input.values_base64, input.count, input.size, 'values_base64');
  return { kind: 'numbers', size: input.size, rows };
}

type UpstreamImages = Extract<UpstreamRequest['input'], { kind: 'image' }>;

function readImages(input: UpstreamImages, spec: ModelInputSpec): ServerInput {
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
  const images = readRows(input.pixels_base64, input.count, size, 'pixels_base64');
  return { kind: 'image', height: input.height, width: input.width, channels: input.channels, images };
}

function readRows(base64: string, count: number, size: number, name: string): Float32Array[] {
  const field = `input.${name}`;
  if (!BASE64.test(base64)) throw new GatewayError('invalid_input', `${name} is not base64.`, { field });
  const bytes = Buffer.from(base64, 'base64');
  if (bytes.byteLength !== count * size * FLOAT_BYTES) {
    throw new GatewayError('invalid_input', `${name} must hold ${count} x ${size} float32 values.`, { field });
  }
  return Array.from({ length: count }, (_, index) => readFloats(bytes, index * size, size, field));
}

function readFloats(bytes: Buffer, from: number, count: number, field: string): Float32Array {
  const values = new Float32Array(count);
  for (let index = 0; index < count; index += 1) {
    const value = bytes.readFloatLE((from + index) * FLOAT_BYTES);
    if (!Number.isFinite(value)) {
      throw new GatewayError('invalid_input', 'A value is not a finite number.', { field });
    }
    values[index] = value;
  }
  return values;
}
