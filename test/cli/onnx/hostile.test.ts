// Files that cannot be compiled: each says why with a code, names the node where there is one, and never hangs or crashes.

import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OnnxError } from '../../../cli/onnx/onnx-error.ts';
import { createEngine } from '../../../worker/engine/engine.ts';
import { ModelFormatError } from '../../../worker/engine/errors.ts';
import { compiled, fixture, refusal } from './compiled.ts';
import type { GraphSource, NodeSource } from './onnx-file.ts';
import { onnxFile } from './onnx-file.ts';

const WEIGHTS = { dims: [4, 3], values: Array.from({ length: 12 }, (_, i) => i / 12 - 0.5) };
const PRODUCT: NodeSource = { op: 'MatMul', inputs: ['x', 'w'], outputs: ['h'], name: 'product' };

function after(...nodes: NodeSource[]): GraphSource {
  return { nodes: [PRODUCT, ...nodes], constants: { w: WEIGHTS } };
}

describe('graphs that are not the engine’s', () => {
  it('compiles the product they all start with', () => {
    expect(refusal(onnxFile(after({ op: 'Relu', inputs: ['h'], outputs: ['y'] })))).toBe('compiled');
  });

  it.each<[string, GraphSource, RegExp]>([
    [
      'an unknown operator, by its node',
      after({ op: 'Einsum', inputs: ['h'], outputs: ['y'], name: 'mixing' }),
      /onnx_unsupported: operator Einsum \(node mixing\)/,
    ],
    [
      'what it has, and is used otherwise, with who can serve it',
      after({ op: 'Softmax', inputs: ['h'], outputs: ['y'], name: 'soft', attributes: { axis: 0 } }),
      /^onnx_unsupported: node Softmax soft is not over the last axis\. ONNX Runtime, at the edge or in the cloud, can serve this model$/,
    ],
    [
      'a node whose name would clear the screen',
      after({ op: 'Einsum', inputs: ['h'], outputs: ['y'], name: 'a\n\u001b[2J\u202e' }),
      /operator Einsum \(node a\uFFFD\uFFFD\[2J\uFFFD\): the engine has none\. ONNX Runtime/,
    ],
    [
      'a node whose name fills the screen',
      after({ op: 'Einsum', inputs: ['h'], outputs: ['y'], name: 'n'.repeat(200_000) }),
      /^onnx_unsupported: operator Einsum \(node n{120}\.\.\.\): the engine has none\. ONNX Runtime/,
    ],
    [
      "another vendor's operator",
      after({ op: 'Relu', domain: 'com.example', inputs: ['h'], outputs: ['y'], name: 'theirs' }),
      /com\.example\.Relu \(node theirs\)/,
    ],
    [
      'an operator called after a method of objects',
      after({ op: 'toString', inputs: ['h'], outputs: ['y'] }),
      /toString/,
    ],
    [
      'a circle',
      {
        nodes: [
          { op: 'Add', inputs: ['x', 'b'], outputs: ['a'], name: 'first' },
          { op: 'Add', inputs: ['a', 'x'], outputs: ['b'], name: 'second' },
        ],
        outputs: ['b'],
      },
      /onnx_corrupt: .*circle through node Add/,
    ],
    ['a node of itself', { nodes: [{ op: 'Relu', inputs: ['y'], outputs: ['y'] }] }, /circle/],
    [
      'a name made twice',
      after({ op: 'Relu', inputs: ['x'], outputs: ['h'] }, { op: 'Tanh', inputs: ['h'], outputs: ['y'] }),
      /two nodes/,
    ],
    ['an input nobody makes', after({ op: 'Add', inputs: ['h', 'nowhere'], outputs: ['y'] }), /nowhere/],
    ['an output nobody makes', { ...after(), outputs: ['elsewhere'] }, /elsewhere/],
    ['no output', { ...after(), outputs: [] }, /outputs/],
    [
      'weights of another size',
      {
        ...after({ op: 'Relu', inputs: ['h'], outputs: ['y'] }),
        constants: { w: { dims: [5, 3], values: Array(15).fill(1) } },
      },
      /onnx_corrupt: node MatMul product/,
    ],
    [
      'fewer values than its shape says',
      { ...after(), constants: { w: { dims: [4, 4], values: [1, 2] } } },
      /2 values for 4x4/,
    ],
    ['a shape of 2^60', { ...after(), constants: { w: { dims: [2 ** 30, 2 ** 30], values: [] } } }, /onnx_too_large/],
    ['a negative shape', { ...after(), constants: { w: { dims: [-4, 3], values: [] } } }, /shape -4x3/],
    [
      'weights in another file',
      { ...after(), constants: { w: { dims: [4, 3], values: [], type: 'external' } } },
      /another file/,
    ],
    [
      'weights of NaN',
      {
        ...after({ op: 'Relu', inputs: ['h'], outputs: ['y'] }),
        constants: { w: { dims: [4, 3], values: Array(12).fill(Number.NaN) } },
      },
      /NaN/,
    ],
    ['an old operator set', { ...after(), opset: 11 }, /operator set 11/],
    [
      'a reshape that does not fit',
      {
        ...after({ op: 'Reshape', inputs: ['h', 's'], outputs: ['y'], name: 'bend' }),
        constants: { w: WEIGHTS, s: { dims: [2], values: [7, 7], type: 'int64' } },
      },
      /node Reshape bend: 1x3 cannot become 7x7/,
    ],
    [
      'constants that would fill the memory',
      {
        ...after(
          { op: 'ConstantOfShape', inputs: ['s'], outputs: ['c'], name: 'flood' },
          { op: 'Add', inputs: ['h', 'c'], outputs: ['y'] },
        ),
        constants: { w: WEIGHTS, s: { dims: [2], values: [2 ** 20, 2 ** 20], type: 'int64' } },
      },
      /onnx_too_large: node ConstantOfShape flood/,
    ],
    [
      'residuals within residuals without end',
      after(
        { op: 'Identity', inputs: ['h'], outputs: ['a0'] },
        ...Array.from({ length: 40 }, (_, i) => [
          { op: 'Tanh', inputs: [`a${i}`], outputs: [`b${i}`] },
          { op: 'Add', inputs: [`b${i}`, 'h'], outputs: [`a${i + 1}`] },
        ]).flat(),
        { op: 'Relu', inputs: ['a40'], outputs: ['y'] },
      ),
      /lies in more than 4 residuals/,
    ],
    [
      'two inputs',
      {
        ...after({ op: 'Add', inputs: ['h', 'z'], outputs: ['y'] }),
        inputs: [
          { name: 'x', dims: [0, 4] },
          { name: 'z', dims: [0, 3] },
        ],
      },
      /inputs x and z/,
    ],
    [
      'an input of open size',
      { ...after(), inputs: [{ name: 'x', dims: [0, 0] }], outputs: ['h'] },
      /only the batch may be open/,
    ],
    [
      'an input of texts',
      { ...after(), inputs: [{ name: 'x', dims: [0, 4], elementType: 8 }], outputs: ['h'] },
      /element type 8/,
    ],
  ])('refuses %s', (_name, graph, message) => {
    expect(refusal(onnxFile(graph))).toMatch(message);
  });

  it('refuses a chain of ten thousand nodes without a stack to overflow', () => {
    const nodes = Array.from({ length: 10_000 }, (_, i): NodeSource => {
      return { op: 'Tanh', inputs: [i === 0 ? 'h' : `t${i - 1}`], outputs: [i === 9_999 ? 'y' : `t${i}`] };
    });
    const outcome = refusal(onnxFile(after(...nodes)));
    expect(outcome).toMatch(/onnx_|compiled/);
    expect(outcome).not.toMatch(/crashed/);
  });

  it('refuses more nodes than it will read', () => {
    const nodes = Array.from({ length: 20_001 }, (): NodeSource => ({ op: 'Relu', inputs: ['x'], outputs: [] }));
    expect(refusal(onnxFile({ nodes }))).toMatch(/onnx_too_large/);
  });
});

const OPERATORS =
  'Add Mul Sub Div MatMul Gemm Relu Erf Sqrt Softmax ReduceMean Reshape Transpose Squeeze Unsqueeze Gather Slice Split Concat Flatten LayerNormalization Conv MaxPool Where DynamicQuantizeLinear MatMulInteger QuantizeLinear DequantizeLinear Cast Shape Expand Range Clip'.split(
    ' ',
  );

describe('bytes that are no graph', () => {
  it.each([
    ['nothing', new Uint8Array(0)],
    ['text', Buffer.from('not a model at all')],
    ['zeros', new Uint8Array(1000)],
    ['a length of 4 GiB', Uint8Array.of(0x3a, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x00)],
    ['groups in groups', new Uint8Array(10_000).fill(0x0b)],
  ])('refuses %s', (_name, bytes) => {
    expect(refusal(bytes)).toMatch(/^onnx_/);
  });

  it('refuses every truncation', () => {
    const whole = readFileSync(fixture('torch-cnn.onnx'));
    for (let size = 0; size < whole.length; size += 97) {
      expect(refusal(whole.subarray(0, size))).toMatch(/^onnx_/);
    }
  });

  it.each([
    'torch-cnn.onnx',
    'torch-mlp.onnx',
    'sklearn-mlp-binary.onnx',
    'quantized-dynamic.onnx',
    'torch-pooled.onnx',
  ])('compiles or refuses %s with any bytes changed, and what it compiles loads or is refused', async (file) => {
    const whole = readFileSync(fixture(file));
    const changes = fc.array(fc.tuple(fc.nat({ max: whole.length - 1 }), fc.nat({ max: 255 })), {
      minLength: 1,
      maxLength: 4,
    });
    await fc.assert(
      fc.asyncProperty(changes, async (list) => {
        const bytes = Uint8Array.from(whole);
        for (const [at, value] of list) bytes[at] = value;
        expect(await outcomeOf(bytes)).toBe('fine');
      }),
      { numRuns: 250 },
    );
  });

  it('compiles or refuses any mixture of operators', async () => {
    const names = fc.constantFrom('x', 'h', 'a', 'b', 'w', 's', 'one');
    const operator = fc.constantFrom(...OPERATORS);
    const node = fc.record({
      op: operator,
      inputs: fc.array(names, { maxLength: 4 }),
      output: fc.constantFrom('a', 'b', 'c', 'y'),
      attributes: fc.dictionary(
        fc.constantFrom('axis', 'axes', 'perm', 'keepdims', 'transB', 'kernel_shape', 'strides', 'pads', 'group', 'to'),
        fc.oneof(fc.integer({ min: -3, max: 9 }), fc.array(fc.integer({ min: -2, max: 4 }), { maxLength: 4 })),
      ),
    });
    const inputDims = fc.constantFrom<number[]>([0, 4], [0, 1, 2, 2], [1, 2, 2]);
    await fc.assert(
      fc.asyncProperty(fc.array(node, { minLength: 1, maxLength: 6 }), inputDims, async (list, dims) => {
        const nodes = [PRODUCT, ...list.map(({ output, ...rest }): NodeSource => ({ ...rest, outputs: [output] }))];
        const constants = {
          w: WEIGHTS,
          s: { dims: [2], values: [1, -1], type: 'int64' as const },
          one: { dims: [], values: [1] },
        };
        expect(await outcomeOf(onnxFile({ nodes, constants, inputs: [{ name: 'x', dims }], outputs: ['y'] }))).toBe(
          'fine',
        );
      }),
      { numRuns: 3000 },
    );
  });
});

/** Compiled and loaded, or refused by one of the two with its own error. */
async function outcomeOf(bytes: Uint8Array): Promise<string> {
  try {
    await createEngine().loadModel(compiled(bytes).buffer);
  } catch (error) {
    if (!(error instanceof OnnxError) && !(error instanceof ModelFormatError)) {
      return error instanceof Error ? (error.stack ?? error.message) : String(error);
    }
  }
  return 'fine';
}
