// Exports as users make them: compiled, loaded in the engine, and asked the same as onnxruntime-node.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { loadEdgeModel } from '../../../cli/models/edge-model.ts';
import { readExamples } from '../../../cli/models/examples.ts';
import { openOriginal } from '../../../cli/models/original-model.ts';
import type { Comparison } from '../../../cli/models/verify-model.ts';
import { compare, inputsOf } from '../../../cli/models/verify-model.ts';
import type { CompileOptions } from '../../../cli/onnx/compile.ts';
import { compiled, fixture } from './compiled.ts';

async function comparison(file: string, options: Partial<CompileOptions> = {}, count = 60): Promise<Comparison> {
  const path = fixture(file);
  const { image, range } = options;
  const edge = await loadEdgeModel(compiled(readFileSync(path), options));
  const flags = { ...(image ? { image: [...image] as const } : {}), ...(range ? { range: [...range] as const } : {}) };
  const original = await openOriginal(path, flags as Parameters<typeof openOriginal>[1], edge.wordPieces);
  return compare(edge, original, await inputsOf(edge, { count, seed: 3 }));
}

/** The error where only weights are quantized, and with activations too. */
describe.each<[file: string, float: number, integer: number, options?: Partial<CompileOptions>]>([
  // Its scores are probabilities of raw pixels up to 16, which a small error moves far.
  ['sklearn-mlp-digits.onnx', 0.2, 0.4, { image: [8, 8, 1], range: [0, 16] }],
  ['sklearn-mlp-binary.onnx', 0.02, 0.03],
  ['torch-mlp.onnx', 0.02, 0.04],
  ['torch-cnn.onnx', 0.02, 0.06],
  ['torch-cnn-dynamo.onnx', 0.02, 0.06],
  ['torch-pooled.onnx', 0.01, 0.02],
  ['torch-squeezed.onnx', 0.01, 0.02],
  ['torch-squeezed-dynamo.onnx', 0.01, 0.02],
  // Its scores lie in a map, which onnxruntime-node cannot hand out.
  ['sklearn-pipeline-wine.onnx', 0.02, 0.05, { range: [0, 100] }],
  ['quantized-dynamic.onnx', 0.03, 0.05],
  ['quantized-dynamic-u8.onnx', 0.03, 0.05],
])('%s', (file, float, integer, options = {}) => {
  it('answers as onnxruntime-node does, in float and in integers', async () => {
    const inFloat = await comparison(file, { ...options, precision: { bits: 8, arithmetic: 'f32' } });
    expect(inFloat.largestError).toBeLessThan(float);
    const inIntegers = await comparison(file, { ...options, precision: { bits: 8, arithmetic: 'int8' } });
    expect(inIntegers.largestError).toBeLessThan(integer);
    expect(inIntegers.agreementRatio).toBeGreaterThan(0.9);
  });
});

