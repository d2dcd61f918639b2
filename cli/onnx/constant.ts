// Owns constant tensors while a graph is compiled: values as numbers, whatever the file stored them as.

import { corrupt, OnnxError } from './onnx-error.ts';

export type ElementType = 'float' | 'integer' | 'bool';
export type Values = Float32Array | Float64Array | Int8Array | Uint8Array | Int32Array;

/** The integers a dequantized constant came from: kept, so that quantizing again changes nothing. */
export type Exact = {
  readonly q: Int8Array;
  readonly scales: Float32Array;
  /** The axis with a scale each; null where one scale serves all. */
  readonly axis: number | null;
};

export type Constant = {
  readonly type: ElementType;
  readonly dims: readonly number[];
  readonly values: Values;
  readonly exact?: Exact;
  /** Of a tensor of strings, which is only ever a list of labels. */
  readonly texts?: readonly string[];
};

/** Folding must not make a small file large. */
const MAX_ELEMENTS = 1 << 27;

export function sizeOf(dims: readonly number[]): number {
  if (dims.some((n) => !Number.isInteger(n) || n < 0)) throw corrupt(`a tensor of ${dims.join('x')}`);
  const size = dims.reduce((product, n) => product * n, 1);
  if (!(size <= MAX_ELEMENTS)) throw new OnnxError('onnx_too_large', `a tensor of ${dims.join('x')} values`);
  return size;
}

export function constant(type: ElementType, dims: readonly number[], values: Values): Constant {
  if (values.length !== sizeOf(dims)) throw corrupt(`${values.length} values in a tensor of ${dims.join('x')}`);
  return { type, dims, values };
}

export function integers(list: readonly number[]): Constant {
  return { type: 'integer', dims: [list.length], values: Float64Array.from(list) };
}

export function scalar(value: number): Constant {
  return { type: 'float', dims: [], values: Float32Array.of(value) };
}

export function filled(type: ElementType, dims: readonly number[], value: number): Constant {
  return { type, dims, values: emptyValues(type, sizeOf(dims)).fill(value) };
}

export function emptyValues(type: ElementType, size: number): Float32Array | Float64Array {
  return type === 'float' ? new Float32Array(size) : new Float64Array(size);
}

/** Bytes stay bytes: that is how quantized weights are told from other integers. */
export function emptyLike({ type, values }: Constant, size: number): Values {
  if (values instanceof Int8Array) return new Int8Array(size);
  return values instanceof Uint8Array ? new Uint8Array(size) : emptyValues(type, size);
}

export function listOf({ values }: Constant): number[] {
  return Array.from(values);
}

export function stridesOf(dims: readonly number[]): number[] {
  const strides = dims.map(() => 1);
  for (let i = dims.length - 2; i >= 0; i -= 1) strides[i] = (strides[i + 1] ?? 1) * (dims[i + 1] ?? 1);
  return strides;
}

export function broadcastDims(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const [x, y] = [a[i - rank + a.length] ?? 1, b[i - rank + b.length] ?? 1];
    if (x !== y && x !== 1 && y !== 1) throw corrupt(`shapes ${a.join('x')} and ${b.join('x')} do not go together`);
    return x === 1 ? y : x;
  });
}

/** Values of a tensor read with other strides: broadcasting is a stride of 0, transposing an order of strides. */
export function gathered(source: Constant, dims: readonly number[], strides: readonly number[], offset = 0): Constant {
  const size = sizeOf(dims);
  const values = emptyLike(source, size);
  const index = dims.map(() => 0);
  let from = offset;
  for (let i = 0; i < size; i += 1) {
    values[i] = source.values[from] ?? 0;
    for (let axis = dims.length - 1; axis >= 0; axis -= 1) {
      const [next, stride] = [(index[axis] ?? 0) + 1, strides[axis] ?? 0];
      if (next < (dims[axis] ?? 0)) {
        index[axis] = next;
        from += stride;
        break;
      }
      index[axis] = 0;
      from -= stride * (next - 1);
    }
  }
  return { type: source.type, dims, values };
}

export function broadcast(source: Constant, dims: readonly number[]): Constant {
  const full = broadcastDims(source.dims, dims);
  if (full.length !== dims.length || full.some((n, i) => n !== dims[i])) {
    throw corrupt(`a tensor of ${source.dims.join('x')} does not spread over ${dims.join('x')}`);
  }
  const own = stridesOf(source.dims);
  const lead = dims.length - source.dims.length;
  return gathered(
    source,
    dims,
    dims.map((_, i) => (i < lead || source.dims[i - lead] === 1 ? 0 : (own[i - lead] ?? 0))),
  );
}

/** The axis counted from the front. */
export function axisOf(axis: number, rank: number): number {
  const positive = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(positive) || positive < 0 || positive >= Math.max(rank, 1)) {
    throw corrupt(`axis ${axis} of ${rank} dimensions`);
  }
  return positive;
}
