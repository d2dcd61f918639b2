// Owns element by element operators and means, and the patterns exporters write with them: GELU, layer norm, pooling.

import { axisOf, constant, scalar, sizeOf } from './constant.ts';
import type { Constant } from './constant.ts';
import { pick, scaledAndShifted, scaledBy } from './affine.ts';
import type { Expression, Unary } from './expression.ts';
import { isChannelsLast } from './expression.ts';
import { reducedAxes } from './dims.ts';
import { scaledRows } from './matrix.ts';
import type { Handler, Operation } from './value.ts';
import { viewed } from './value.ts';
import type { View } from './view.ts';
import { longAxes, sameMapping, wholeView } from './view.ts';

const SMALLEST_EPSILON = 1e-30;

function mapped(values: Constant, compute: (x: number) => number): Constant {
  return constant('float', values.dims, Float32Array.from(values.values, compute));
}

export function unary(view: View, kind: Unary, node: string): View {
  const { of } = view;
  return { ...view, of: { op: 'unary', input: of, kind, shape: of.shape, node, order: of.order } };
}

/** The view of one side and the constant of the other. */
function sides(operation: Operation): { view: View; by: Constant | null; other: View | null; isFirst: boolean } {
  const [a, b] = operation.inputs;
  if (a?.kind === 'view' && b?.kind === 'view') return { view: a.view, other: b.view, by: null, isFirst: true };
  if (a?.kind === 'view') return { view: a.view, by: operation.constant(1), other: null, isFirst: true };
  return { view: operation.view(1), by: operation.constant(0), other: null, isFirst: false };
}

function add(operation: Operation): ReturnType<Handler> {
  const { view, by, other } = sides(operation);
  if (by !== null) return viewed(scaledAndShifted(view, scalar(1), by, operation.name));
  if (other === null || !sameMapping(view, other) || !sameOrder(view.of, other.of)) {
    throw operation.refuse('adds activations of different shapes');
  }
  const inputs: [Expression, Expression] = [view.of, other.of];
  const { shape, order } = view.of;
  return viewed({ ...view, of: { op: 'add', inputs, shape, node: operation.name, order } });
}

/** As many values, laid out alike in the engine. */
function sameOrder(a: Expression, b: Expression): boolean {
  const [x, y] = [a.order, b.order];
  const isSameKind = a.shape.length === b.shape.length && sizeOf(a.shape) === sizeOf(b.shape);
  return isSameKind && (x === null ? y === null : y !== null && x.channels === y.channels);
}

function subtract(operation: Operation): ReturnType<Handler> {
  const { view, by, other, isFirst } = sides(operation);
  if (by !== null) {
    const [scale, shift] = isFirst ? [scalar(1), mapped(by, (x) => -x)] : [scalar(-1), by];
    return viewed(scaledAndShifted(view, scale, shift, operation.name));
  }
  if (other?.of.op !== 'row_mean' || other.of.input !== view.of) throw operation.refuse('subtracts activations');
  const { shape, order } = view.of;
  return viewed({ ...view, of: { op: 'centered', input: view.of, shape, node: operation.name, order } });
}

function multiply(operation: Operation): ReturnType<Handler> {
  const { view, by, other } = sides(operation);
  const name = operation.name;
  if (by !== null) return viewed(scaledAndShifted(view, by, scalar(0), name));
  if (other === null) throw operation.corrupt('has one input');
  if (view.of === other.of && view.of.op === 'centered') return viewed(unary(view, 'square', name));
  const found =
    swished(view, other, name) ??
    swished(other, view, name) ??
    gated(view, other, name) ??
    gated(other, view, name) ??
    normalized(view, other, 'reciprocal', name) ??
    normalized(other, view, 'reciprocal', name) ??
    scaledEmbedding(view, other) ??
    scaledEmbedding(other, view);
  if (found === null) throw operation.refuse('multiplies activations with one another');
  return viewed(found);
}

function divide(operation: Operation): ReturnType<Handler> {
  const { view, by, other, isFirst } = sides(operation);
  if (by !== null && !isFirst) throw operation.refuse('divides by activations');
  if (by !== null) {
    return viewed(
      scaledAndShifted(
        view,
        mapped(by, (x) => 1 / x),
        scalar(0),
        operation.name,
      ),
    );
  }
  const found = other === null ? null : normalized(view, other, 'sqrt', operation.name);
  if (found === null) throw operation.refuse('divides activations by one another');
  return viewed(found);
}

/** x * sigmoid(x) */
function swished(view: View, gate: View, node: string): View | null {
  const { of } = gate;
  if (of.op !== 'unary' || of.kind !== 'sigmoid' || of.input !== view.of || !sameMapping(view, gate)) return null;
  return unary(view, 'silu', node);
}

