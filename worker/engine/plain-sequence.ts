// Owns the integer products and the transformer's operators in plain TypeScript, as plain-kernels.ts owns the rest.

import type { Kernels } from './kernels.ts';
import { BLOCK, QUAD } from './kernels.ts';

type SequenceKernels = Pick<Kernels, 'quantize' | 'product' | 'attention' | 'layerNorm' | 'gelu' | 'add'>;

const LEVELS = 255;
/** Values this close together are taken for zeros: their scale would have no inverse. */
const SMALLEST_RANGE = 1e-30;

export function plainSequenceKernels(memory: ArrayBuffer): SequenceKernels {
  const f32 = new Float32Array(memory);
  const i32 = new Int32Array(memory);
  const i8 = new Int8Array(memory);
  const u8 = new Uint8Array(memory);

  function quantize(
    x: number,
    q: number,
    meta: number,
    rows: number,
    depth: number,
    padded: number,
    shared: number,
  ): void {
    for (let row = 0; row < rows; row += 1) {
      const from = (x >> 2) + row * depth;
      const to = q + row * padded;
      const [first, count] = shared === 1 ? [x >> 2, rows * depth] : [from, depth];
      let [low, high] = [0, 0];
      for (let k = first; k < first + count; k += 1) {
        low = Math.min(low, f32[k] ?? 0);
        high = Math.max(high, f32[k] ?? 0);
      }
      const range = Math.fround(high - low);
      const scale = range < SMALLEST_RANGE ? 1 : Math.fround(range / LEVELS);
      const inverse = Math.fround(1 / scale);
      const zero = levelOf(Math.fround(-low * inverse));
      f32[(meta >> 2) + 2 * row] = scale;
      i32[(meta >> 2) + 2 * row + 1] = zero;
      for (let k = 0; k < padded; k += 1) {
        u8[to + k] = k < depth ? levelOf(Math.fround((f32[from + k] ?? 0) * inverse), zero) : 0;
      }
    }
  }

  function product(
    q: number,
    meta: number,
    weights: number,
    sums: number,
    scales: number,
    bias: number,
    out: number,
    rows: number,
    padded: number,
    outputs: number,
    relu: number,
  ): void {
    for (let p = 0; p < rows; p += 1) {
      const row = q + p * padded;
      const scale = f32[(meta >> 2) + 2 * p] ?? 0;
      const zero = i32[(meta >> 2) + 2 * p + 1] ?? 0;
      for (let o = 0; o < outputs; o += 1) {
        let w = weights + (o - (o % BLOCK)) * padded + (o % BLOCK) * QUAD;
        let sum = 0;
        for (let k = row; k < row + padded; k += QUAD) {
          for (let i = 0; i < QUAD; i += 1) sum += (u8[k + i] ?? 0) * (i8[w + i] ?? 0);
          w += BLOCK * QUAD;
        }
        const whole = sum - zero * (i32[(sums >> 2) + o] ?? 0);
        const value = whole * Math.fround(scale * (f32[(scales >> 2) + o] ?? 0)) + (f32[(bias >> 2) + o] ?? 0);
        f32[(out >> 2) + p * outputs + o] = relu === 1 && value < 0 ? 0 : value;
      }
    }
  }

  function attention(qkv: number, out: number, scratch: number, tokens: number, dim: number, heads: number): void {
    const size = dim / heads;
    const [start, scores] = [qkv >> 2, scratch >> 2];
    for (let head = 0; head < heads; head += 1) {
      for (let t = 0; t < tokens; t += 1) {
        const query = start + t * 3 * dim + head * size;
        for (let s = 0; s < tokens; s += 1) {
          const key = start + (s * 3 + 1) * dim + head * size;
          let sum = 0;
          for (let d = 0; d < size; d += 1) sum += (f32[query + d] ?? 0) * (f32[key + d] ?? 0);
          f32[scores + s] = sum / Math.sqrt(size);
        }
        softmaxInPlace(scores, tokens);
        for (let d = 0; d < size; d += 1) {
          const values = start + 2 * dim + head * size + d;
          let sum = 0;
          for (let s = 0; s < tokens; s += 1) sum += (f32[scores + s] ?? 0) * (f32[values + s * 3 * dim] ?? 0);
          f32[(out >> 2) + t * dim + head * size + d] = sum;
        }
      }
    }
  }

  function softmaxInPlace(x: number, count: number): void {
    let largest = -Infinity;
    for (let i = x; i < x + count; i += 1) largest = Math.max(largest, f32[i] ?? 0);
    let sum = 0;
    for (let i = x; i < x + count; i += 1) {
      const value = Math.exp((f32[i] ?? 0) - largest);
      f32[i] = value;
      sum += value;
    }
    for (let i = x; i < x + count; i += 1) f32[i] = (f32[i] ?? 0) / sum;
  }

  function layerNorm(
    x: number,
    out: number,
    rows: number,
    size: number,
    gamma: number,
    beta: number,
    epsilon: number,
  ): void {
    for (let row = 0; row < rows; row += 1) {
      const [from, to] = [(x >> 2) + row * size, (out >> 2) + row * size];
      let sum = 0;
      for (let i = 0; i < size; i += 1) sum += f32[from + i] ?? 0;
      const mean = sum / size;
      let squares = 0;
      for (let i = 0; i < size; i += 1) squares += ((f32[from + i] ?? 0) - mean) ** 2;
      const inverse = 1 / Math.sqrt(squares / size + epsilon);
      for (let i = 0; i < size; i += 1) {
        const normal = ((f32[from + i] ?? 0) - mean) * inverse;
        f32[to + i] = normal * (f32[(gamma >> 2) + i] ?? 0) + (f32[(beta >> 2) + i] ?? 0);
      }
    }
  }

  function gelu(x: number, count: number): void {
    for (let i = x >> 2; i < (x >> 2) + count; i += 1) {
      const value = f32[i] ?? 0;
      f32[i] = 0.5 * value * (1 + erf(value * Math.SQRT1_2));
    }
  }

  function add(x: number, y: number, count: number): void {
    const [to, from] = [x >> 2, y >> 2];
    for (let i = 0; i < count; i += 1) f32[to + i] = (f32[to + i] ?? 0) + (f32[from + i] ?? 0);
  }

  return { quantize, product, attention, layerNorm, gelu, add };
}

/** Half to even, as the hardware rounds, so that both engines quantize to the same integers. */
function levelOf(value: number, zero = 0): number {
  const floor = Math.floor(value);
  const above = value - floor;
  const nearest = above > 0.5 || (above === 0.5 && floor % 2 !== 0) ? floor + 1 : floor;
  return Math.min(LEVELS, Math.max(0, nearest + zero));
}

/** Abramowitz and Stegun 7.1.26: the absolute error is at most 1.5e-7. */
function erf(x: number): number {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const series = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  return Math.sign(x) * (1 - series * Math.exp(-x * x));
}
