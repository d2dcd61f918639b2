// Owns scaling and shifting by constants: where the constant lies along the activations, and merging one after another.

import type { Constant } from './constant.ts';
import { broadcast, broadcastDims, scalar, sizeOf, stridesOf } from './constant.ts';
import type { Expression } from './expression.ts';
import { scaledRows } from './matrix.ts';
import { unsupported } from './onnx-error.ts';
import type { View } from './view.ts';
import { isWhole, longAxes, rowsOf, wholeView } from './view.ts';

type Along = { readonly axis: number | null; readonly values: Float32Array };

/** x * scale + shift. */
export function scaledAndShifted(view: View, scale: Constant, shift: Constant, node: string): View {
  if (broadcastDims(view.dims, broadcastDims(scale.dims, shift.dims)).length !== view.dims.length) {
    throw unsupported(`node ${node} spreads activations over a constant`);
  }
  const embedded = onEmbedding(view, scale, shift);
  if (embedded !== null) return embedded;
  const by = along(view, scale);
  const plus = along(view, shift);
  if (by === null || plus === null || (by.axis !== null && plus.axis !== null && by.axis !== plus.axis)) {
    // A constant for each value of what an image or a row was laid flat to.
    if (isWhole(view) && longAxes(view).length === 1 && view.of.shape.length > 1) {
      return scaledAndShifted(wholeView(rowsOf(view, node), view.dims), scale, shift, node);
    }
    throw unsupported(`node ${node} takes a constant of ${scale.dims.join('x')} or ${shift.dims.join('x')} here`);
  }
  const axis = by.axis ?? plus.axis;
  return { ...view, of: merged(view.of, axis, by.values, plus.values, node) };
}

export function scaledBy(view: View, factor: number, node: string): View {
  return scaledAndShifted(view, scalar(factor), scalar(0), node);
}

/** Along which axis of the view's expression the constant varies; null where it varies along several. */
function along(view: View, source: Constant): Along | null {
  if (source.values.every((value) => value === source.values[0])) {
    return { axis: null, values: Float32Array.of(source.values[0] ?? 0) };
  }
  const lead = view.dims.length - source.dims.length;
  const varying = source.dims.flatMap((size, i) => (size === 1 ? [] : [i + lead]));
  const [axis] = varying;
  if (varying.length !== 1 || axis === undefined) return null;
  const strides = stridesOf(view.of.shape);
  const found = view.of.shape.findIndex(
    (size, i) => size === view.dims[axis] && size > 1 && strides[i] === view.strides[axis],
  );
  return found === -1 ? null : { axis: found, values: Float32Array.from(source.values) };
}

function merged(
  of: Expression,
  axis: number | null,
  scale: Float32Array,
  shift: Float32Array,
  node: string,
): Expression {
  const last = of.shape.length - 1;
  const isOne = scale.every((value) => value === 1);
  if (isOne && shift.every((value) => value === 0)) return of;
  if (of.op === 'linear' && of.bias === null && isOne && (axis === last || axis === null)) {
    return { ...of, bias: Float32Array.from({ length: of.weights.outputs }, (_, i) => pick(shift, i)) };
  }
  if (of.op === 'affine' && (of.axis === axis || of.axis === null || axis === null)) {
    const size = Math.max(scale.length, shift.length, of.scale.length, of.shift.length);
    const both = (compute: (i: number) => number): Float32Array =>
      Float32Array.from({ length: size }, (_, i) => compute(i));
    return merged(
      of.input,
      of.axis ?? axis,
      both((i) => pick(of.scale, i) * pick(scale, i)),
      both((i) => pick(of.shift, i) * pick(scale, i) + pick(shift, i)),
      node,
    );
  }
  return { op: 'affine', input: of, axis, scale, shift, shape: of.shape, node, order: of.order };
}

/** One value may stand for all. */
export function pick(values: Float32Array, i: number): number {
  return values[values.length === 1 ? 0 : i] ?? 0;
}

/** Positions and token types are constants added to embeddings; a scale goes into the table. */
function onEmbedding(view: View, scale: Constant, shift: Constant): View | null {
  const { of } = view;
  const factor = scale.values[0] ?? 0;
  if (of.op !== 'embedding' || !isWhole(view) || scale.values.some((value) => value !== factor)) return null;
  const added = broadcast(shift, view.dims).values;
  const positions = Float32Array.from({ length: sizeOf(of.shape) }, (_, i) => {
    return (of.positions?.[i] ?? 0) * factor + (added[i] ?? 0);
  });
  return { ...view, of: { ...of, table: factor === 1 ? of.table : scaledRows(of.table, () => factor), positions } };
}
