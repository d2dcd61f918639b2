// The shipped encoders, quantized when they were exported: the engine must answer real rows as onnxruntime-node does.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { loadEdgeModel } from '../../../cli/models/edge-model.ts';
import { readExamples } from '../../../cli/models/examples.ts';
import { openOriginal } from '../../../cli/models/original-model.ts';
import { compare } from '../../../cli/models/verify-model.ts';
import { compiled } from './compiled.ts';

describe.each<[model: string, variant: string, everyNth: number]>([
  ['intent', 'base', 1],
  ['intent', 'large', 2],
  ['banking', 'base', 1],
  ['banking', 'large', 2],
])('%s/%s', (model, variant, everyNth) => {
  it('gives the same answer on at least 99.9 % of the validation rows', async ({ annotate }) => {
    const folder = new URL(`../../../models/${model}/`, import.meta.url).pathname;
    const pieces = readFileSync(`${folder}vocab.txt`, 'utf8').trimEnd().split('\n');
    const bytes = compiled(readFileSync(`${folder}${variant}.onnx`), { vocabulary: { pieces, lowercase: true } });
    const edge = await loadEdgeModel(bytes);
    const dense = edge.header.graph.filter(({ op }) => op === 'dense');
    expect(new Set(dense.map(({ arithmetic }) => arithmetic))).toEqual(new Set(['int8_shared', 'int8']));
    const original = await openOriginal(`${folder}${variant}.onnx`, {}, edge.wordPieces);
    const examples = (await readExamples(`${folder}validation.csv.gz`)).filter((_, i) => i % everyNth === 0);
    const found = await compare(
      edge,
      original,
      examples.map(({ input }) => input),
    );
    await annotate(JSON.stringify(found));
    expect(found.agreementRatio).toBeGreaterThanOrEqual(0.999);
    expect(found.medianError).toBeLessThan(0.004);
    expect(found.largestError).toBeLessThan(0.2);
  }, 180_000);
});
