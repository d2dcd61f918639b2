// Owns the operators with weights: products, convolutions, pooling, norms.

import type { Constant } from './constant.ts';
import { constant, scalar, sizeOf, stridesOf } from './constant.ts';
import { scaledAndShifted } from './affine.ts';
import { productOfActivations } from './attention.ts';
import type { ConvWeights, Expression, Matrix } from './expression.ts';
import { exactRows } from './expression.ts';
import { matrixOf, scaledRows } from './matrix.ts';
import type { Handler, Operation } from './value.ts';
import { viewed } from './value.ts';
import type { View } from './view.ts';
import { imageOf, rowsOf, wholeView } from './view.ts';

/** A grouped convolution grows by the number of its groups. */
const MAX_SPREAD_WEIGHTS = 1 << 22;

/** Rows of the view times the weights. */
export function linear(
  operation: Operation,
  view: View,
  weights: Matrix,
  bias: Float32Array | null,
  dynamic = false,
): View {
  const inputs = view.dims.at(-1) ?? 1;
  if (weights.inputs !== inputs) throw operation.corrupt(`multiplies ${inputs} values with ${weights.inputs}`);
  if (bias !== null && bias.length !== weights.outputs) throw operation.corrupt('has a bias of another size');
  const rows = rowsOf(view, operation.name);
  if (rows.shape.at(-1) !== inputs) throw operation.refuse('multiplies over another axis than the last');
  const shape = [...rows.shape.slice(0, -1), weights.outputs];
  const node = operation.name;
  const of: Expression = { op: 'linear', input: rows, weights, bias, dynamic, shape, node, order: null };
  return wholeView(of, [...view.dims.slice(0, -1), weights.outputs]);
}

function matMul(operation: Operation): ReturnType<Handler> {
  const [a, b] = operation.inputs;
  if (a?.kind === 'view' && b?.kind === 'view') return viewed(productOfActivations(operation, a.view, b.view));
  const weights = operation.constant(1);
  const dims = weights.dims.filter((n, i) => n !== 1 || i >= weights.dims.length - 2);
  if (dims.length !== 2) throw operation.refuse(`multiplies with weights of ${weights.dims.join('x')}`);
  return viewed(linear(operation, operation.view(0), matrixOf({ ...weights, dims }, true), null));
}

function gemm(operation: Operation): ReturnType<Handler> {
  const weights = operation.constant(1);
  if (operation.integer('transA', 0) !== 0 || weights.dims.length !== 2) throw operation.refuse('transposes its input');
  const matrix = matrixOf(weights, operation.integer('transB', 0) === 0);
  const alpha = operation.number('alpha', 1);
  const view = linear(operation, operation.view(0), alpha === 1 ? matrix : scaledRows(matrix, () => alpha), null);
  const c = operation.optional(2);
  if (c === undefined) return viewed(view);
  const beta = operation.number('beta', 1);
  const shift = constant(
    'float',
    c.dims,
    Float32Array.from(c.values, (value) => value * beta),
  );
  return viewed(scaledAndShifted(view, scalar(1), shift, operation.name));
}

type Window = { stride: [number, number]; padding: 'same' | 'valid' };

/** Padding the engine has: none, or floor((k - 1) / 2) before and what is needed after. */
function windowOf(operation: Operation, dims: [number, number, number], size: [number, number]): Window {
  const pair = (name: string): [number, number] => {
    const list = operation.attribute(name)?.integers ?? [1, 1];
    return [list[0] ?? 1, list[1] ?? 1];
  };
  if (pair('dilations').some((n) => n !== 1)) throw operation.refuse('is dilated');
  const stride = pair('strides');
  const automatic = operation.attribute('auto_pad')?.text ?? 'NOTSET';
  const listed = operation.attribute('pads')?.integers ?? [0, 0, 0, 0];
  const pads = automatic === 'NOTSET' ? listed : automatic === 'VALID' ? [0, 0, 0, 0] : null;
  if (pads === null) {
    const odd = size.every((n) => n % 2 === 1) && stride.every((n) => n === 1);
    if (!odd) throw operation.refuse(`pads ${automatic} an even kernel or with a stride`);
    return { stride, padding: 'same' };
  }
  if (pads.every((n) => n === 0)) return { stride, padding: 'valid' };
  const before = size.map((n) => Math.floor((n - 1) / 2));
  const fits = [0, 1].every((i) => {
    const [length = 0, kernel = 1, step = 1, first = 0, last = 0] = [
      dims[i + 1],
      size[i],
      stride[i],
      pads[i],
      pads[i + 2],
    ];
    const outputs = Math.floor((length + first + last - kernel) / step) + 1;
    return first === before[i] && outputs === Math.ceil(length / step);
  });
  if (!fits) throw operation.refuse(`has padding ${pads.join(', ')}, which the engine does not have`);
  return { stride, padding: 'same' };
}

