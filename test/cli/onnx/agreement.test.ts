// Small graphs in which it is easy to compile a wrong answer: each answers as onnxruntime-node does, or is refused by its node.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadEdgeModel } from '../../../cli/models/edge-model.ts';
import { openOriginal } from '../../../cli/models/original-model.ts';
import { compare, inputsOf } from '../../../cli/models/verify-model.ts';
import { compiled, refusal } from './compiled.ts';
import type { GraphSource, NodeSource, TensorSource } from './onnx-file.ts';
import { onnxFile } from './onnx-file.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'agreement-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function largestError(graph: GraphSource, pieces: readonly string[] = []): Promise<number> {
  const bytes = onnxFile(graph);
  const vocabulary = { pieces, lowercase: true };
  const edge = await loadEdgeModel(compiled(bytes, { vocabulary, precision: { bits: 8, arithmetic: 'f32' } }));
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

describe('operators that look like others', () => {
  const axis = { dims: [1], values: [1], type: 'int64' as const };
  const cut = (name: string, from: number, to: number): Record<string, TensorSource> => ({
    [`${name}_from`]: { ...axis, values: [from] },
    [`${name}_to`]: { ...axis, values: [to] },
    axis,
  });
  const sliced = (from: string, to: string): NodeSource => ({
    op: 'Slice',
    inputs: [from, `${to}_from`, `${to}_to`, 'axis'],
    outputs: [to],
    name: 'some of the scores',
  });
  const scores: NodeSource = { op: 'MatMul', inputs: ['x', 'w'], outputs: ['h'] };
  const ending = (nodes: NodeSource[], constants: Record<string, TensorSource> = {}): GraphSource => ({
    nodes: [scores, ...nodes],
    constants: { w: weights(4, 8), ...constants },
  });
  const INT64 = 7;
  const FLOAT = 1;
  const BOOL = 9;
  const cast = (from: string, to: string, type: number): NodeSource => ({
    op: 'Cast',
    inputs: [from],
    outputs: [to],
    name: `to ${type}`,
    attributes: { to: type },
  });
  const picture = { name: 'x', dims: [0, 2, 8, 8] };
  const pooled = (op: string): GraphSource => ({
    inputs: [picture],
    nodes: [
      {
        op,
        inputs: ['x'],
        outputs: ['p'],
        name: 'up',
        attributes: { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1], ceil_mode: 1, count_include_pad: 1 },
      },
      { op: 'Flatten', inputs: ['p'], outputs: ['f'] },
      { op: 'MatMul', inputs: ['f', 'v'], outputs: ['y'] },
    ],
    constants: { v: weights(50, 3) },
  });

  it.each<[string, GraphSource, RegExp]>([
    ['the first scores alone', ending([sliced('h', 'y')], cut('y', 0, 3)), /onnx_unsupported: output y/],
    ['the last scores alone', ending([sliced('h', 'y')], cut('y', 5, 8)), /onnx_unsupported: output y/],
    [
      'a softmax of some scores',
      ending([sliced('h', 's'), { op: 'Softmax', inputs: ['s'], outputs: ['y'] }], cut('s', 0, 3)),
      /output y/,
    ],
    [
      'a sum of some scores with all of others',
      ending(
        [
          sliced('h', 's'),
          { op: 'MatMul', inputs: ['x', 'u'], outputs: ['t'] },
          { op: 'Add', inputs: ['s', 't'], outputs: ['y'], name: 'sum' },
        ],
        { ...cut('s', 0, 3), u: weights(4, 3) },
      ),
      /node Add sum/,
    ],
    [
      'a softmax over the batch',
      ending([{ op: 'Softmax', inputs: ['h'], outputs: ['y'], name: 'soft', attributes: { axis: 0 } }]),
      /node Softmax soft is not over the last axis/,
    ],
    [
      'a logarithmic softmax over the batch',
      ending([{ op: 'LogSoftmax', inputs: ['h'], outputs: ['y'], name: 'soft', attributes: { axis: 0 } }]),
      /node LogSoftmax soft is not over the last axis/,
    ],
    [
      'a flat image with its channels first, plus a product',
      {
        inputs: [picture],
        nodes: [
          { op: 'Conv', inputs: ['x', 'k'], outputs: ['c'] },
          { op: 'Flatten', inputs: ['c'], outputs: ['f'] },
          { op: 'MatMul', inputs: ['f', 'u'], outputs: ['p'] },
          { op: 'Add', inputs: ['f', 'p'], outputs: ['s'], name: 'sum' },
          { op: 'MatMul', inputs: ['s', 'v'], outputs: ['y'] },
        ],
        constants: { k: weights(2, 2, 7, 7), u: weights(8, 8), v: weights(8, 3) },
      },
      /node Add sum/,
    ],
    ['activations made whole numbers', between([cast('h', 'i', INT64), cast('i', 'm', FLOAT)]), /node Cast to 7/],
    ['activations made true or false', between([cast('h', 'i', BOOL), cast('i', 'm', FLOAT)]), /node Cast to 9/],
    ['a maximum over padding that rounds up', pooled('MaxPool'), /node MaxPool up rounds its size up/],
    ['a mean over padding that rounds up', pooled('AveragePool'), /node AveragePool up rounds its size up/],
  ])('%s is refused', (_, graph, reason) => {
    expect(refusal(onnxFile(graph))).toMatch(reason);
  });

  it('a mean over nothing leaves all as it is', async () => {
    const mean: NodeSource = {
      op: 'ReduceMean',
      inputs: ['h'],
      outputs: ['m'],
      attributes: { noop_with_empty_axes: 1 },
    };
    expect(await largestError({ ...between([mean]), opset: 18 })).toBeLessThan(0.1);
  });

  it.each<[string, NodeSource, Record<string, TensorSource>]>([
    [
      'a maximum of three',
      { op: 'Max', inputs: ['a', 'b', 'c'], outputs: ['k'] },
      { c: { dims: [8], values: weights(8, 1).values.map((value) => value + 0.5) } },
    ],
    ['a minimum of one', { op: 'Min', inputs: ['a'], outputs: ['k'] }, {}],
    [
      "a remainder with the dividend's sign",
      { op: 'Mod', inputs: ['a', 'two'], outputs: ['k'], attributes: { fmod: 1 } },
      { two: float(0.3) },
    ],
  ])('constants are computed as onnxruntime-node does: %s', async (_, node, constants) => {
    const graph = between([node, { op: 'Add', inputs: ['h', 'k'], outputs: ['m'] }], {
      a: { dims: [8], values: weights(8, 1).values },
      b: { dims: [8], values: weights(8, 1).values.toReversed() },
      ...constants,
    });
    expect(await largestError(graph)).toBeLessThan(0.1);
  });
});

