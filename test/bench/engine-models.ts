// Owns the models that the engine is timed on beside other runtimes: made up where only the shape matters, shipped where it is one.

import { readFileSync } from 'node:fs';
import type { CompileOptions } from '../../cli/onnx/compile.ts';
import { compile } from '../../cli/onnx/compile.ts';
import type { NodeSource, TensorSource } from '../cli/onnx/onnx-file.ts';
import { onnxFile } from '../cli/onnx/onnx-file.ts';

export type TimedModel = {
  readonly name: string;
  readonly onnx: Uint8Array;
  readonly hyb: Uint8Array<ArrayBuffer>;
  readonly input: { kind: 'image'; dims: readonly number[] } | { kind: 'text'; tokens: number };
};

const OPTIONS: CompileOptions = {
  model: 'timed',
  variant: 'edge',
  version: '1.0.0',
  labels: null,
  outOfScopeLabel: null,
  temperature: 1,
  maxChars: 1000,
  vocabulary: null,
  output: null,
  maxTokens: null,
  image: null,
  range: null,
  precision: { bits: 8, arithmetic: 'auto' },
};
const MLP = [512, 256, 64, 8];
const CNN_CHANNELS = [1, 12, 24, 48];

function wave(count: number, size: number): number[] {
  return Array.from({ length: count }, (_, i) => size * Math.sin(1 + i * 1.7));
}

function floats(dims: number[], size: number): TensorSource {
  return {
    dims,
    values: wave(
      dims.reduce((product, n) => product * n, 1),
      size,
    ),
  };
}

/** Dynamically quantized, as onnxruntime's own tool writes it. */
function mlp(): Uint8Array {
  const nodes: NodeSource[] = [];
  const constants: Record<string, TensorSource> = {};
  let x = 'x';
  for (let i = 1; i < MLP.length; i += 1) {
    const [inputs = 0, outputs = 0, l] = [MLP[i - 1], MLP[i], `layer${i}`];
    const weights = wave(inputs * outputs, 127).map(Math.round);
    constants[`${l}.w`] = { dims: [inputs, outputs], values: weights, type: 'int8' };
    constants[`${l}.s`] = { dims: [outputs], values: wave(outputs, 0.001).map((value) => Math.abs(value) + 0.001) };
    constants[`${l}.b`] = floats([outputs], 0.1);
    nodes.push(
      { op: 'DynamicQuantizeLinear', inputs: [x], outputs: [`${l}.q`, `${l}.qs`, `${l}.z`] },
      { op: 'MatMulInteger', inputs: [`${l}.q`, `${l}.w`, `${l}.z`], outputs: [`${l}.i`] },
      { op: 'Cast', inputs: [`${l}.i`], outputs: [`${l}.f`], attributes: { to: 1 } },
      { op: 'Mul', inputs: [`${l}.qs`, `${l}.s`], outputs: [`${l}.fs`] },
      { op: 'Mul', inputs: [`${l}.f`, `${l}.fs`], outputs: [`${l}.p`] },
      { op: 'Add', inputs: [`${l}.p`, `${l}.b`], outputs: [i === MLP.length - 1 ? 'y' : `${l}.a`] },
    );
    if (i < MLP.length - 1) nodes.push({ op: 'Relu', inputs: [`${l}.a`], outputs: [`${l}.r`] });
    x = `${l}.r`;
  }
  return onnxFile({ nodes, constants, inputs: [{ name: 'x', dims: [1, MLP[0] ?? 0] }] });
}

/** About a million products on 28x28, in float32: what onnxruntime-web runs fastest. */
function cnn(): Uint8Array {
  const nodes: NodeSource[] = [];
  const constants: Record<string, TensorSource> = {};
  let x = 'x';
  for (let i = 1; i < CNN_CHANNELS.length; i += 1) {
    const [inputs = 0, outputs = 0, l] = [CNN_CHANNELS[i - 1], CNN_CHANNELS[i], `layer${i}`];
    constants[`${l}.w`] = floats([outputs, inputs, 3, 3], 1 / (3 * inputs));
    constants[`${l}.b`] = floats([outputs], 0.1);
    nodes.push(
      {
        op: 'Conv',
        inputs: [x, `${l}.w`, `${l}.b`],
        outputs: [`${l}.c`],
        attributes: { kernel_shape: [3, 3], pads: [1, 1, 1, 1] },
      },
      { op: 'Relu', inputs: [`${l}.c`], outputs: [`${l}.r`] },
    );
    x = `${l}.r`;
    if (i === CNN_CHANNELS.length - 1) break;
    nodes.push({
      op: 'MaxPool',
      inputs: [x],
      outputs: [`${l}.m`],
      attributes: { kernel_shape: [2, 2], strides: [2, 2] },
    });
    x = `${l}.m`;
  }
  constants['head.w'] = floats([10, 48], 0.2);
  constants['head.b'] = floats([10], 0.1);
  nodes.push(
    { op: 'GlobalAveragePool', inputs: [x], outputs: ['g'] },
    { op: 'Flatten', inputs: ['g'], outputs: ['f'] },
    { op: 'Gemm', inputs: ['f', 'head.w', 'head.b'], outputs: ['y'], attributes: { transB: 1 } },
  );
  return onnxFile({ nodes, constants, inputs: [{ name: 'x', dims: [1, 1, 28, 28] }] });
}

export function timedModels(): TimedModel[] {
  const folder = new URL('../../models/intent/', import.meta.url);
  const [mlpFile, cnnFile, encoder] = [mlp(), cnn(), readFileSync(new URL('large.onnx', folder))];
  const pieces = readFileSync(new URL('vocab.txt', folder), 'utf8').trimEnd().split('\n');
  const hyb = compile(encoder, { ...OPTIONS, vocabulary: { pieces, lowercase: true } });
  return [
    { name: 'mlp', onnx: mlpFile, hyb: compile(mlpFile, OPTIONS), input: { kind: 'image', dims: [1, MLP[0] ?? 0] } },
    { name: 'cnn', onnx: cnnFile, hyb: compile(cnnFile, OPTIONS), input: { kind: 'image', dims: [1, 1, 28, 28] } },
    { name: 'transformer_16', onnx: encoder, hyb, input: { kind: 'text', tokens: 16 } },
    { name: 'transformer_64', onnx: encoder, hyb, input: { kind: 'text', tokens: 64 } },
  ];
}
