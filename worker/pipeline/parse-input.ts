/**
 * `input_data` against the model's input specification: text, numbers, base64 images, tensors or messages, one or a batch.
 * Returns inputs that any place can take as they are; refuses everything else with the path of what is wrong.
 */
import { GatewayError } from '../../shared/errors.ts';
import type { ModelInputSpec } from '../../shared/schema/card.ts';
import type { ModelInput } from '../../shared/schema/model-input.ts';

type ImageSpec = Extract<ModelInputSpec, { kind: 'image' }>;

const FIELD = 'input_data';

/** A promise only for what is rarer than text and numbers: its parser is loaded on first use. */
export function parseInput(value: unknown, spec: ModelInputSpec, maxBatch: number): ModelInput | Promise<ModelInput> {
  switch (spec.kind) {
    case 'text':
      return parseTexts(value, maxBatch);
    case 'image':
      return parseImages(value, spec, maxBatch);
    case 'numbers':
      return parseNumbers(value, spec.size, maxBatch);
    case 'tensors':
      return import('./parse-tensors.ts').then(({ parseTensors }) => parseTensors(value, spec, FIELD));
    case 'chat':
      return import('./parse-chat.ts').then(({ parseChat }) => parseChat(value, spec, FIELD));
  }
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

type Image = Float32Array | Promise<Float32Array>;
type Decode = (base64: string, spec: ImageSpec, path: string) => Image;

async function parseImages(value: unknown, spec: ImageSpec, maxBatch: number): Promise<ModelInput> {
  const { decodeImage } = await import('./decode-image.ts');
  const { height, width, channels } = spec;
  const one = imageAt(value, spec, FIELD, decodeImage);
  if (one !== undefined) return { kind: 'image', height, width, channels, images: [await one] };
  if (!Array.isArray(value)) {
    throw wrong(FIELD, `must be a base64 image, ${height * width * channels} numbers, or a list of either`);
  }
  checkBatch(value.length, maxBatch);
  const images: Float32Array[] = [];
  for (const [index, item] of value.entries()) {
    const image = imageAt(item, spec, `${FIELD}[${index}]`, decodeImage);
    if (image === undefined) {
      throw wrong(`${FIELD}[${index}]`, `must be a base64 image or ${height} rows of ${width} numbers from 0 to 1`);
    }
    images.push(image instanceof Float32Array ? image : await image);
  }
  return { kind: 'image', height, width, channels, images };
}

/** One image, or undefined where the value has the outline of a batch. */
function imageAt(value: unknown, spec: ImageSpec, path: string, decode: Decode): Image | undefined {
  if (typeof value === 'string') return decode(value, spec, path);
  if (!Array.isArray(value)) return undefined;
  if (typeof value[0] === 'number') return numbersAt(value, spec, path);
  // Rows of an image of one line are a batch of such images: for one, it is the same.
  const isRows =
    spec.height > 1 &&
    Array.isArray(value[0]) &&
    typeof value[0][0] === 'number' &&
    value[0].length === spec.width * spec.channels;
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

function parseNumbers(value: unknown, size: number, maxBatch: number): ModelInput {
  if (!Array.isArray(value)) throw wrong(FIELD, `must be ${size} numbers or a list of such rows for this model`);
  if (!Array.isArray(value[0])) return { kind: 'numbers', size, rows: [rowAt(value, size, FIELD)] };
  checkBatch(value.length, maxBatch);
  return { kind: 'numbers', size, rows: value.map((row: unknown, index) => rowAt(row, size, `${FIELD}[${index}]`)) };
}

function rowAt(row: unknown, size: number, path: string): Float32Array {
  if (!Array.isArray(row)) throw wrong(path, `must be ${size} numbers`);
  if (row.length !== size) throw wrong(path, `has ${row.length} numbers, not ${size}`);
  const values = new Float32Array(size);
  for (let index = 0; index < size; index += 1) {
    const value: unknown = row[index];
    // What is finite as written may still be beyond float32.
    if (typeof value !== 'number' || !Number.isFinite(Math.fround(value)))
      throw wrong(`${path}[${index}]`, 'must be a finite number within float32');
    values[index] = value;
  }
  return values;
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
