// Owns the operators that are too light to be worth WebAssembly: pooling, activations, adding up embeddings, softmax.
// They work in place or between offsets counted in float32 values, not bytes.

import type { Machine } from './machine.ts';
import type { Activation, Image } from './steps.ts';

export function globalAvgPool(f32: Float32Array, x: number, out: number, input: Image): void {
  const pixels = input.height * input.width;
  for (let c = 0; c < input.channels; c += 1) {
    let sum = 0;
    for (let p = 0; p < pixels; p += 1) sum += f32[x + p * input.channels + c] ?? 0;
    f32[out + c] = sum / pixels;
  }
}

/** `relu` has mostly been clamped where the values were made. */
export function activate({ f32, kernels }: Machine, x: number, size: number, activation: Activation): void {
  if (activation === 'gelu') kernels.gelu(x * 4, size);
  else if (activation !== 'none') apply(f32, x, size, FUNCTIONS[activation]);
}

const FUNCTIONS: Readonly<Record<Exclude<Activation, 'none' | 'gelu'>, (value: number) => number>> = {
  relu: (value) => Math.max(value, 0),
  tanh: Math.tanh,
  relu6: (value) => Math.min(Math.max(value, 0), 6),
  sigmoid: (value) => 1 / (1 + Math.exp(-value)),
  silu: (value) => value / (1 + Math.exp(-value)),
  hard_swish: (value) => (value * Math.min(Math.max(value + 3, 0), 6)) / 6,
};

function apply(f32: Float32Array, x: number, size: number, compute: (value: number) => number): void {
  for (let i = x; i < x + size; i += 1) f32[i] = compute(f32[i] ?? 0);
}

/** Offsets count in values of the view they are read from: bytes of the rows, float32 of scales and positions. */
export type EmbeddingTable = {
  readonly offset: number;
  /** Two values a byte, low nibble first. */
  readonly isPacked: boolean;
  readonly scales: number;
  readonly positions: number | null;
  readonly dim: number;
};

/** Row t is the piece's row of the table, scaled, plus the row of its position where there are any. */
export function embedTokens({ f32, i8, tokens }: Machine, out: number, table: EmbeddingTable): void {
  const { offset, isPacked, scales, positions, dim } = table;
  for (let t = 0; t < tokens.length; t += 1) {
    const id = tokens[t] ?? 0;
    const scale = f32[scales + id] ?? 0;
    const to = out + t * dim;
    if (positions === null) f32.fill(0, to, to + dim);
    else f32.copyWithin(to, positions + t * dim, positions + (t + 1) * dim);
    if (isPacked) addPackedRow(f32, to, i8, offset + (id * dim) / 2, dim, scale);
    else for (let d = 0; d < dim; d += 1) f32[to + d] = (i8[offset + id * dim + d] ?? 0) * scale + (f32[to + d] ?? 0);
  }
}

function addPackedRow(f32: Float32Array, to: number, i8: Int8Array, row: number, dim: number, scale: number): void {
  for (let d = 0; d < dim; d += 2) {
    const pair = i8[row + (d >> 1)] ?? 0;
    f32[to + d] = ((pair << 28) >> 28) * scale + (f32[to + d] ?? 0);
    f32[to + d + 1] = (pair >> 4) * scale + (f32[to + d + 1] ?? 0);
  }
}

/** Below this length a vector points nowhere. */
const SHORTEST = 1e-12;

/** To length one; all zeros where there is no direction. */
export function l2Normalize(f32: Float32Array, x: number, size: number): void {
  let sum = 0;
  for (let i = x; i < x + size; i += 1) sum += (f32[i] ?? 0) ** 2;
  const length = Math.sqrt(sum);
  for (let i = x; i < x + size; i += 1) f32[i] = length < SHORTEST ? 0 : (f32[i] ?? 0) / length;
}

export function meanOfRows(f32: Float32Array, x: number, out: number, rows: number, dim: number): void {
  f32.fill(0, out, out + dim);
  for (let row = x; row < x + rows * dim; row += dim) {
    for (let d = 0; d < dim; d += 1) f32[out + d] = (f32[out + d] ?? 0) + (f32[row + d] ?? 0);
  }
  for (let d = 0; d < dim; d += 1) f32[out + d] = (f32[out + d] ?? 0) / rows;
}

/** A new array of softmax(logits / temperature). Logits must be finite. */
export function softmax(logits: Float32Array, temperature: number): Float32Array {
  const probabilities = new Float32Array(logits.length);
  let largest = -Infinity;
  for (const logit of logits) largest = Math.max(largest, logit);
  let sum = 0;
  for (let i = 0; i < logits.length; i += 1) {
    const value = Math.exp(((logits[i] ?? 0) - largest) / temperature);
    probabilities[i] = value;
    sum += value;
  }
  for (let i = 0; i < logits.length; i += 1) probabilities[i] = (probabilities[i] ?? 0) / sum;
  return probabilities;
}