function slid(dims: [number, number, number], size: [number, number], window: Window): [number, number] {
  const [sy, sx] = window.stride;
  if (window.padding === 'same') return [Math.ceil(dims[1] / sy), Math.ceil(dims[2] / sx)];
  return [Math.floor((dims[1] - size[0]) / sy) + 1, Math.floor((dims[2] - size[1]) / sx) + 1];
}

function conv(operation: Operation): ReturnType<Handler> {
  const { of, dims } = imageOf(operation.view(0), operation.name);
  const given = operation.constant(1);
  const [outputs = 0, inputs = 0, height = 0, width = 0] = given.dims;
  if (given.dims.length !== 4) throw operation.refuse(`has weights of ${given.dims.join('x')}`);
  const group = operation.integer('group', 1);
  if (group < 1 || inputs * group !== dims[0] || outputs % group !== 0) {
    throw operation.corrupt(`takes ${group} times ${inputs} channels of ${dims[0]}`);
  }
  const depthwise = group > 1 && inputs === 1 && outputs === group;
  const weights = group > 1 && !depthwise ? withoutGroups(operation, given, group) : given;
  const window = windowOf(operation, dims, [height, width]);
  const bias = operation.optional(2);
  const size = slid(dims, [height, width], window);
  if (size.some((n) => n < 1)) throw operation.corrupt('is larger than its image');
  const made: Expression = {
    op: 'conv',
    input: of,
    weights: convWeights(weights),
    bias: bias === undefined ? null : Float32Array.from(bias.values),
    ...window,
    depthwise,
    shape: [outputs, ...size],
    node: operation.name,
    order: null,
  };
  return viewed(wholeView(made, [1, outputs, ...size]));
}

/** The same convolution over all channels: zeros where a group does not look. */
function withoutGroups(operation: Operation, source: Constant, group: number): Constant {
  const [outputs = 1, inputs = 1, height = 1, width = 1] = source.dims;
  const dims = [outputs, inputs * group, height, width];
  if (sizeOf(dims) > MAX_SPREAD_WEIGHTS) throw operation.refuse(`is grouped by ${group}, too many to spread out`);
  const run = inputs * height * width;
  const spread = <T extends Float32Array | Int8Array>(to: T, from: ArrayLike<number>): T => {
    for (let o = 0; o < outputs; o += 1) {
      const start = (o * group + Math.floor((o * group) / outputs)) * run;
      for (let i = 0; i < run; i += 1) to[start + i] = from[o * run + i] ?? 0;
    }
    return to;
  };
  const values = spread(new Float32Array(sizeOf(dims)), source.values);
  const made = constant('float', dims, values);
  return source.exact === undefined
    ? made
    : { ...made, exact: { ...source.exact, q: spread(new Int8Array(sizeOf(dims)), source.exact.q) } };
}

/** Channels last. */
function convWeights(source: Constant): ConvWeights {
  const [outputs = 1, inputs = 1, height = 1, width = 1] = source.dims;
  const [so = 0, si = 0, sy = 0, sx = 0] = stridesOf(source.dims);
  const turned = <T extends Float32Array | Int8Array>(to: T, from: ArrayLike<number>): T => {
    let at = 0;
    for (let o = 0; o < outputs; o += 1) {
      for (let y = 0; y < height; y += 1) {
        for (let x = 0; x < width; x += 1) {
          for (let i = 0; i < inputs; i += 1) to[at++] = from[o * so + i * si + y * sy + x * sx] ?? 0;
        }
      }
    }
    return to;
  };
  const size = sizeOf(source.dims);
  const scales = exactRows(source.exact, 0, outputs);
  const exact =
    source.exact === undefined || scales === null ? null : { q: turned(new Int8Array(size), source.exact.q), scales };
  return { shape: [outputs, height, width, inputs], values: turned(new Float32Array(size), source.values), exact };
}

