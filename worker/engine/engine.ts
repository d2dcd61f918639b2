// Owns loading a model file into an engine, in plain TypeScript or, given the module, in WebAssembly SIMD.
// Where the bytes come from, and which models stay loaded, is the callers' business.

import { Arena } from './arena.ts';
import { openContainer } from './container.ts';
import { readHeader } from './header.ts';
import type { Kernels } from './kernels.ts';
import type { EngineModel } from './model.ts';
import { createModel } from './model.ts';
import { plainKernels } from './plain-kernels.ts';
import { layOut } from './program.ts';
import { textReader, tokenizerBytes } from './text-input.ts';
import { hasRelaxedSimd, memoryBytes, wasmKernels } from './wasm-kernels.ts';

export type Engine = {
  /**
   * Rejects with ModelFormatError unless the file is whole, unaltered and consistent. `admit` hears how much memory the model will
   * take before any is taken, and may throw.
   */
  loadModel(bytes: ArrayBuffer, admit?: (workingBytes: number) => void): Promise<EngineModel>;
};

/**
 * workerd compiles WebAssembly only at build time, so the modules must be handed in: `relaxedWasm` runs where the runtime has
 * relaxed SIMD and the processor multiplies bytes exactly, else `wasm`; without either, plain TypeScript. All three give the same answers.
 */
export function createEngine(options: { wasm?: WebAssembly.Module; relaxedWasm?: WebAssembly.Module } = {}): Engine {
  const modules = [hasRelaxedSimd() ? options.relaxedWasm : undefined, options.wasm].filter((one) => one !== undefined);

  function kernelsFor(sizeBytes: number): { kernels: Kernels; memory: ArrayBuffer } {
    for (const module of modules.slice()) {
      const found = wasmKernels(module, sizeBytes);
      if (found !== null) return found;
      modules.shift();
    }
    const memory = new ArrayBuffer(memoryBytes(sizeBytes));
    return { kernels: plainKernels(memory), memory };
  }

  return {
    async loadModel(bytes, admit) {
      const { header: json, payload } = await openContainer(bytes);
      const header = readHeader(json, payload);
      const arena = new Arena();
      const program = layOut(header.graph, arena);
      const workingBytes =
        memoryBytes(arena.sizeBytes) + (header.input.kind === 'text' ? tokenizerBytes(header.input.tokenizer) : 0);
      admit?.(workingBytes);
      const { kernels, memory } = kernelsFor(arena.sizeBytes);
      arena.fill(memory, kernels);
      header.release();
      return createModel({
        info: {
          model: header.model,
          variant: header.variant,
          version: header.version,
          task: header.task,
          labels: header.labels,
          outputs: header.graph.outputs,
          outOfScopeLabel: header.outOfScopeLabel,
          sizeBytes: bytes.byteLength,
          workingBytes,
        },
        header,
        program,
        machine: {
          kernels,
          f32: new Float32Array(memory),
          i32: new Int32Array(memory),
          i8: new Int8Array(memory),
          features: { ids: new Uint32Array(0), groupEnds: new Uint32Array(0) },
          tokens: [],
        },
        readText: header.input.kind === 'text' ? textReader(header.input.tokenizer) : null,
      });
    },
  };
}

/** On the plain engine. */
export async function loadModel(bytes: ArrayBuffer): Promise<EngineModel> {
  return createEngine().loadModel(bytes);
}