describe('texts of any length', () => {
  const pieces = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
  const ids = { name: 'input_ids', dims: [0, 0], elementType: 7 };
  const mask = { ...ids, name: 'attention_mask' };
  const pooled = (nodes: NodeSource[], inputs = [ids, mask]): GraphSource => ({
    inputs,
    nodes: [
      { op: 'Gather', inputs: ['table', 'input_ids'], outputs: ['e'] },
      ...nodes,
      { op: 'MatMul', inputs: ['m', 'v'], outputs: ['y'] },
    ],
    constants: { table: weights(24, 8), v: weights(8, 3), tokens: { dims: [1], values: [1], type: 'int64' } },
  });
  const last: TensorSource = { dims: [1], values: [-1], type: 'int64' };
  const sum: NodeSource = { op: 'ReduceSum', inputs: ['e', 'tokens'], outputs: ['m'], attributes: { keepdims: 0 } };
  const mean: NodeSource = { op: 'ReduceMean', inputs: ['e'], outputs: ['m'], attributes: { keepdims: 0, axes: [1] } };
  const masked: NodeSource[] = [
    { op: 'Cast', inputs: ['attention_mask'], outputs: ['f'], attributes: { to: 1 } },
    { op: 'Constant', inputs: [], outputs: ['last'], attributes: { value: { tensor: last } } },
    { op: 'Unsqueeze', inputs: ['f', 'last'], outputs: ['u'] },
    { op: 'Mul', inputs: ['e', 'u'], outputs: ['eu'] },
    { ...sum, inputs: ['eu', 'tokens'], outputs: ['s'] },
    { ...sum, inputs: ['u', 'tokens'], outputs: ['n'] },
  ];
  const fixed = (one: typeof ids): typeof ids => ({ ...one, dims: [1, 12] });

  it.each<[string, GraphSource]>([
    ['the mean of all', pooled([mean], [ids])],
    ['the mean of ids of 32 bits', pooled([mean], [{ ...ids, elementType: 6 }])],
    ['the mean of what is not masked', pooled([...masked, { op: 'Div', inputs: ['s', 'n'], outputs: ['m'] }])],
    [
      'the mean of what is not masked, of a fixed length',
      pooled([...masked, { op: 'Div', inputs: ['s', 'n'], outputs: ['m'] }], [fixed(ids), fixed(mask)]),
    ],
  ])('%s answers as onnxruntime-node does', async (_, graph) => {
    expect(await largestError(graph, pieces)).toBeLessThan(0.1);
  });

  it.each<[string, GraphSource, RegExp]>([
    ['a sum', pooled([sum], [ids]), /output y depends on how many tokens/],
    [
      'a sum over a root of their number',
      pooled([
        ...masked,
        { op: 'Sqrt', inputs: ['n'], outputs: ['r'] },
        { op: 'Div', inputs: ['s', 'r'], outputs: ['m'] },
      ]),
      /output y depends on how many tokens/,
    ],
    ['a fixed length without a mask', pooled([mean], [fixed(ids)]), /input input_ids has a fixed length of 12/],
    [
      'a number of tokens in its shapes',
      {
        ...pooled([
          { op: 'Reshape', inputs: ['e', 'shape'], outputs: ['r'], name: 'fixed' },
          { ...mean, inputs: ['r'] },
        ]),
        constants: {
          table: weights(24, 8),
          v: weights(8, 3),
          shape: { dims: [3], values: [1, 20, 8], type: 'int64' },
        },
      },
      /node Reshape fixed: .*x8 cannot become 1x20x8\. .*--max-tokens/,
    ],
    ['a batch of four', pooled([mean], [{ ...ids, dims: [4, 0] }]), /input input_ids takes 4 at a time/],
    [
      'whole numbers that are no tokens',
      {
        inputs: [{ name: 'x', dims: [0, 8], elementType: 7 }],
        nodes: [
          { op: 'Cast', inputs: ['x'], outputs: ['f'], attributes: { to: 1 } },
          { op: 'MatMul', inputs: ['f', 'v'], outputs: ['y'] },
        ],
        constants: { v: weights(8, 3) },
      },
      /onnx_unsupported: input x/,
    ],
  ])('%s is refused', (_, graph, reason) => {
    expect(refusal(onnxFile(graph))).toMatch(reason);
  });
});

describe('inputs and outputs', () => {
  const DOUBLE = 11;
  const product: NodeSource = { op: 'MatMul', inputs: ['x', 'w'], outputs: ['y'] };

  it('of double precision are compared', async () => {
    const graph: GraphSource = {
      inputs: [{ name: 'x', dims: [0, 4], elementType: DOUBLE }],
      nodes: [{ op: 'Cast', inputs: ['w32'], outputs: ['w'], attributes: { to: DOUBLE } }, product],
      constants: { w32: weights(4, 3) },
    };
    expect(await largestError(graph)).toBeLessThan(0.1);
  });

  it('that the scores do not depend on are filled', async () => {
    const inputs = ['x', 'unused'].map((name) => ({ name, dims: [0, 4] }));
    expect(await largestError({ inputs, nodes: [product], constants: { w: weights(4, 3) } })).toBeLessThan(0.1);
  });
});
