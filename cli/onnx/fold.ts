// Owns computing nodes whose inputs are all known: what exporters leave of shapes, masks, positions and scales.

import type { Constant, ElementType } from './constant.ts';
import {
  axisOf,
  broadcast,
  broadcastDims,
  constant,
  emptyValues,
  filled,
  gathered,
  integers,
  listOf,
  sizeOf,
  stridesOf,
} from './constant.ts';
import type { OnnxNode } from './decode.ts';
import {
  axesOf,
  cutsOf,
  flattenedDims,
  need,
  permutationOf,
  reducedAxes,
  reshapedDims,
  shapeSlice,
  squeezedDims,
  unsqueezedDims,
} from './dims.ts';
import { corrupt } from './onnx-error.ts';
import { gather, gatherElements, gatherNd } from './gather.ts';
import { dequantize, quantize } from './quantized-constant.ts';

type Fold = (inputs: readonly (Constant | undefined)[], node: OnnxNode) => Constant;

function binary(compute: (a: number, b: number) => number, result?: ElementType): Fold {
  return (inputs) => {
    const [a, b] = [need(inputs, 0), need(inputs, 1)];
    const dims = broadcastDims(a.dims, b.dims);
    const [x, y] = [broadcast(a, dims).values, broadcast(b, dims).values];
    const type = result ?? a.type;
    const whole = type === 'integer';
    const values = emptyValues(type, x.length);
    for (let i = 0; i < x.length; i += 1) {
      const value = compute(x[i] ?? 0, y[i] ?? 0);
      values[i] = whole ? Math.trunc(value) : value;
    }
    return { type, dims, values };
  };
}

function ofAny(compute: (a: number, b: number) => number): Fold {
  return (inputs, node) => inputs.map((_, i) => need(inputs, i)).reduce((a, b) => binary(compute)([a, b], node));
}

function unary(compute: (x: number) => number, result?: ElementType): Fold {
  return (inputs) => {
    const x = need(inputs, 0);
    const type = result ?? x.type;
    const values = emptyValues(type, x.values.length);
    for (let i = 0; i < values.length; i += 1) values[i] = compute(x.values[i] ?? 0);
    return { type, dims: x.dims, values };
  };
}

function truth(compute: (a: number, b: number) => boolean): Fold {
  return binary((a, b) => (compute(a, b) ? 1 : 0), 'bool');
}

function concat(inputs: readonly (Constant | undefined)[], node: OnnxNode): Constant {
  const parts = inputs.map((_, i) => need(inputs, i));
  const first = need(parts, 0);
  const axis = axisOf(node.attributes.get('axis')?.integer ?? 0, first.dims.length);
  const dims = first.dims.map((n, i) => (i === axis ? parts.reduce((sum, part) => sum + (part.dims[i] ?? 0), 0) : n));
  const values = emptyValues(first.type, sizeOf(dims));
  const before = sizeOf(dims.slice(0, axis));
  let to = 0;
  for (let b = 0; b < before; b += 1) {
    for (const part of parts) {
      const run = part.values.length / Math.max(1, before);
      for (let i = 0; i < run; i += 1) values[to++] = part.values[b * run + i] ?? 0;
    }
  }
  return constant(first.type, dims, values);
}

function reduce(combine: (list: number[]) => number): Fold {
  return (inputs, node) => {
    const x = need(inputs, 0);
    const keep = (node.attributes.get('keepdims')?.integer ?? 1) !== 0;
    const [strides, reduced] = [stridesOf(x.dims), reducedAxes(x.dims, inputs, node)];
    const inner = x.dims.filter((_, i) => reduced.has(i));
    const innerStrides = strides.filter((_, i) => reduced.has(i));
    const outer = x.dims.filter((_, i) => !reduced.has(i));
    const outerStrides = strides.filter((_, i) => !reduced.has(i));
    const all = gathered(x, [...outer, ...inner], [...outerStrides, ...innerStrides]).values;
    const run = sizeOf(inner);
    const values = emptyValues(x.type, sizeOf(outer));
    for (let i = 0; i < values.length; i += 1) values[i] = combine(Array.from(all.slice(i * run, (i + 1) * run)));
    return { type: x.type, dims: keep ? x.dims.map((n, i) => (reduced.has(i) ? 1 : n)) : outer, values };
  };
}

