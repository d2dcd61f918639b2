// Owns laying out weights in plain TypeScript, as plain-kernels.ts owns the rest.

import type { Kernels } from './kernels.ts';
import { BLOCK, QUAD } from './kernels.ts';

export function plainWeightKernels(memory: ArrayBuffer): Pick<Kernels, 'unpack' | 'pack'> {
  const i32 = new Int32Array(memory);
  const i8 = new Int8Array(memory);

  function unpack(from: number, to: number, count: number): void {
    for (let i = 0; i < count / 2; i += 1) {
      const pair = i8[from + i] ?? 0;
      i8[to + 2 * i] = (pair << 28) >> 28;
      i8[to + 2 * i + 1] = pair >> 4;
    }
  }

  function pack(weights: number, to: number, sums: number, rows: number, depth: number, padded: number): void {
    for (let o = 0; o < Math.ceil(rows / BLOCK) * BLOCK; o += 1) {
      const block = to + (o - (o % BLOCK)) * padded + (o % BLOCK) * QUAD;
      let sum = 0;
      for (let k = 0; k < padded; k += 1) {
        const value = o < rows && k < depth ? (i8[weights + o * depth + k] ?? 0) : 0;
        i8[block + (k - (k % QUAD)) * BLOCK + (k % QUAD)] = value;
        sum += value;
      }
      i32[(sums >> 2) + o] = sum;
    }
  }

  return { unpack, pack };
}
