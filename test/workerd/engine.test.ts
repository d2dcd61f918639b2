// Every operator in workerd, on each of the engine's three ways to compute, against what onnxruntime-node answered.

import { describe, expect, it } from 'vitest';
import kernels from '../../worker/engine/kernels.wasm';
import kernelsRelaxed from '../../worker/engine/kernels-relaxed.wasm';
import { createEngine } from '../../worker/engine/engine.ts';
import type { EngineModel } from '../../worker/engine/model.ts';
import { createModelPool } from '../../worker/engine/model-pool.ts';
import { hasRelaxedSimd } from '../../worker/engine/wasm-kernels.ts';
import expectedText from '../fixtures/engine/expected.ndjson?raw';
import bert from '../fixtures/engine/torch-bert-eager.hyb';
import cnn from '../fixtures/engine/torch-cnn.hyb';
import encoder from '../fixtures/engine/torch-encoder.hyb';
import mlp from '../fixtures/engine/torch-mlp.hyb';
import pooled from '../fixtures/engine/torch-pooled.hyb';
import squeezed from '../fixtures/engine/torch-squeezed.hyb';

type Row = { model: string; output: string; text?: string; pixels?: number[]; scores: number[] };

const FILES: Readonly<Record<string, ArrayBuffer>> = {
  'torch-bert-eager': bert,
  'torch-cnn': cnn,
  'torch-encoder': encoder,
  'torch-mlp': mlp,
  'torch-pooled': pooled,
  'torch-squeezed': squeezed,
};
const ROWS: Row[] = expectedText
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line));

/** The largest difference, relative to the largest score. */
function errorOf(model: EngineModel, { output, text, pixels = [], scores }: Row): number {
  const input =
    text === undefined
      ? ({ kind: 'image', pixels: Float32Array.from(pixels) } as const)
      : ({ kind: 'text', text } as const);
  const actual = output === 'softmax' ? model.classify(input).probabilities : model.logits(input);
  const largest = Math.max(...scores.map(Math.abs));
  return Math.max(...scores.map((score, i) => Math.abs(score - (actual[i] ?? Number.NaN)) / largest));
}

describe.each([
  ['plain TypeScript', createEngine()],
  ['SIMD', createEngine({ wasm: kernels })],
  ['relaxed SIMD', createEngine({ wasm: kernels, relaxedWasm: kernelsRelaxed })],
])('the engine in workerd, %s', (_name, engine) => {
  it.each(Object.keys(FILES))('answers %s as onnxruntime-node does', async (name) => {
    const model = await engine.loadModel(FILES[name] ?? new ArrayBuffer(0));
    const rows = ROWS.filter((row) => row.model === name);
    expect(rows).toHaveLength(4);
    for (const row of rows) expect(errorOf(model, row)).toBeLessThan(0.02);
  });
});

it('workerd has relaxed SIMD', () => {
  expect(hasRelaxedSimd()).toBe(true);
});

it('keeps several models in one isolate', async () => {
  const pool = createModelPool(createEngine({ wasm: kernels, relaxedWasm: kernelsRelaxed }));
  for (const [name, bytes] of Object.entries(FILES)) await pool.get(name, async () => bytes);
  expect(pool.loaded()).toHaveLength(6);
});