function cast(inputs: readonly (Constant | undefined)[], node: OnnxNode): Constant {
  const x = need(inputs, 0);
  const to = node.attributes.get('to')?.integer ?? 0;
  const type = to === 9 ? 'bool' : [1, 10, 11, 16].includes(to) ? 'float' : 'integer';
  if (type === 'float' && x.type === 'float') return x;
  return unary(
    (value) => (type === 'bool' ? Number(value !== 0) : type === 'integer' ? Math.trunc(value) : value),
    type,
  )([x], node);
}

function where(inputs: readonly (Constant | undefined)[]): Constant {
  const [condition, yes, no] = [need(inputs, 0), need(inputs, 1), need(inputs, 2)];
  const dims = broadcastDims(condition.dims, broadcastDims(yes.dims, no.dims));
  const [c, y, n] = [broadcast(condition, dims).values, broadcast(yes, dims).values, broadcast(no, dims).values];
  const values = emptyValues(yes.type, c.length);
  for (let i = 0; i < values.length; i += 1) values[i] = (c[i] === 0 ? n[i] : y[i]) ?? 0;
  return { type: yes.type, dims, values };
}

function range(inputs: readonly (Constant | undefined)[]): Constant {
  const [start = 0, limit = 0, step = 1] = [0, 1, 2].map((i) => need(inputs, i).values[0]);
  const count = Math.max(0, Math.ceil((limit - start) / step));
  if (!Number.isFinite(count)) throw corrupt('a range without an end');
  const { type } = need(inputs, 0);
  const values = emptyValues(type, sizeOf([count]));
  for (let i = 0; i < count; i += 1) values[i] = start + i * step;
  return { type, dims: [count], values };
}

function reshape(x: Constant, dims: readonly number[]): Constant {
  return { type: x.type, dims, values: x.values };
}

function transpose(inputs: readonly (Constant | undefined)[], node: OnnxNode): Constant {
  const x = need(inputs, 0);
  const perm = permutationOf(node, x.dims.length);
  const strides = stridesOf(x.dims);
  const turned = gathered(
    x,
    perm.map((axis) => x.dims[axis] ?? 0),
    perm.map((axis) => strides[axis] ?? 0),
  );
  if (x.exact === undefined) return turned;
  const { q, scales, axis } = x.exact;
  const integersTurned = transpose([{ type: 'integer', dims: x.dims, values: q }], node).values;
  return {
    ...turned,
    exact: { q: Int8Array.from(integersTurned), scales, axis: axis === null ? null : perm.indexOf(axis) },
  };
}

function slice(inputs: readonly (Constant | undefined)[]): Constant {
  const x = need(inputs, 0);
  const [dims, strides] = [x.dims.slice(), stridesOf(x.dims)];
  let offset = 0;
  for (const { axis, start, step, count } of cutsOf(x.dims, inputs)) {
    dims[axis] = count;
    offset += start * (strides[axis] ?? 0);
    strides[axis] = (strides[axis] ?? 0) * step;
  }
  return gathered(x, dims, strides, offset);
}

