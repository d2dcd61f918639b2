// Small graphs in which it is easy to compile a wrong answer: each answers as onnxruntime-node does, or is refused by its node.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadEdgeModel } from '../../../cli/models/edge-model.ts';
import { openOriginal } from '../../../cli/models/original-model.ts';
import { compare, inputsOf } from '../../../cli/models/verify-model.ts';
import { compiled } from './compiled.ts';
import type { GraphSource, NodeSource, TensorSource } from './onnx-file.ts';
import { onnxFile } from './onnx-file.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'agreement-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function largestError(graph: GraphSource): Promise<number> {
  const bytes = onnxFile(graph);
  const edge = await loadEdgeModel(compiled(bytes, { precision: { bits: 8, arithmetic: 'f32' } }));
  const path = join(folder, 'graph.onnx');
  await writeFile(path, bytes);
  const original = await openOriginal(path, {}, edge.wordPieces);
  return (await compare(edge, original, await inputsOf(edge, { count: 40, seed: 3 }))).largestError;
}

/** The same numbers every time, above and below zero. */
function weights(...dims: number[]): TensorSource {
  const size = dims.reduce((product, n) => product * n, 1);
  return { dims, values: Array.from({ length: size }, (_, i) => (((i + 3) ** 3 * 31) % 97) / 48 - 1) };
}

function float(...values: number[]): TensorSource {
  return { dims: values.length === 1 ? [] : [values.length], values };
}

/** A product, what the case is about from `h` to `m`, and another product. */
function between(nodes: NodeSource[], constants: Record<string, TensorSource> = {}): GraphSource {
  const first: NodeSource = { op: 'MatMul', inputs: ['x', 'w'], outputs: ['h'] };
  const last: NodeSource = { op: 'MatMul', inputs: ['m', 'v'], outputs: ['y'] };
  return { nodes: [first, ...nodes, last], constants: { w: weights(4, 8), v: weights(8, 3), ...constants } };
}

function rounded(scale: number, zero: number, before: NodeSource[] = []): GraphSource {
  const from = before.length === 0 ? 'h' : 'b';
  return between(
    [
      ...before,
      { op: 'QuantizeLinear', inputs: [from, 'scale', 'zero'], outputs: ['q'] },
      { op: 'DequantizeLinear', inputs: ['q', 'scale', 'zero'], outputs: ['m'] },
    ],
    { scale: float(scale), zero: { dims: [], values: [zero], type: 'int8' } },
  );
}

describe('graphs that came quantized', () => {
  it.each<[string, GraphSource]>([
    ['lose their Relu to a range that starts at zero', rounded(5 / 255, -128)],
    ['keep the Relu that is there', rounded(5 / 255, -128, [{ op: 'Relu', inputs: ['h'], outputs: ['b'] }])],
    ['have a range on both sides of zero', rounded(10 / 255, 0)],
  ])('that %s answer as onnxruntime-node does', async (_, graph) => {
    expect(await largestError(graph)).toBeLessThan(0.1);
  });
});
