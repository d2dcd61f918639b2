// Owns the chain of operators: reads each from the header, checks that shapes fit one another, and bounds the work.
// Nothing is computed here; program.ts lays the steps out in memory.

import { ModelFormatError } from './errors.ts';
import { Fields } from './fields.ts';
import type { Flow, Read, Reader } from './flow.ts';
import { dimension, MAX_OPEN_RESIDUALS, needImage, residualSize, sizeOf, vector } from './flow.ts';
import { MAX_INTEGER_DEPTH } from './integer-product.ts';
import {
  readAttention,
  readResidualAdd,
  readResidualSwap,
  readSequencePool,
  readTokenEmbedding,
} from './sequence-graph.ts';
import type { Arithmetic, Image, Step, Window } from './steps.ts';
import type { TensorTable } from './tensors.ts';

const MAX_ACTIVATION_VALUES = 1 << 22;
const MAX_MULTIPLY_ADDS = 2 ** 31;
const ACTIVATIONS = ['none', 'relu', 'gelu', 'tanh', 'relu6', 'sigmoid', 'silu', 'hard_swish'] as const;

const READERS: Readonly<Record<string, Reader>> = {
  embedding_bag: readEmbeddingBag,
  dense: readDense,
  conv2d: readConv2d,
  max_pool2d: readMaxPool,
  global_avg_pool: readGlobalAvgPool,
  flatten: readFlatten,
  layer_norm: readLayerNorm,
  token_embedding: readTokenEmbedding,
  attention: readAttention,
  sequence_pool: readSequencePool,
  l2_normalize: readL2Normalize,
  activation: readActivation,
  residual_start: readResidualStart,
  residual_swap: readResidualSwap,
  residual_add: readResidualAdd,
};

export type Graph = {
  readonly steps: readonly Step[];
  readonly largestActivation: number;
  /** Values of the last operator. */
  readonly outputs: number;
};

/** @param labels how many logits it must end in; null where its output is a vector of any size */
export function readGraph(list: readonly unknown[], tensors: TensorTable, input: Flow, labels: number | null): Graph {
  let flow = input;
  let work = 0;
  const open: Flow[] = [];
  let largestActivation = sizeOf(input);
  const steps = list.map((value, i) => {
    const op = new Fields(value, `graph[${i}]`);
    const kind = op.string('op');
    const reader = Object.hasOwn(READERS, kind) ? READERS[kind] : undefined;
    if (reader === undefined) throw op.refuse('op', `is an unknown operator: ${kind}`);
    const { step, output, multiplyAdds } = reader(op, tensors, flow, open);
    op.done();
    const size = sizeOf(output);
    if (size > MAX_ACTIVATION_VALUES) throw op.refuse('op', `makes ${size} values`);
    work += multiplyAdds;
    if (work > MAX_MULTIPLY_ADDS) throw op.refuse('op', `brings the graph to ${work} multiply-adds`);
    largestActivation = Math.max(largestActivation, size);
    flow = output;
    return step;
  });
  if (flow.kind !== 'vector' || (labels !== null && flow.size !== labels)) {
    throw new ModelFormatError(
      `the graph does not end in ${labels === null ? 'a vector' : `${labels} logits, one a label`}`,
    );
  }
  if (open.length > 0) throw new ModelFormatError(`${open.length} residuals are started and never added`);
  return { steps, largestActivation, outputs: flow.size };
}

