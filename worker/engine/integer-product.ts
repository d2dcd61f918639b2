// Owns laying out int8 products: weights packed once at load, activations quantized row by row into scratch.

import type { Arena } from './arena.ts';
import { BLOCK, QUAD, QUANTIZED_BYTES, ROW_META_BYTES } from './kernels.ts';
import type { Machine } from './machine.ts';
import { keyOf } from './machine.ts';
import type { Tensor } from './tensors.ts';
import { floatsOf, integersOf } from './tensors.ts';

type Source = { readonly weights: Tensor; readonly scales: Tensor; readonly bias: Tensor };
type Product = (machine: Machine, from: number, to: number, rows: number, relu: number) => void;

/** Sums of products stay in 32 bits up to this depth: 2^16 * 255 * 128 < 2^31. */
export const MAX_INTEGER_DEPTH = 1 << 16;

/** For at most `maxRows` rows of `depth` values at a time; with `shared`, all rows have one scale. */
export function integerProduct(
  arena: Arena,
  source: Source,
  depth: number,
  outputs: number,
  { maxRows, shared }: { maxRows: number; shared: boolean },
): Product {
  const { padded, multiply } = packedProduct(arena, source, depth, outputs);
  const q = arena.shared('quantized', maxRows * padded * QUANTIZED_BYTES);
  const meta = arena.shared('rows', maxRows * ROW_META_BYTES);
  return (machine, from, to, rows, relu) => {
    machine.kernels.quantize(from, q(), meta(), rows, depth, padded, shared ? 1 : 0);
    multiply(machine, q(), meta(), to, rows, relu);
  };
}

type Multiply = (machine: Machine, q: number, meta: number, to: number, rows: number, relu: number) => void;

/** Weights packed, for rows that are quantized already; each row has `padded` values. */
export function packedProduct(
  arena: Arena,
  source: Source,
  depth: number,
  outputs: number,
): { padded: number; multiply: Multiply } {
  const padded = Math.ceil(depth / QUAD) * QUAD;
  const wide = Math.ceil(outputs / BLOCK) * BLOCK;
  const weights = arena.place(keyOf('packed', source.weights), wide * padded, () =>
    packed(integersOf(source.weights), depth, outputs),
  );
  const sums = arena.place(keyOf('sums', source.weights), wide * 4, () =>
    sumsOf(integersOf(source.weights), depth, wide),
  );
  const scales = placePadded(arena, source.scales, wide);
  const bias = placePadded(arena, source.bias, wide);
  return {
    padded,
    multiply({ kernels }, q, meta, to, rows, relu) {
      kernels.product(q, meta, weights, sums, scales, bias, to, rows, padded, outputs, relu);
    },
  };
}

function placePadded(arena: Arena, tensor: Tensor, count: number): number {
  return arena.place(keyOf('padded', tensor), count * 4, () => {
    const padded = new Float32Array(count);
    padded.set(floatsOf(tensor));
    return padded;
  });
}

/** As [o / 4][k / 4][o % 4][k % 4], zeros beyond the last output and input. Four bytes move at once: a model has millions. */
function packed(values: Int8Array, depth: number, outputs: number): Int32Array {
  const quads = Math.ceil(depth / QUAD);
  const from = quadsOf(values, depth, quads);
  const stored = new Int32Array(Math.ceil(outputs / BLOCK) * BLOCK * quads);
  for (let o = 0; o < outputs; o += 1) {
    const to = (o - (o % BLOCK)) * quads + (o % BLOCK);
    for (let k = 0; k < quads; k += 1) stored[to + k * BLOCK] = from[o * quads + k] ?? 0;
  }
  return stored;
}

/** Each row as whole quads. Tensors start at multiples of 64 bytes, so a view will do where rows are whole already. */
function quadsOf(values: Int8Array, depth: number, quads: number): Int32Array {
  if (depth % QUAD === 0) return new Int32Array(values.buffer, values.byteOffset, values.length / QUAD);
  const rows = values.length / depth;
  const wide = new Int8Array(rows * quads * QUAD);
  for (let o = 0; o < rows; o += 1) wide.set(values.subarray(o * depth, (o + 1) * depth), o * quads * QUAD);
  return new Int32Array(wide.buffer);
}

function sumsOf(values: Int8Array, depth: number, count: number): Int32Array {
  const sums = new Int32Array(count);
  for (let from = 0; from < values.length; from += depth) {
    let sum = 0;
    for (let i = from; i < from + depth; i += 1) sum += values[i] ?? 0;
    sums[from / depth] = sum;
  }
  return sums;
}
