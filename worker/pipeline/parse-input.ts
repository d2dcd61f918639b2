/**
 * `input_data` against the model's input specification: text, numbers or base64 images, one or a batch.
 * Returns inputs that any place can take as they are; refuses everything else with the path of what is wrong.
 */
import { GatewayError } from '../../shared/errors.ts';
import type { ModelInputSpec } from '../../shared/schema/card.ts';
import type { ModelInput } from '../../shared/schema/infer-request.ts';

type ImageSpec = Extract<ModelInputSpec, { kind: 'image' }>;

const FIELD = 'input_data';

/** A promise only where an image must be decoded: the decoder is loaded on first use. */
export function parseInput(value: unknown, spec: ModelInputSpec, maxBatch: number): ModelInput | Promise<ModelInput> {
  return spec.kind === 'text' ? parseTexts(value, maxBatch) : parseImages(value, spec, maxBatch);
}

function parseTexts(value: unknown, maxBatch: number): ModelInput {
  if (typeof value === 'string') return { kind: 'text', texts: [textAt(value, FIELD)] };
  if (!Array.isArray(value)) throw wrong(FIELD, 'must be a text or a list of texts for this model');
  checkBatch(value.length, maxBatch);
  return { kind: 'text', texts: value.map((item: unknown, index) => textAt(item, `${FIELD}[${index}]`)) };
}

function textAt(value: unknown, path: string): string {
  if (typeof value !== 'string') throw wrong(path, 'must be a text');
  if (value.trim() === '') throw wrong(path, 'is empty');
  return value;
}

type Decode = (base64: string, spec: ImageSpec, path: string) => Float32Array;

async function parseImages(value: unknown, spec: ImageSpec, maxBatch: number): Promise<ModelInput> {
  const { decodeImage } = await import('./decode-image.ts');
  const { height, width, channels } = spec;
  const one = imageAt(value, spec, FIELD, decodeImage);
  if (one !== undefined) return { kind: 'image', height, width, channels, images: [one] };
  if (!Array.isArray(value)) {
    throw wrong(FIELD, `must be a base64 image, ${height * width * channels} numbers, or a list of either`);
  }
  checkBatch(value.length, maxBatch);
  const images = value.map((item: unknown, index) => {
    const image = imageAt(item, spec, `${FIELD}[${index}]`, decodeImage);
    if (image === undefined) {
      throw wrong(`${FIELD}[${index}]`, `must be a base64 image or ${height} rows of ${width} numbers from 0 to 1`);
    }
    return image;
  });
  return { kind: 'image', height, width, channels, images };
}

/** One image, or undefined where the value has the outline of a batch. */
function imageAt(value: unknown, spec: ImageSpec, path: string, decode: Decode): Float32Array | undefined {
  if (typeof value === 'string') return decode(value, spec, path);
  if (!Array.isArray(value)) return undefined;
  if (typeof value[0] === 'number') return numbersAt(value, spec, path);
  const isRows =
    Array.isArray(value[0]) && typeof value[0][0] === 'number' && value[0].length === spec.width * spec.channels;
  return isRows ? numbersAt(flatten(value, spec, path), spec, path) : undefined;
}

function flatten(rows: readonly unknown[], spec: ImageSpec, path: string): unknown[] {
  if (rows.length !== spec.height) throw wrong(path, `has ${rows.length} rows, not ${spec.height}`);
  return rows.flatMap((row, index) => {
    const rowLength = spec.width * spec.channels;
    if (!Array.isArray(row) || row.length !== rowLength)
      throw wrong(`${path}[${index}]`, `must be ${rowLength} numbers`);
    return row as unknown[];
  });
}

function numbersAt(values: readonly unknown[], spec: ImageSpec, path: string): Float32Array {
  const expected = spec.height * spec.width * spec.channels;
  if (values.length !== expected) {
    throw wrong(
      path,
      `has ${values.length} numbers, not ${expected} (${spec.height} x ${spec.width} x ${spec.channels})`,
    );
  }
  const pixels = new Float32Array(expected);
  for (let index = 0; index < expected; index += 1) {
    const value = values[index];
    if (typeof value !== 'number' || !Number.isFinite(value))
      throw wrong(`${path}[${index}]`, 'must be a finite number');
    if (value < 0 || value > 1) throw wrong(`${path}[${index}]`, 'must be from 0 to 1; divide bytes by 255');
    pixels[index] = value;
  }
  return pixels;
}

function checkBatch(count: number, maxBatch: number): void {
  if (count === 0) throw wrong(FIELD, 'is an empty list');
  if (count > maxBatch) {
    throw new GatewayError('batch_too_large', `${FIELD} has ${count} inputs; at most ${maxBatch} are taken at once.`, {
      field: FIELD,
    });
  }
}

function wrong(path: string, problem: string): GatewayError {
  return new GatewayError('invalid_input', `${path} ${problem}.`, { field: path });
}