function readEmbeddingBag(op: Fields, tensors: TensorTable, input: Flow): Read {
  if (input.kind !== 'features') throw op.refuse('op', `takes a text's features, not a ${input.kind}`);
  const weights = tensors.weights(op, 'weights', 2);
  const [buckets, dim] = [dimension(weights, 0), dimension(weights, 1)];
  if (buckets !== input.buckets) throw op.refuse('weights', `has ${buckets} rows for ${input.buckets} buckets`);
  const scaleAxis = op.oneOf('scale_axis', ['row', 'column']);
  const poolPower = op.number('pool_power', 0.5, 1);
  if (poolPower !== 0.5 && poolPower !== 1) throw op.refuse('pool_power', 'is neither 0.5 nor 1');
  const step: Step = {
    kind: 'embedding_bag',
    weights,
    scales: tensors.floats(op, 'scales', scaleAxis === 'row' ? buckets : dim),
    scaleAxis,
    groupWeights: tensors.floats(op, 'group_weights', input.groups),
    poolPower,
    bias: op.has('bias') ? tensors.floats(op, 'bias', dim) : null,
    activation: op.oneOf('activation', ACTIVATIONS),
    buckets,
    dim,
  };
  // A feature a character and group: a text can have up to twice that, so this is an estimate of the order.
  return { step, output: vector(dim), multiplyAdds: input.maxChars * input.groups * dim };
}

function readDense(op: Fields, tensors: TensorTable, input: Flow): Read {
  if (input.kind !== 'vector' && input.kind !== 'sequence') throw op.refuse('op', `takes no ${input.kind}`);
  const inputs = input.size;
  const maxRows = input.kind === 'sequence' ? input.maxTokens : 1;
  const weights = tensors.weights(op, 'weights', 2);
  const outputs = dimension(weights, 0);
  if (dimension(weights, 1) !== inputs) throw op.refuse('weights', `does not take ${inputs} inputs`);
  const arithmetic = readArithmetic(op, inputs);
  if (input.kind === 'sequence' && arithmetic === 'f32') throw op.refuse('arithmetic', 'is f32 on a sequence');
  const step: Step = {
    kind: 'dense',
    weights,
    scales: tensors.floats(op, 'scales', outputs),
    bias: tensors.floats(op, 'bias', outputs),
    activation: op.oneOf('activation', ACTIVATIONS),
    inputs,
    outputs,
    maxRows,
    arithmetic,
  };
  return { step, output: { ...input, size: outputs }, multiplyAdds: maxRows * inputs * outputs };
}

function readArithmetic(op: Fields, depth: number): Arithmetic {
  if (!op.has('arithmetic')) return 'f32';
  const arithmetic = op.oneOf('arithmetic', ['f32', 'int8', 'int8_shared']);
  if (arithmetic !== 'f32' && depth > MAX_INTEGER_DEPTH) throw op.refuse('arithmetic', `overflows at ${depth} inputs`);
  return arithmetic;
}

function readConv2d(op: Fields, tensors: TensorTable, input: Flow): Read {
  const image = needImage(op, input);
  const weights = tensors.weights(op, 'weights', 4);
  const depthwise = op.has('depthwise') && op.boolean('depthwise');
  const channels = dimension(weights, 0);
  const [kernelHeight, kernelWidth] = [dimension(weights, 1), dimension(weights, 2)];
  if (dimension(weights, 3) !== (depthwise ? 1 : image.channels) || (depthwise && channels !== image.channels)) {
    throw op.refuse('weights', `does not take ${image.channels} channels`);
  }
  if (depthwise && op.has('arithmetic') && op.raw('arithmetic') !== 'f32') {
    throw op.refuse('arithmetic', 'is f32 for depthwise convolutions');
  }
  if (kernelHeight > 64 || kernelWidth > 64) throw op.refuse('weights', 'has a kernel larger than 64');
  const [window, height, width] = slide(op, image, kernelHeight, kernelWidth, op.oneOf('padding', ['same', 'valid']));
  const output = { height, width, channels };
  const step: Step = {
    kind: 'conv2d',
    weights,
    scales: tensors.floats(op, 'scales', channels),
    bias: tensors.floats(op, 'bias', channels),
    activation: op.oneOf('activation', ACTIVATIONS),
    depthwise,
    arithmetic: readArithmetic(op, kernelHeight * kernelWidth * image.channels),
    window,
    input: image,
    output,
  };
  return { step, output: { kind: 'image', image: output }, multiplyAdds: height * width * weights.count };
}

