// Owns running the heavy operators in WebAssembly: one instance and one memory a model, so that dropping the model frees both.

import type { Kernels } from './kernels.ts';

const PAGE_BYTES = 65_536;
const NAMES = [
  ...(['unpack', 'pack', 'bag', 'dense', 'patches', 'multiply', 'depthwise'] as const),
  ...(['quantize', 'product', 'windows', 'maxPool', 'attention', 'layerNorm', 'gelu', 'add'] as const),
] satisfies (keyof Kernels)[];

/** (module (func (param v128 v128 v128) (result v128) (i32x4.relaxed_dot_i8x16_i7x16_add_s ...))) */
const RELAXED_PROBE = [
  '00 61 73 6d 01 00 00 00',
  '01 08 01 60 03 7b 7b 7b 01 7b',
  '03 02 01 00',
  '0a 0d 01 0b 00 20 00 20 01 20 02 fd 93 02 0b',
].join(' ');

export function hasRelaxedSimd(): boolean {
  return WebAssembly.validate(Uint8Array.from(RELAXED_PROBE.split(' '), (byte) => Number.parseInt(byte, 16)));
}

/** WebAssembly's memory comes in pages. */
export function memoryBytes(sizeBytes: number): number {
  return Math.ceil(sizeBytes / PAGE_BYTES) * PAGE_BYTES;
}

/** Null where this processor's relaxed dot products are not exact for what the engine multiplies. */
export function wasmKernels(
  module: WebAssembly.Module,
  sizeBytes: number,
): { kernels: Kernels; memory: ArrayBuffer } | null {
  const pages = memoryBytes(sizeBytes) / PAGE_BYTES;
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  if (!isKernels(exports)) throw new TypeError('the WebAssembly module is not the one of this engine');
  return exports.adapt(-128, 127) === 1 ? { kernels: exports, memory: memory.buffer } : null;
}

type Adapting = { adapt(lowest: number, highest: number): number };

function isKernels(exports: object): exports is Kernels & Adapting {
  return [...NAMES, 'adapt'].every((name) => typeof Reflect.get(exports, name) === 'function');
}
