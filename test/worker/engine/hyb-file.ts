// Owns writing .hyb files for tests: whole ones, and ones broken at a chosen place with everything else kept right.

import { createHash } from 'node:crypto';

export type TensorSource = { dtype: 'i8' | 'i4' | 'f32' | 'u8'; shape: number[]; values: readonly number[] };
export type ModelSource = { header: Record<string, unknown>; tensors: Record<string, TensorSource> };

export function hybFile({ header, tensors }: ModelSource): ArrayBuffer {
  const parts: Uint8Array[] = [];
  const table: Record<string, unknown> = {};
  let offset = 0;
  for (const [name, { dtype, shape, values }] of Object.entries(tensors)) {
    const raw = encode(dtype, values);
    table[name] = { dtype, shape, offset, bytes: raw.length };
    const padded = new Uint8Array(Math.ceil(raw.length / 64) * 64);
    padded.set(raw);
    parts.push(padded);
    offset += padded.length;
  }
  return container(JSON.stringify({ ...header, tensors: table }), Buffer.concat(parts));
}

/** Seals any header text and payload with right lengths and digest, so that only the content can be at fault. */
export function container(headerText: string | Uint8Array, payload: Uint8Array): ArrayBuffer {
  const text = typeof headerText === 'string' ? Buffer.from(headerText, 'utf8') : headerText;
  const header = Buffer.concat([text, Buffer.alloc((64 - (text.length % 64)) % 64, ' ')]);
  const body = Buffer.concat([header, payload]);
  const prefix = Buffer.alloc(64);
  prefix.write('HYBM', 0, 'latin1');
  prefix.writeUInt32LE(1, 4);
  prefix.writeUInt32LE(header.length, 8);
  prefix.writeUInt32LE(payload.length, 12);
  createHash('sha256').update(body).digest().copy(prefix, 16);
  return Uint8Array.from(Buffer.concat([prefix, body])).buffer;
}

/** Header text and payload of a whole file. */
export function opened(bytes: ArrayBuffer): { header: Record<string, unknown>; payload: Uint8Array } {
  const view = Buffer.from(bytes);
  const headerBytes = view.readUInt32LE(8);
  return {
    header: JSON.parse(view.toString('utf8', 64, 64 + headerBytes)),
    payload: Uint8Array.from(view.subarray(64 + headerBytes)),
  };
}

function encode(dtype: TensorSource['dtype'], values: readonly number[]): Uint8Array {
  if (dtype === 'f32') return new Uint8Array(Float32Array.from(values).buffer);
  if (dtype === 'u8') return Uint8Array.from(values);
  if (dtype === 'i8') return new Uint8Array(Int8Array.from(values).buffer);
  return Uint8Array.from({ length: values.length / 2 }, (_, i) => {
    const [low = 0, high = 0] = [values[2 * i], values[2 * i + 1]];
    return (low & 15) | ((high & 15) << 4);
  });
}

export const TEXT_HEADER = {
  model: 'tiny',
  variant: 'micro',
  version: '1.0.0',
  task: 'text_classification',
  labels: ['yes', 'no'],
  out_of_scope_label: 'no',
  input: { kind: 'text', max_chars: 20 },
  calibration: { kind: 'temperature', temperature: 2 },
  tokenizer: {
    kind: 'hashed_ngrams',
    version: 1,
    buckets: 8,
    word_ngrams: [1],
    skip_bigrams: false,
    char_ngrams: [3],
  },
};

export function imageHeader(height: number, width: number, channels: number, labels: number): Record<string, unknown> {
  return {
    model: 'tiny',
    variant: 'micro',
    version: '1.0.0',
    task: 'image_classification',
    labels: Array.from({ length: labels }, (_, i) => `label-${i}`),
    out_of_scope_label: null,
    input: { kind: 'image', height, width, channels },
    calibration: { kind: 'temperature', temperature: 1 },
    image: { height, width, channels },
  };
}

/** A text model small enough to work out by hand. */
export function tinyText(): ModelSource {
  return {
    header: {
      ...TEXT_HEADER,
      graph: [
        {
          op: 'embedding_bag',
          weights: 'table',
          scales: 'table-scales',
          scale_axis: 'row',
          group_weights: 'groups',
          pool_power: 0.5,
          activation: 'none',
        },
        { op: 'dense', weights: 'out', scales: 'out-scales', bias: 'out-bias', activation: 'none' },
      ],
    },
    tensors: {
      table: { dtype: 'i8', shape: [8, 4], values: Array.from({ length: 32 }, (_, i) => ((i * 37) % 255) - 127) },
      'table-scales': { dtype: 'f32', shape: [8], values: Array.from({ length: 8 }, (_, i) => 0.01 * (i + 1)) },
      groups: { dtype: 'f32', shape: [2], values: [1, 0.5] },
      out: { dtype: 'i8', shape: [2, 4], values: [1, -2, 3, -4, 5, 6, -7, 8] },
      'out-scales': { dtype: 'f32', shape: [2], values: [0.5, 0.25] },
      'out-bias': { dtype: 'f32', shape: [2], values: [0.125, -0.25] },
    },
  };
}
