// Owns running the heavy operators in WebAssembly: one instance and one memory a model, so that dropping the model frees both.

import type { Kernels } from './kernels.ts';

const PAGE_BYTES = 65_536;
const NAMES = ['bag', 'dense', 'patches', 'multiply', 'depthwise'] as const;

export function wasmKernels(module: WebAssembly.Module, sizeBytes: number): { kernels: Kernels; memory: ArrayBuffer } {
  const pages = Math.ceil(sizeBytes / PAGE_BYTES);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  if (!isKernels(exports)) throw new TypeError('the WebAssembly module is not the one of this engine');
  return { kernels: exports, memory: memory.buffer };
}

function isKernels(exports: object): exports is Kernels {
  return NAMES.every((name) => typeof Reflect.get(exports, name) === 'function');
}