function readMaxPool(op: Fields, _tensors: TensorTable, input: Flow): Read {
  const image = needImage(op, input);
  const [kernelHeight = 0, kernelWidth = 0] = op.integers('size', 2, 2, 1, 64);
  const padding = op.has('padding') ? op.oneOf('padding', ['same', 'valid']) : 'valid';
  const [window, height, width] = slide(op, image, kernelHeight, kernelWidth, padding);
  const output = { height, width, channels: image.channels };
  return {
    step: { kind: 'max_pool2d', window, input: image, output },
    output: { kind: 'image', image: output },
    multiplyAdds: height * width * image.channels * kernelHeight * kernelWidth,
  };
}

function slide(
  op: Fields,
  image: Image,
  kernelHeight: number,
  kernelWidth: number,
  padding: 'same' | 'valid',
): [Window, number, number] {
  const [strideY = 1, strideX = 1] = op.integers('stride', 2, 2, 1, 64);
  const same = padding === 'same';
  const height = same ? Math.ceil(image.height / strideY) : Math.floor((image.height - kernelHeight) / strideY) + 1;
  const width = same ? Math.ceil(image.width / strideX) : Math.floor((image.width - kernelWidth) / strideX) + 1;
  if (height < 1 || width < 1) throw op.refuse('op', 'has a window larger than its image');
  const padTop = same ? (kernelHeight - 1) >> 1 : 0;
  const padLeft = same ? (kernelWidth - 1) >> 1 : 0;
  return [{ kernelHeight, kernelWidth, strideY, strideX, padTop, padLeft }, height, width];
}

function readGlobalAvgPool(op: Fields, _tensors: TensorTable, input: Flow): Read {
  const image = needImage(op, input);
  return {
    step: { kind: 'global_avg_pool', input: image },
    output: vector(image.channels),
    multiplyAdds: image.height * image.width * image.channels,
  };
}

function readFlatten(op: Fields, _tensors: TensorTable, input: Flow): Read {
  if (input.kind !== 'vector' && input.kind !== 'image') throw op.refuse('op', 'takes a vector or an image');
  return { step: { kind: 'flatten' }, output: vector(sizeOf(input)), multiplyAdds: 0 };
}

function readLayerNorm(op: Fields, tensors: TensorTable, input: Flow): Read {
  if (input.kind !== 'vector' && input.kind !== 'sequence') throw op.refuse('op', `takes no ${input.kind}`);
  const { size } = input;
  const epsilon = op.number('epsilon', Number.MIN_VALUE, 1);
  const [gamma, beta] = [tensors.floats(op, 'gamma', size), tensors.floats(op, 'beta', size)];
  const step: Step = { kind: 'layer_norm', gamma, beta, epsilon, size, perToken: input.kind === 'sequence' };
  return { step, output: input, multiplyAdds: 3 * sizeOf(input) };
}

function readL2Normalize(op: Fields, _tensors: TensorTable, input: Flow): Read {
  if (input.kind !== 'vector') throw op.refuse('op', `takes a vector, not a ${input.kind}`);
  return { step: { kind: 'l2_normalize', size: input.size }, output: input, multiplyAdds: 2 * input.size };
}

function readActivation(op: Fields, _tensors: TensorTable, input: Flow): Read {
  if (input.kind === 'features' || input.kind === 'tokens') throw op.refuse('op', `takes no ${input.kind}`);
  const { size, perToken } = residualSize(input);
  const step: Step = { kind: 'activation', activation: op.oneOf('activation', ACTIVATIONS), size, perToken };
  return { step, output: input, multiplyAdds: sizeOf(input) };
}

function readResidualStart(op: Fields, _tensors: TensorTable, input: Flow, open: Flow[]): Read {
  if (input.kind === 'features' || input.kind === 'tokens') throw op.refuse('op', `takes no ${input.kind}`);
  if (open.length === MAX_OPEN_RESIDUALS) throw op.refuse('op', `opens more than ${MAX_OPEN_RESIDUALS} residuals`);
  const step: Step = { kind: 'residual_start', slot: open.length, ...residualSize(input) };
  open.push(input);
  return { step, output: input, multiplyAdds: 0 };
}
