// Owns asking one model once on each runtime, as plain functions to time.

import { readFileSync } from 'node:fs';
import * as node from 'onnxruntime-node';
import * as web from 'onnxruntime-web';
import { createEngine } from '../../worker/engine/engine.ts';
import type { TimedModel } from './engine-models.ts';

export type Runner = { readonly runtime: string; run(): unknown };

type Runtime = Pick<typeof node, 'InferenceSession' | 'Tensor'>;

const modules = new Map<string, WebAssembly.Module>();

export function kernels(name: string): WebAssembly.Module {
  const known = modules.get(name);
  if (known !== undefined) return known;
  const module = new WebAssembly.Module(readFileSync(new URL(`../../worker/engine/${name}.wasm`, import.meta.url)));
  modules.set(name, module);
  return module;
}

export async function engineRunner(timed: TimedModel, runtime: 'engine' | 'engine_no_relaxed'): Promise<Runner> {
  const engine = createEngine({
    wasm: kernels('kernels'),
    ...(runtime === 'engine' ? { relaxedWasm: kernels('kernels-relaxed') } : {}),
  });
  const model = await engine.loadModel(timed.hyb.buffer);
  const { input } = timed;
  if (input.kind === 'image') {
    const pixels = Float32Array.from({ length: count(input.dims) }, (_, i) => (i % 29) / 28);
    return { runtime, run: () => model.classify({ kind: 'image', pixels }) };
  }
  // One piece a word, and [CLS] and [SEP]. The others are handed ids: tokenizing is on the engine's bill alone.
  const text = Array.from({ length: input.tokens - 2 }, () => 'what').join(' ');
  return { runtime, run: () => model.classify({ kind: 'text', text }) };
}

export async function onnxRunner(timed: TimedModel, runtime: string, library: Runtime): Promise<Runner> {
  const { InferenceSession, Tensor } = library;
  const session = await InferenceSession.create(timed.onnx, { intraOpNumThreads: 1, interOpNumThreads: 1 });
  const { input } = timed;
  const feeds: Record<string, node.Tensor> = {};
  if (input.kind === 'image') {
    const values = Float32Array.from({ length: count(input.dims) }, (_, i) => (i % 29) / 28);
    feeds['x'] = new Tensor('float32', values, input.dims);
  } else {
    const ids = BigInt64Array.from({ length: input.tokens }, (_, i) => BigInt(100 + i));
    feeds['input_ids'] = new Tensor('int64', ids, [1, input.tokens]);
    feeds['attention_mask'] = new Tensor(
      'int64',
      ids.map(() => 1n),
      [1, input.tokens],
    );
  }
  return { runtime, run: () => session.run(feeds) };
}

/** One thread, as in an isolate. */
export function webRuntime(): Runtime {
  web.env.wasm.numThreads = 1;
  return web;
}

export const nodeRuntime: Runtime = node;

function count(dims: readonly number[]): number {
  return dims.reduce((product, n) => product * n, 1);
}