describe('text exports', () => {
  it.each([
    ['torch-bert-eager.onnx', 24],
    ['torch-bert-sdpa.onnx', 24],
    ['torch-encoder.onnx', 16],
    ['torch-distilbert.onnx', 24],
    ['torch-sentence.onnx', 24],
    ['torch-sentence-dynamo.onnx', 24],
  ])('%s answers as onnxruntime-node does, at most %d tokens', async (file, tokens) => {
    const { header } = await loadEdgeModel(compiled(readFileSync(fixture(file))));
    expect(header.tokenizer?.max_tokens).toBe(tokens);
    const { largestError, agreementRatio } = await comparison(file);
    expect(largestError).toBeLessThan(0.15);
    expect(agreementRatio).toBeGreaterThan(0.93);
  });

  it('the same encoder with its word pieces in four bits is the file that is shipped, and answers nearly as before', async () => {
    const folder = new URL('../../../models/intent/', import.meta.url).pathname;
    const shipped = await loadEdgeModel(Uint8Array.from(readFileSync(`${folder}small.hyb`)));
    const { pieces } = shipped.wordPieces ?? { pieces: [] };
    const bytes = compiled(readFileSync(`${folder}base.onnx`), {
      model: 'intent',
      variant: 'small',
      labels: shipped.model.info.labels,
      outOfScopeLabel: 'oos',
      temperature: shipped.header.calibration?.temperature ?? 1,
      vocabulary: { pieces, lowercase: true },
      precision: { bits: 8, arithmetic: 'auto', tableBits: 4 },
    });
    expect((await loadEdgeModel(bytes)).digest).toBe(shipped.digest);
    const original = await openOriginal(`${folder}base.onnx`, {}, shipped.wordPieces);
    const examples = (await readExamples(`${folder}validation.csv.gz`)).filter((_, i) => i % 12 === 0);
    const inputs = examples.map(({ input }) => input);
    expect((await compare(shipped, original, inputs)).agreementRatio).toBeGreaterThan(0.98);
  }, 60_000);

  it('cuts a table that has more rows than the vocabulary, and refuses one that has fewer', () => {
    const bytes = readFileSync(fixture('torch-encoder.onnx'));
    const vocabulary = (pieces: readonly string[]): Partial<CompileOptions> => ({
      vocabulary: { pieces, lowercase: true },
    });
    const { pieces } = { pieces: Array.from({ length: 57 }, (_, i) => ['[UNK]', '[CLS]', '[SEP]'][i] ?? `piece${i}`) };
    expect(compiled(bytes, vocabulary(pieces.slice(0, 40))).length).toBeLessThan(
      compiled(bytes, vocabulary(pieces)).length,
    );
    expect(() => compiled(bytes, vocabulary([...pieces, 'more']))).toThrow(/58 pieces/);
    expect(() => compiled(bytes, { vocabulary: null })).toThrow(/--tokenizer/);
  });
});

describe('what the export says of itself', () => {
  it('takes labels from a pipeline of scikit-learn, scaler and all', async () => {
    const edge = await loadEdgeModel(
      compiled(readFileSync(fixture('sklearn-pipeline-wine.onnx')), { range: [0, 100] }),
    );
    expect(edge.model.info.labels).toEqual(['0', '1', '2']);
    expect(edge.header.graph.map(({ op }) => op)).toEqual(['flatten', 'dense']);
  });

  it('keeps the integers of weights that came quantized', () => {
    const fromFloat = compiled(readFileSync(fixture('torch-mlp.onnx')));
    const fromIntegers = compiled(readFileSync(fixture('quantized-dynamic.onnx')));
    // Quantized per channel to the same range: the same integers, so nearly the same file.
    const { weights: a } = tensorsOf(fromFloat);
    const { weights: b } = tensorsOf(fromIntegers);
    const off = a.filter((value, i) => Math.abs(value - (b[i] ?? 99)) > 1).length;
    expect(a.length).toBe(64 * 96);
    expect(off / a.length).toBeLessThan(0.01);
  });

  it('answers QDQ exports without their rounding of activations', async () => {
    const { agreementRatio } = await comparison('quantized-qdq.onnx');
    expect(agreementRatio).toBeGreaterThan(0.9);
  });

  it('packs four-bit weights where asked', async () => {
    const bytes = readFileSync(fixture('torch-mlp.onnx'));
    const small = compiled(bytes, { precision: { bits: 4, arithmetic: 'f32' } });
    expect(small.length).toBeLessThan(compiled(bytes).length * 0.65);
    expect((await loadEdgeModel(small)).model.info.labels).toHaveLength(10);
  });
});

function tensorsOf(file: Uint8Array): { weights: Int8Array } {
  const view = Buffer.from(file);
  const headerBytes = view.readUInt32LE(8);
  const header: { tensors: Record<string, { offset: number; bytes: number }> } = JSON.parse(
    view.toString('utf8', 64, 64 + headerBytes),
  );
  const { offset = 0, bytes = 0 } = header.tensors['1.dense'] ?? {};
  return { weights: Int8Array.from(view.subarray(64 + headerBytes + offset, 64 + headerBytes + offset + bytes)) };
}