/** x * (a erf(x / sqrt(2)) + a), in whatever order it was written, is 2 a gelu(x). */
function gated(view: View, gate: View, node: string): View | null {
  const outer = gate.of;
  if (outer.op !== 'affine' || outer.axis !== null || outer.input.op !== 'unary' || outer.input.kind !== 'erf')
    return null;
  const inner = outer.input.input;
  const [a, c] = [pick(outer.scale, 0), pick(outer.shift, 0)];
  if (inner.op !== 'affine' || inner.axis !== null || pick(inner.shift, 0) !== 0 || Math.abs(a - c) > 1e-6) return null;
  if (Math.abs(pick(inner.scale, 0) - Math.SQRT1_2) > 1e-5) return null;
  const halved = view.of.op === 'affine' && view.of.axis === null && pick(view.of.shift, 0) === 0 ? view.of : null;
  if (halved?.input === inner.input) {
    const gelu = unary({ ...view, of: inner.input }, 'gelu', node);
    return scaledBy(gelu, nearOne(2 * a * pick(halved.scale, 0)), node);
  }
  if (view.of !== inner.input || !sameMapping(view, gate)) return null;
  return scaledBy(unary(view, 'gelu', node), nearOne(2 * a), node);
}

function nearOne(factor: number): number {
  return Math.abs(factor - 1) < 1e-6 ? 1 : factor;
}

/** (x - mean) / sqrt(mean((x - mean)^2) + epsilon). */
function normalized(view: View, by: View, kind: 'sqrt' | 'reciprocal', node: string): View | null {
  let root = by.of;
  if (root.op === 'unary' && root.kind === 'reciprocal' && kind === 'reciprocal') root = root.input;
  if (view.of.op !== 'centered' || root.op !== 'unary' || root.kind !== 'sqrt') return null;
  if (kind === 'reciprocal' && by.of === root) return null;
  const shifted = root.input;
  const average = shifted.op === 'affine' ? shifted.input : shifted;
  if (average.op !== 'row_mean' || average.input.op !== 'unary' || average.input.kind !== 'square') return null;
  if (average.input.input !== view.of) return null;
  if (shifted.op === 'affine' && (shifted.axis !== null || pick(shifted.scale, 0) !== 1)) return null;
  const { input } = view.of;
  const width = input.shape.at(-1) ?? 1;
  const norm: Expression = {
    op: 'layer_norm',
    input,
    gamma: new Float32Array(width).fill(1),
    beta: new Float32Array(width),
    epsilon: Math.max(SMALLEST_EPSILON, shifted.op === 'affine' ? pick(shifted.shift, 0) : 0),
    shape: input.shape,
    node,
    order: input.order,
  };
  return { ...view, of: norm };
}

/** A quantized table looked up, times its rows' scales looked up. */
function scaledEmbedding(view: View, by: View): View | null {
  const [of, scale] = [view.of, by.of];
  if (of.op !== 'embedding' || scale.op !== 'embedding' || scale.table.inputs !== 1) return null;
  if (of.positions !== null || scale.positions !== null || of.table.outputs !== scale.table.outputs) return null;
  return { ...view, of: { ...of, table: scaledRows(of.table, (row) => scale.table.values[row] ?? 0) } };
}

function power(operation: Operation): ReturnType<Handler> {
  const [view, exponent] = [operation.view(0), operation.constant(1).values];
  if (exponent.length !== 1 || exponent[0] !== 2) throw operation.refuse('raises to another power than 2');
  return viewed(unary(view, 'square', operation.name));
}

function mean(operation: Operation): ReturnType<Handler> {
  return viewed(reduced(operation).view);
}

function sum(operation: Operation): ReturnType<Handler> {
  const { view, count } = reduced(operation);
  if (view.of.op === 'row_mean') throw operation.refuse('sums over a row');
  return viewed(scaledBy(view, count, operation.name));
}

