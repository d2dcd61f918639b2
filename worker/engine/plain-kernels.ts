// Owns the heavy operators in plain TypeScript over one model's memory. kernels.ts says what each must do.
// `?? 0` only satisfies the compiler: the program stays inside its memory, and V8 drops the check.

import type { Kernels } from './kernels.ts';
import { BLOCK } from './kernels.ts';
import { plainImageKernels } from './plain-image.ts';
import { plainSequenceKernels } from './plain-sequence.ts';
import { plainWeightKernels } from './plain-weights.ts';

export function plainKernels(memory: ArrayBuffer): Kernels {
  const f32 = new Float32Array(memory);
  const i32 = new Int32Array(memory);
  const i8 = new Int8Array(memory);

  function bag(
    acc: number,
    table: number,
    dim: number,
    ids: number,
    count: number,
    rowScales: number,
    factor: number,
  ): void {
    const to = acc >> 2;
    for (let i = 0; i < count; i += 1) {
      const id = i32[(ids >> 2) + i] ?? 0;
      const row = table + id * dim;
      const scale = rowScales === 0 ? factor : factor * (f32[(rowScales >> 2) + id] ?? 0);
      for (let d = 0; d < dim; d += 1) f32[to + d] = (f32[to + d] ?? 0) + scale * (i8[row + d] ?? 0);
    }
  }

  function dense(
    x: number,
    weights: number,
    scales: number,
    bias: number,
    out: number,
    inputs: number,
    outputs: number,
    relu: number,
  ): void {
    const from = x >> 2;
    for (let o = 0; o < outputs; o += 1) {
      const row = weights + o * inputs;
      let sum = 0;
      for (let i = 0; i < inputs; i += 1) sum += (f32[from + i] ?? 0) * (i8[row + i] ?? 0);
      f32[(out >> 2) + o] = finish(sum * (f32[(scales >> 2) + o] ?? 0) + (f32[(bias >> 2) + o] ?? 0), relu);
    }
  }

  function patches(
    x: number,
    rows: number,
    first: number,
    count: number,
    height: number,
    width: number,
    channels: number,
    outWidth: number,
    kernelHeight: number,
    kernelWidth: number,
    strideY: number,
    strideX: number,
    padTop: number,
    padLeft: number,
  ): void {
    let to = rows >> 2;
    for (let p = first; p < first + count; p += 1) {
      const top = Math.floor(p / outWidth) * strideY - padTop;
      const left = (p % outWidth) * strideX - padLeft;
      for (let y = top; y < top + kernelHeight; y += 1) {
        const inside = y >= 0 && y < height;
        const line = (x >> 2) + y * width * channels;
        // Columns before `begin` and from `end` on lie outside the image.
        const begin = inside ? left * channels : 0;
        const end = begin + kernelWidth * channels;
        for (let i = begin; i < end; i += 1) {
          f32[to] = inside && i >= 0 && i < width * channels ? (f32[line + i] ?? 0) : 0;
          to += 1;
        }
      }
    }
  }

  function multiply(
    rows: number,
    weights: number,
    bias: number,
    out: number,
    count: number,
    depth: number,
    outputs: number,
    relu: number,
  ): void {
    for (let p = 0; p < count; p += 1) {
      const row = (rows >> 2) + p * depth;
      const to = (out >> 2) + p * outputs;
      for (let o = 0; o < outputs; o += BLOCK) {
        let w = (weights >> 2) + o * depth;
        let a = f32[(bias >> 2) + o] ?? 0;
        let b = f32[(bias >> 2) + o + 1] ?? 0;
        let c = f32[(bias >> 2) + o + 2] ?? 0;
        let d = f32[(bias >> 2) + o + 3] ?? 0;
        for (let k = row; k < row + depth; k += 1) {
          const value = f32[k] ?? 0;
          a += value * (f32[w] ?? 0);
          b += value * (f32[w + 1] ?? 0);
          c += value * (f32[w + 2] ?? 0);
          d += value * (f32[w + 3] ?? 0);
          w += BLOCK;
        }
        f32[to + o] = finish(a, relu);
        if (o + 1 < outputs) f32[to + o + 1] = finish(b, relu);
        if (o + 2 < outputs) f32[to + o + 2] = finish(c, relu);
        if (o + 3 < outputs) f32[to + o + 3] = finish(d, relu);
      }
    }
  }

  function depthwise(
    x: number,
    weights: number,
    bias: number,
    out: number,
    height: number,
    width: number,
    channels: number,
    outHeight: number,
    outWidth: number,
    kernelHeight: number,
    kernelWidth: number,
    strideY: number,
    strideX: number,
    padTop: number,
    padLeft: number,
    relu: number,
  ): void {
    let to = out >> 2;
    for (let oy = 0; oy < outHeight; oy += 1) {
      for (let ox = 0; ox < outWidth; ox += 1) {
        for (let c = 0; c < channels; c += 1) {
          let sum = f32[(bias >> 2) + c] ?? 0;
          for (let ky = 0; ky < kernelHeight; ky += 1) {
            const y = oy * strideY - padTop + ky;
            if (y < 0 || y >= height) continue;
            for (let kx = 0; kx < kernelWidth; kx += 1) {
              const column = ox * strideX - padLeft + kx;
              if (column < 0 || column >= width) continue;
              const tap = (weights >> 2) + (ky * kernelWidth + kx) * channels + c;
              sum += (f32[(x >> 2) + (y * width + column) * channels + c] ?? 0) * (f32[tap] ?? 0);
            }
          }
          f32[to] = finish(sum, relu);
          to += 1;
        }
      }
    }
  }

  return {
    bag,
    dense,
    patches,
    multiply,
    depthwise,
    ...plainSequenceKernels(memory),
    ...plainImageKernels(memory),
    ...plainWeightKernels(memory),
  };
}

function finish(value: number, relu: number): number {
  return relu === 1 && value < 0 ? 0 : value;
}
