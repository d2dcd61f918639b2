// Owns timing one .hyb file in the engine, as model cards state it: one answer, tokenization included, batch 1.
// Run: node test/bench/engine-latency.ts models/digits/micro.hyb. Prints one JSON line.

import { readFileSync } from 'node:fs';
import { createEngine } from '../../worker/engine/engine.ts';
import type { ModelInput } from '../../worker/engine/model.ts';

const ROUNDS = 4000;
const WARM_UP = 2000;
const TEXTS = [
  'what is the balance of my checking account',
  'please set an alarm for six in the morning',
  'how do i say thank you in japanese',
  'is my flight to boston going to be delayed tonight',
  'order more coffee',
  'could you tell me what the weather will be like in seattle over the coming weekend',
];

const path = process.argv[2];
if (path === undefined) throw new Error('give the path of a .hyb file');
const kernels = (name: string): WebAssembly.Module =>
  new WebAssembly.Module(readFileSync(new URL(`../../worker/engine/${name}.wasm`, import.meta.url)));
const engine = createEngine({ wasm: kernels('kernels'), relaxedWasm: kernels('kernels-relaxed') });
const model = await engine.loadModel(Uint8Array.from(readFileSync(path)).buffer);

function inputs(): ModelInput[] {
  if (model.info.task !== 'image_classification') return TEXTS.map((text) => ({ kind: 'text', text }));
  // Strokes or noise take the same time: nothing in the engine depends on the values.
  return [{ kind: 'image', pixels: Float32Array.from({ length: 784 }, (_, i) => (i % 29) / 28) }];
}

const all = inputs();
const times: number[] = [];
for (let i = 0; i < ROUNDS; i += 1) {
  const input = all[i % all.length];
  if (input === undefined) break;
  const startedMs = performance.now();
  if (model.info.task === 'sentence_embedding') model.embed(input);
  else model.classify(input);
  if (i >= WARM_UP) times.push(performance.now() - startedMs);
}
times.sort((a, b) => a - b);
const quantile = (q: number): number => Number((times[Math.floor(q * times.length)] ?? 0).toFixed(4));
const where = `WebAssembly SIMD engine in Node ${process.versions.node}, ${process.arch}, one shared server core`;
console.log(JSON.stringify({ p50: quantile(0.5), p95: quantile(0.95), where }));