/** Means over a row, over a sequence's rows, or over an image's pixels. */
function reduced(operation: Operation): { view: View; count: number } {
  const view = operation.view(0);
  const axes = reducedAxes(view.dims, operation.constants(), operation.node);
  const keepDims = operation.integer('keepdims', 1) !== 0;
  const long = longAxes(view);
  const gone = long.filter(({ axis }) => axes.has(axis));
  const { of, offset } = view;
  const strides = gone.map(({ stride }) => stride);
  const count = gone.reduce((product, { size }) => product * size, 1);
  const common = { node: operation.name, order: null };
  const [first = 1, second = 1, third = 1] = of.shape;
  const kept = <T>(list: readonly T[], one: T): T[] =>
    list.flatMap((value, i) => (axes.has(i) ? (keepDims ? [one] : []) : [value]));
  const done = (made: Expression): { view: View; count: number } => {
    return { view: wholeView(made, kept(view.dims, 1)), count };
  };
  if (count === 1) return { view: { ...view, dims: kept(view.dims, 1), strides: kept(view.strides, 0) }, count };
  if (offset === 0) {
    const isRow = gone.length === 1 && strides[0] === 1 && count === of.shape.at(-1) && long.length === of.shape.length;
    if (isRow && of.shape.length <= 2) {
      return done({ op: 'row_mean', input: of, shape: [...of.shape.slice(0, -1), 1], ...common });
    }
    if (of.shape.length === 2 && gone.length === 1 && strides[0] === second && count === first) {
      return done({ op: 'pool', input: of, pool: 'mean', shape: [second], ...common });
    }
    const pixels = isChannelsLast(of) ? 0 : second * third;
    if (of.shape.length === 3 && count === pixels && strides.every((stride) => stride < pixels)) {
      return done({ op: 'global_avg_pool', input: of, shape: [first], ...common });
    }
  }
  throw operation.refuse('averages over axes that the engine does not');
}

function where(operation: Operation): ReturnType<Handler> {
  const [condition, yes, no] = operation.inputs;
  if (condition?.kind === 'constant') {
    const { values } = condition.constant;
    const chosen = values.every((value) => value !== 0) ? yes : values.every((value) => value === 0) ? no : undefined;
    if (chosen?.kind === 'view') return chosen;
  }
  // Exporters guard softmax against rows that are masked all over; there are none here.
  const guarded = condition?.kind === 'view' && condition.view.of.op === 'unary' && condition.view.of.kind === 'isnan';
  if (guarded && no?.kind === 'view' && condition.view.of.input === no.view.of) return no;
  throw operation.refuse('chooses between activations');
}

function concat(operation: Operation): ReturnType<Handler> {
  const [first, second] = operation.inputs;
  if (operation.inputs.length !== 2 || first?.kind !== 'view' || second?.kind !== 'view') {
    throw operation.refuse('joins activations');
  }
  const [no, yes] = [first.view.of, second.view.of];
  const isOpposite = no.op === 'affine' && no.input === yes && pick(no.scale, 0) === -1 && pick(no.shift, 0) === 1;
  if (!isOpposite || yes.op !== 'unary' || yes.kind !== 'sigmoid' || yes.shape.some((n) => n !== 1)) {
    throw operation.refuse('joins activations');
  }
  return viewed(wholeView(twoClasses(yes.input, operation.name), [1, 2]));
}

function twoClasses(input: Expression, node: string): Expression {
  return { op: 'two_classes', input, shape: [2], node, order: null };
}

/** Over one value, as over the batch, it would be 1 whatever the value is. */
function softmax(operation: Operation): ReturnType<Handler> {
  const view = operation.view(0);
  const last = longAxes(view).at(-1);
  const axis = axisOf(operation.integer('axis', -1), view.dims.length);
  if (last !== undefined && last.axis !== axis) throw operation.refuse('is not over the last axis');
  return viewed(unary(view, 'softmax', operation.name));
}

function simple(kind: Unary): Handler {
  return (operation) => viewed(unary(operation.view(0), kind, operation.name));
}

export const ARITHMETIC_HANDLERS: Readonly<Record<string, Handler>> = {
  Add: add,
  Sub: subtract,
  Mul: multiply,
  Div: divide,
  Pow: power,
  Relu: simple('relu'),
  Tanh: simple('tanh'),
  Erf: simple('erf'),
  Sqrt: simple('sqrt'),
  Reciprocal: simple('reciprocal'),
  Sigmoid: simple('sigmoid'),
  HardSwish: simple('hard_swish'),
  IsNaN: simple('isnan'),
  Gelu: (operation) => {
    if ((operation.attribute('approximate')?.text ?? 'none') !== 'none')
      throw operation.refuse('approximates GELU by tanh');
    return viewed(unary(operation.view(0), 'gelu', operation.name));
  },
  Neg: (operation) => viewed(scaledBy(operation.view(0), -1, operation.name)),
  Clip: (operation) => {
    const [low, high] = [operation.optional(1)?.values[0], operation.optional(2)?.values[0] ?? Infinity];
    if (low !== 0 || (high !== 6 && high < 3e38)) throw operation.refuse('clips to other bounds than zero and six');
    return viewed(unary(operation.view(0), high === 6 ? 'relu6' : 'relu', operation.name));
  },
  Softmax: softmax,
  LogSoftmax: softmax,
  ReduceMean: mean,
  ReduceSum: sum,
  Where: where,
  Concat: concat,
};
