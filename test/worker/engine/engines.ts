// Owns the two engines every test runs on.

import { readFileSync } from 'node:fs';
import { createEngine } from '../../../worker/engine/engine.ts';

const wasm = new WebAssembly.Module(readFileSync(new URL('../../../worker/engine/kernels.wasm', import.meta.url)));

export const engines = [
  { name: 'plain TypeScript', engine: createEngine() },
  { name: 'WebAssembly SIMD', engine: createEngine({ wasm }) },
] as const;