function poolWindow(operation: Operation): {
  of: Expression;
  dims: [number, number, number];
  size: [number, number];
  window: Window;
  shape: number[];
} {
  const { of, dims } = imageOf(operation.view(0), operation.name);
  const [height = 1, width = 1] = operation.attribute('kernel_shape')?.integers ?? [];
  const window = windowOf(operation, dims, [height, width]);
  const out = slid(dims, [height, width], window);
  if (out.some((n) => n < 1)) throw operation.corrupt('is larger than its image');
  const pads = operation.attribute('pads')?.integers ?? [];
  const uneven = [0, 1].some((i) => {
    const padded = (dims[i + 1] ?? 0) + (pads[i] ?? 0) + (pads[i + 2] ?? 0);
    return (padded - ([height, width][i] ?? 1)) % (window.stride[i] ?? 1) !== 0;
  });
  if (operation.integer('ceil_mode', 0) !== 0 && uneven) throw operation.refuse('rounds its size up');
  return { of, dims, size: [height, width], window, shape: [dims[0], ...out] };
}

function maxPool(operation: Operation): ReturnType<Handler> {
  const { of, size, window, shape } = poolWindow(operation);
  const made: Expression = { op: 'max_pool', input: of, size, ...window, shape, node: operation.name, order: null };
  return viewed(wholeView(made, [1, ...shape]));
}

/** As a depthwise convolution with the same weight everywhere, which int8 holds exactly. */
function averagePool(operation: Operation): ReturnType<Handler> {
  const { of, dims, size, window, shape } = poolWindow(operation);
  if (window.padding !== 'valid' && operation.integer('count_include_pad', 0) !== 1) {
    throw operation.refuse('averages over fewer values at the edges');
  }
  const [channels] = dims;
  const values = new Float32Array(channels * size[0] * size[1]).fill(1 / (size[0] * size[1]));
  const weights: ConvWeights = { shape: [channels, ...size, 1], values, exact: null };
  const part = { weights, bias: null, ...window, depthwise: true, shape, node: operation.name, order: null };
  return viewed(wholeView({ op: 'conv', input: of, ...part }, [1, ...shape]));
}

function globalAveragePool(operation: Operation): ReturnType<Handler> {
  const { of, dims } = imageOf(operation.view(0), operation.name);
  const [channels] = dims;
  const made: Expression = { op: 'global_avg_pool', input: of, shape: [channels], node: operation.name, order: null };
  return viewed(wholeView(made, [1, channels, 1, 1]));
}

function batchNormalization(operation: Operation): ReturnType<Handler> {
  const view = operation.view(0);
  if (operation.integer('training_mode', 0) !== 0) throw operation.refuse('is still in training');
  const [gamma, beta, mean, variance] = [1, 2, 3, 4].map((i) => operation.constant(i).values);
  const epsilon = operation.number('epsilon', 1e-5);
  const channels = gamma?.length ?? 0;
  const scales = Float32Array.from({ length: channels }, (_, i) => {
    return (gamma?.[i] ?? 0) / Math.sqrt((variance?.[i] ?? 0) + epsilon);
  });
  const shifts = scales.map((scale, i) => (beta?.[i] ?? 0) - (mean?.[i] ?? 0) * scale);
  const dims = view.dims.slice(1).map((_, i) => (i === 0 ? channels : 1));
  return viewed(
    scaledAndShifted(view, constant('float', dims, scales), constant('float', dims, shifts), operation.name),
  );
}

function layerNormalization(operation: Operation): ReturnType<Handler> {
  const view = operation.view(0);
  const axis = operation.integer('axis', -1);
  if (axis !== -1 && axis !== view.dims.length - 1) throw operation.refuse('is not over the last axis');
  const input = rowsOf(view, operation.name);
  const gamma = Float32Array.from(operation.constant(1).values);
  const beta = operation.optional(2);
  const width = input.shape.at(-1) ?? 1;
  if (gamma.length !== width || (beta !== undefined && beta.values.length !== width) || view.dims.at(-1) !== width) {
    throw operation.corrupt('has parameters of another size');
  }
  const made: Expression = {
    op: 'layer_norm',
    input,
    gamma,
    beta: beta === undefined ? new Float32Array(width) : Float32Array.from(beta.values),
    epsilon: Math.max(1e-30, operation.number('epsilon', 1e-5)),
    shape: input.shape,
    node: operation.name,
    order: input.order,
  };
  return viewed(wholeView(made, view.dims));
}

export const LAYER_HANDLERS: Readonly<Record<string, Handler>> = {
  MatMul: matMul,
  Gemm: gemm,
  Conv: conv,
  MaxPool: maxPool,
  AveragePool: averagePool,
  GlobalAveragePool: globalAveragePool,
  BatchNormalization: batchNormalization,
  LayerNormalization: layerNormalization,
};
