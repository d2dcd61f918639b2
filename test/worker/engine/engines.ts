// Owns the engines every test runs on.

import { readFileSync } from 'node:fs';
import { createEngine } from '../../../worker/engine/engine.ts';

function moduleOf(name: string): WebAssembly.Module {
  return new WebAssembly.Module(readFileSync(new URL(`../../../worker/engine/${name}.wasm`, import.meta.url)));
}

export const engines = [
  { name: 'plain TypeScript', engine: createEngine() },
  { name: 'WebAssembly SIMD', engine: createEngine({ wasm: moduleOf('kernels') }) },
  { name: 'relaxed SIMD', engine: createEngine({ relaxedWasm: moduleOf('kernels-relaxed') }) },
] as const;
