// Owns windows of quantized values and max pooling in plain TypeScript, as plain-kernels.ts owns the rest.

import type { Kernels } from './kernels.ts';

export function plainImageKernels(memory: ArrayBuffer): Pick<Kernels, 'windows' | 'maxPool'> {
  const f32 = new Float32Array(memory);
  const i32 = new Int32Array(memory);
  const i8 = new Int8Array(memory);

  function windows(
    q: number,
    meta: number,
    rows: number,
    rowMeta: number,
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
    padded: number,
  ): void {
    const zero = i32[(meta >> 2) + 1] ?? 0;
    for (let p = 0; p < count; p += 1) {
      f32[(rowMeta >> 2) + 2 * p] = f32[meta >> 2] ?? 0;
      i32[(rowMeta >> 2) + 2 * p + 1] = zero;
      const top = Math.floor((first + p) / outWidth) * strideY - padTop;
      const left = ((first + p) % outWidth) * strideX - padLeft;
      let to = rows + p * padded;
      for (let y = top; y < top + kernelHeight; y += 1) {
        for (let i = left * channels; i < (left + kernelWidth) * channels; i += 1) {
          const isInside = y >= 0 && y < height && i >= 0 && i < width * channels;
          i8[to] = isInside ? (i8[q + y * width * channels + i] ?? 0) : zero;
          to += 1;
        }
      }
    }
  }

  function maxPool(
    x: number,
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
  ): void {
    let to = out >> 2;
    for (let oy = 0; oy < outHeight; oy += 1) {
      for (let ox = 0; ox < outWidth; ox += 1) {
        for (let c = 0; c < channels; c += 1) {
          let largest = -Infinity;
          for (let ky = 0; ky < kernelHeight; ky += 1) {
            for (let kx = 0; kx < kernelWidth; kx += 1) {
              const y = oy * strideY - padTop + ky;
              const column = ox * strideX - padLeft + kx;
              if (y < 0 || y >= height || column < 0 || column >= width) continue;
              const pixel = y * width + column;
              largest = Math.max(largest, f32[(x >> 2) + pixel * channels + c] ?? 0);
            }
          }
          f32[to] = largest;
          to += 1;
        }
      }
    }
  }

  return { windows, maxPool };
}