/** 'Constant' and 'Shape' are answered by the interpreter, which knows more. */
const FOLDS: Readonly<Record<string, Fold>> = {
  Add: binary((a, b) => a + b),
  Sub: binary((a, b) => a - b),
  Mul: binary((a, b) => a * b),
  Div: binary((a, b) => a / b),
  // Of the divisor's sign, or as in C of the dividend's.
  Mod: (inputs, node) => {
    const asInC = node.attributes.get('fmod')?.integer === 1;
    return binary((a, b) => (asInC ? a % b : a - b * Math.floor(a / b)))(inputs, node);
  },
  Pow: binary((a, b) => a ** b),
  Min: ofAny(Math.min),
  Max: ofAny(Math.max),
  Equal: truth((a, b) => a === b),
  Greater: truth((a, b) => a > b),
  GreaterOrEqual: truth((a, b) => a >= b),
  Less: truth((a, b) => a < b),
  LessOrEqual: truth((a, b) => a <= b),
  And: truth((a, b) => a !== 0 && b !== 0),
  Or: truth((a, b) => a !== 0 || b !== 0),
  Not: unary((x) => (x === 0 ? 1 : 0)),
  Sqrt: unary(Math.sqrt),
  Neg: unary((x) => -x),
  Abs: unary(Math.abs),
  Reciprocal: unary((x) => 1 / x),
  Floor: unary(Math.floor),
  Ceil: unary(Math.ceil),
  IsNaN: unary((x) => Number(Number.isNaN(x)), 'bool'),
  Identity: (inputs) => need(inputs, 0),
  Dropout: (inputs) => need(inputs, 0),
  Cast: cast,
  Gather: gather,
  GatherElements: gatherElements,
  GatherND: gatherNd,
  Concat: concat,
  Slice: slice,
  Where: where,
  Range: range,
  Transpose: transpose,
  ReduceSum: reduce((list) => list.reduce((sum, x) => sum + x, 0)),
  ReduceMean: reduce((list) => list.reduce((sum, x) => sum + x, 0) / list.length),
  ReduceProd: reduce((list) => list.reduce((product, x) => product * x, 1)),
  ReduceMax: reduce((list) => list.reduce((a, b) => Math.max(a, b), -Infinity)),
  Clip: (inputs, node) => {
    const low = inputs[1]?.values[0] ?? -Infinity;
    const high = inputs[2]?.values[0] ?? Infinity;
    return unary((x) => Math.min(high, Math.max(low, x)))(inputs, node);
  },
  Size: (inputs) => ({ type: 'integer', dims: [], values: Float64Array.of(need(inputs, 0).values.length) }),
  Expand: (inputs) => {
    const [x, shape] = [need(inputs, 0), listOf(need(inputs, 1))];
    return broadcast(x, broadcastDims(x.dims, shape));
  },
  ConstantOfShape: (inputs, node) => {
    const value = node.attributes.get('value')?.tensor;
    return filled(value?.type ?? 'float', listOf(need(inputs, 0)), value?.values[0] ?? 0);
  },
  Reshape: (inputs, node) => {
    const x = need(inputs, 0);
    return reshape(x, reshapedDims(x.dims, listOf(need(inputs, 1)), node.attributes.get('allowzero')?.integer === 1));
  },
  Flatten: (inputs, node) => reshape(need(inputs, 0), flattenedDims(need(inputs, 0).dims, node)),
  Squeeze: (inputs, node) => reshape(need(inputs, 0), squeezedDims(need(inputs, 0).dims, axesOf(inputs, node, 1))),
  Unsqueeze: (inputs, node) =>
    reshape(need(inputs, 0), unsqueezedDims(need(inputs, 0).dims, axesOf(inputs, node, 1) ?? [])),
  Shape: (inputs, node) => integers(shapeSlice(need(inputs, 0).dims, node)),
  DequantizeLinear: (inputs, node) => dequantize(need(inputs, 0), need(inputs, 1), inputs[2], node),
  QuantizeLinear: (inputs, node) => quantize(need(inputs, 0), need(inputs, 1), inputs[2], node),
};

export function foldOf(node: OnnxNode): Fold | undefined {
  return node.domain === '' && Object.hasOwn(FOLDS, node.type) ? FOLDS[node.type] : undefined;
}
