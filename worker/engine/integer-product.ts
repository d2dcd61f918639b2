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

/** Weights go through the model's memory in pieces of about this size on their way to where they stay. */
const CHUNK_BYTES = 1 << 16;
/** Kernels read sixteen bytes at a time, the last past the end. */
const RUN_OVER_BYTES = 16;

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
  const sums = arena.placeBy(keyOf('sums', source.weights), wide * 4, () => {
    // Written with the weights, below.
  });
  const rowsAtOnce = Math.max(BLOCK, Math.floor(CHUNK_BYTES / depth / BLOCK) * BLOCK);
  const chunk = arena.shared('chunk', rowsAtOnce * depth + RUN_OVER_BYTES);
  const weights = arena.placeBy(keyOf('packed', source.weights), wide * padded, ({ bytes, kernels }, offset) => {
    const values = integersOf(source.weights);
    for (let first = 0; first < outputs; first += rowsAtOnce) {
      const rows = Math.min(rowsAtOnce, outputs - first);
      bytes.set(values.subarray(first * depth, (first + rows) * depth), chunk());
      kernels.pack(chunk(), offset + first * padded, sums + first * 4, rows, depth, padded);
    }
  });
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
