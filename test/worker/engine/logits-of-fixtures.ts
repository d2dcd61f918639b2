// Run as a program with flags that take instructions away from V8: prints which kernels the engine chose and the bits of its answers.

import { readFileSync } from 'node:fs';
import { createEngine } from '../../../worker/engine/engine.ts';
import { encoder } from './encoder-source.ts';
import { hybFile } from './hyb-file.ts';

const SHAPE = { headSize: 8, heads: 3, hidden: 50, layers: 2, maxTokens: 30, labels: 6, pool: 'mean', seed: 11 };
const WORDS = ['a', 'b', 'abb', 'word!', 'x'];

function moduleOf(name: string): WebAssembly.Module {
  return new WebAssembly.Module(readFileSync(new URL(`../../../worker/engine/${name}.wasm`, import.meta.url)));
}

export type Answers = { readonly exactRelaxed: boolean; readonly bits: readonly string[] };

/** Texts of one piece to thirty, so that every tile of rows is used. */
export async function answersOf(relaxedWasm?: WebAssembly.Module): Promise<Answers> {
  const modules = { wasm: moduleOf('kernels'), relaxedWasm: relaxedWasm ?? moduleOf('kernels-relaxed') };
  const { exports } = new WebAssembly.Instance(modules.relaxedWasm, {
    env: { memory: new WebAssembly.Memory({ initial: 1, maximum: 1 }) },
  });
  const { adapt } = exports;
  if (typeof adapt !== 'function') throw new TypeError('no adapt');
  const model = await createEngine(modules).loadModel(hybFile(encoder(SHAPE)));
  const bits = Array.from({ length: 30 }, (_, count) => {
    const text = Array.from({ length: count }, (_word, i) => WORDS[(i * i + count) % WORDS.length]).join(' ');
    return Buffer.from(model.logits({ kind: 'text', text }).buffer).toString('hex');
  });
  return { exactRelaxed: adapt(-128, 127) === 1, bits };
}

if (import.meta.main) process.stdout.write(JSON.stringify(await answersOf()));
