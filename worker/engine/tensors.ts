// Owns the header's table of tensors and typed views of their bytes. Which operator uses which tensor is graph.ts.

import { ModelFormatError } from './errors.ts';
import type { Fields } from './fields.ts';

export type Tensor = {
  readonly name: string;
  readonly dtype: 'i8' | 'i4' | 'f32' | 'u8';
  readonly shape: readonly number[];
  readonly count: number;
  readonly bytes: Uint8Array;
};

/** Only the table may empty a tensor. */
type Releasable = Omit<Tensor, 'bytes'> & { bytes: Uint8Array };

const MAX_TENSORS = 1024;
const MAX_DIMENSION = 1 << 24;
const ALIGNMENT = 64;

/** Hands tensors out by name, checking type and shape, and remembers which were asked for. */
export class TensorTable {
  readonly #tensors: ReadonlyMap<string, Releasable>;
  readonly #used = new Set<string>();

  constructor(table: Fields, payload: Uint8Array) {
    this.#tensors = new Map(
      table.entries(MAX_TENSORS).map(([name, fields]) => [name, readTensor(name, fields, payload)]),
    );
  }

  weights(op: Fields, key: string, rank: number): Tensor {
    const tensor = this.#find(op, key);
    if ((tensor.dtype !== 'i8' && tensor.dtype !== 'i4') || tensor.shape.length !== rank) {
      throw op.refuse(key, `is not an i8 or i4 tensor of ${rank} dimensions`);
    }
    return tensor;
  }

  floats(op: Fields, key: string, length?: number): Tensor {
    const tensor = this.#find(op, key);
    if (tensor.dtype !== 'f32' || tensor.shape.length !== 1 || (length !== undefined && tensor.count !== length)) {
      throw op.refuse(key, `is not an f32 tensor of shape [${length ?? 'n'}]`);
    }
    return tensor;
  }

  matrix(op: Fields, key: string, rows: number, columns: number): Tensor {
    const tensor = this.#find(op, key);
    if (
      tensor.dtype !== 'f32' ||
      tensor.shape.length !== 2 ||
      tensor.shape[0] !== rows ||
      tensor.shape[1] !== columns
    ) {
      throw op.refuse(key, `is not an f32 tensor of shape [${rows}, ${columns}]`);
    }
    return tensor;
  }

  /** A view of the file's bytes. */
  bytes(op: Fields, key: string): Uint8Array {
    const tensor = this.#find(op, key);
    if (tensor.dtype !== 'u8' || tensor.shape.length !== 1) throw op.refuse(key, 'is not a u8 tensor of one dimension');
    return tensor.bytes;
  }

  /** UTF-8 text kept as bytes. */
  text(op: Fields, key: string): string {
    const bytes = this.bytes(op, key);
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch (cause) {
      throw new ModelFormatError(`${op.path}.${key} is not UTF-8`, { cause });
    }
  }

  /** Call when every operator has been read. */
  done(): void {
    for (const name of this.#tensors.keys()) {
      if (!this.#used.has(name)) throw new ModelFormatError(`tensor ${name} is used by no operator`);
    }
  }

  /** Empties all tensors once they are laid out: whatever still refers to one would keep the whole file in memory. */
  release(): void {
    for (const tensor of this.#tensors.values()) tensor.bytes = new Uint8Array(0);
  }

  #find(op: Fields, key: string): Tensor {
    const name = op.string(key);
    const tensor = this.#tensors.get(name);
    if (tensor === undefined) throw op.refuse(key, `names no tensor: ${name}`);
    this.#used.add(name);
    return tensor;
  }
}

function readTensor(name: string, fields: Fields, payload: Uint8Array): Releasable {
  const dtype = fields.oneOf('dtype', ['i8', 'i4', 'f32', 'u8']);
  const shape = fields.integers('shape', 1, 4, 1, MAX_DIMENSION);
  const offset = fields.integer('offset', 0, payload.length);
  const byteLength = fields.integer('bytes', 1, payload.length);
  fields.done();
  // At most 2^96, which a double holds well enough to be told from any byte length.
  const count = shape.reduce((product, n) => product * n, 1);
  if (dtype === 'i4' && (shape.at(-1) ?? 0) % 2 !== 0) throw fields.refuse('shape', 'has an odd last dimension for i4');
  if (byteLength !== count * { i8: 1, i4: 0.5, f32: 4, u8: 1 }[dtype])
    throw fields.refuse('bytes', 'does not match its shape');
  if (offset % ALIGNMENT !== 0) throw fields.refuse('offset', `is not a multiple of ${ALIGNMENT}`);
  if (offset + byteLength > payload.length) throw fields.refuse('offset', 'lies outside the payload');
  const tensor = { name, dtype, shape, count, bytes: payload.subarray(offset, offset + byteLength) };
  if (dtype === 'f32' && !allFinite(floatsOf(tensor))) throw fields.refuse('bytes', 'holds NaN or infinity');
  return tensor;
}

function allFinite(values: Float32Array): boolean {
  for (let i = 0; i < values.length; i += 1) if (!Number.isFinite(values[i])) return false;
  return true;
}

export function floatsOf(tensor: Tensor): Float32Array {
  return new Float32Array(tensor.bytes.buffer, tensor.bytes.byteOffset, tensor.count);
}

/** Quantized values, one a byte; i4 is unpacked into a copy. */
export function integersOf(tensor: Tensor): Int8Array {
  if (tensor.dtype === 'i8') return new Int8Array(tensor.bytes.buffer, tensor.bytes.byteOffset, tensor.count);
  const values = new Int8Array(tensor.count);
  const { bytes } = tensor;
  for (let i = 0; i < bytes.length; i += 1) {
    const byte = bytes[i] ?? 0;
    values[2 * i] = (byte << 28) >> 28;
    values[2 * i + 1] = (byte << 24) >> 28;
  }
  return values;
}
