// Owns the operators that move or rename activations without changing a value.

import { axisOf, integers, listOf, sizeOf } from './constant.ts';
import type { Expression } from './expression.ts';
import { isChannelsLast } from './expression.ts';
import {
  axesOf,
  cutsOf,
  flattenedDims,
  permutationOf,
  reshapedDims,
  shapeSlice,
  squeezedDims,
  unsqueezedDims,
} from './dims.ts';
import { matrixOf } from './matrix.ts';
import type { Handler, Operation, Value } from './value.ts';
import { known, viewed } from './value.ts';
import type { View } from './view.ts';
import { cut, flat, longAxes, reshaped, transposed, wholeView, without } from './view.ts';

function moved(operation: Operation, view: View, dims: readonly number[]): View {
  const free = reshaped(view, dims);
  if (free !== null) return free;
  const turned = channelsLast(operation, view);
  if (turned !== null && longAxes({ ...view, dims }).length <= 1) return wholeView(turned, dims);
  throw operation.refuse('reorders values in a way the engine does not have');
}

/** An image turned to channels last and laid flat: the engine's own order. */
function channelsLast({ name }: Operation, view: View): Expression | null {
  const { of, offset, dims } = view;
  if (of.shape.length !== 3 || isChannelsLast(of) || offset !== 0 || sizeOf(dims) !== sizeOf(of.shape)) return null;
  const [, height = 1, width = 1] = of.shape;
  const strides = longAxes(view).map(({ stride }) => stride);
  const expected = longAxes({ ...view, dims: [height, width, of.shape[0] ?? 1], strides: [width, 1, height * width] });
  const same = expected.every(({ stride }, i) => stride === strides[i]) && strides.length === expected.length;
  return same ? { ...flat(of, name), order: null } : null;
}

function axesNode(operation: Operation): number[] | null {
  return axesOf(operation.constants(), operation.node, 1);
}

function gather(operation: Operation): ReturnType<Handler> {
  const [data, indices] = operation.inputs;
  if (data?.kind === 'constant' && indices?.kind === 'view') return embedding(operation, indices.view);
  const view = operation.view(0);
  const index = operation.constant(1);
  const axis = axisOf(operation.integer('axis', 0), view.dims.length);
  if (index.values.length !== 1) throw operation.refuse('picks several places of its activations');
  const size = view.dims[axis] ?? 0;
  const at = index.values[0] ?? 0;
  const start = at < 0 ? at + size : at;
  if (!(start >= 0 && start < size)) throw operation.corrupt(`takes index ${at} of ${size}`);
  const one = cut(view, axis, start, 1);
  return viewed(index.dims.length === 0 ? without(one, axis) : one);
}

function embedding(operation: Operation, ids: View): ReturnType<Handler> {
  const table = operation.constant(0);
  if (ids.of.op !== 'input' || ids.of.kind !== 'ids' || table.dims.length !== 2) {
    throw operation.refuse('looks up what is not the input');
  }
  if (axisOf(operation.integer('axis', 0), 2) !== 0) throw operation.refuse('looks up columns');
  const [rows = 1, width = 1] = table.dims;
  const own =
    table.values instanceof Int8Array
      ? { ...table, exact: { q: table.values, scales: new Float32Array(rows).fill(1), axis: 0 } }
      : table;
  const tokens = sizeOf(ids.dims);
  const of: Expression = {
    op: 'embedding',
    table: matrixOf(own, false),
    positions: null,
    shape: [tokens, width],
    node: operation.name,
    order: null,
  };
  return viewed(wholeView(of, [...ids.dims, width]));
}

function split(operation: Operation): ReturnType<Handler> {
  const view = operation.view(0);
  const axis = axisOf(operation.integer('axis', 0), view.dims.length);
  const size = view.dims[axis] ?? 0;
  const given = operation.optional(1);
  const parts = operation.node.outputs.length;
  const even = Math.ceil(size / Math.max(1, parts));
  const sizes =
    given === undefined
      ? operation.node.outputs.map((_, i) => Math.max(0, Math.min(even, size - i * even)))
      : listOf(given);
  if (sizes.reduce((sum, n) => sum + n, 0) !== size) throw operation.corrupt(`splits ${size} into ${sizes.join(', ')}`);
  let start = 0;
  return sizes.map((count) => {
    start += count;
    return viewed(cut(view, axis, start - count, count));
  });
}

function keep(operation: Operation): Value {
  const [value] = operation.inputs;
  if (value === undefined) throw operation.corrupt('has no input');
  return value;
}

const BOOL = 9;
const FLOATS: readonly (number | undefined)[] = [1, 10, 11, 16];

/** Activations stay numbers: whole ones, or bits, would be rounded. The ids of a text are whole already. */
function cast(operation: Operation): ReturnType<Handler> {
  const value = keep(operation);
  const to = operation.attribute('to')?.integer;
  const isIds = value.kind === 'view' && value.view.of.op === 'input' && value.view.of.kind === 'ids';
  if (!FLOATS.includes(to) && !(isIds && to !== BOOL)) throw operation.refuse(`makes type ${to} of activations`);
  return value;
}

export const SHAPE_HANDLERS: Readonly<Record<string, Handler>> = {
  Identity: keep,
  Dropout: keep,
  Cast: cast,
  Shape: (operation) => known(integers(shapeSlice(operation.view(0).dims, operation.node))),
  Reshape: (operation) => {
    const view = operation.view(0);
    const dims = reshapedDims(view.dims, listOf(operation.constant(1)), operation.integer('allowzero', 0) === 1);
    return viewed(moved(operation, view, dims));
  },
  Flatten: (operation) =>
    viewed(moved(operation, operation.view(0), flattenedDims(operation.view(0).dims, operation.node))),
  Squeeze: (operation) =>
    viewed(moved(operation, operation.view(0), squeezedDims(operation.view(0).dims, axesNode(operation)))),
  Unsqueeze: (operation) =>
    viewed(moved(operation, operation.view(0), unsqueezedDims(operation.view(0).dims, axesNode(operation) ?? []))),
  Transpose: (operation) => {
    const view = operation.view(0);
    return viewed(transposed(view, permutationOf(operation.node, view.dims.length)));
  },
  Slice: (operation) => {
    const view = operation.view(0);
    const cuts = cutsOf(view.dims, operation.constants());
    return viewed(cuts.reduce((from, { axis, start, count, step }) => cut(from, axis, start, count, step), view));
  },
  Expand: (operation) => {
    const view = operation.view(0);
    const wanted = listOf(operation.constant(1));
    const lead = view.dims.length - wanted.length;
    const grows = wanted.some((n, i) => n !== 1 && n !== view.dims[i + lead]);
    if (lead < 0 || grows) throw operation.refuse('repeats activations');
    return viewed(view);
  },
  Split: split,
  Gather: gather,
};
