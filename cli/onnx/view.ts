// Owns views: the values of an expression read with other strides. Reshaping, transposing, slicing and splitting make views, so that
// what exporters do around attention leaves nothing behind. Batch is 1 everywhere, and axes of size 1 are free.

import { axisOf, sizeOf, stridesOf } from './constant.ts';
import type { Expression } from './expression.ts';
import { isChannelsLast } from './expression.ts';
import { unsupported } from './onnx-error.ts';

export type View = {
  readonly of: Expression;
  readonly offset: number;
  readonly dims: readonly number[];
  readonly strides: readonly number[];
};

/** The whole expression with axes of size 1 wherever `dims` has them. */
export function wholeView(of: Expression, dims: readonly number[]): View {
  return { of, offset: 0, dims, strides: stridesOf(dims) };
}

/** Axes of more than one value. */
export function longAxes({ dims, strides }: View): { size: number; stride: number; axis: number }[] {
  return dims.flatMap((size, axis) => (size === 1 ? [] : [{ size, stride: strides[axis] ?? 0, axis }]));
}

export function isWhole(view: View): boolean {
  if (view.offset !== 0 || sizeOf(view.dims) !== sizeOf(view.of.shape)) return false;
  let expected = 1;
  for (const { size, stride } of longAxes(view).toReversed()) {
    if (stride !== expected) return false;
    expected *= size;
  }
  return true;
}

/** Same values in the same places. */
export function sameMapping(a: View, b: View): boolean {
  const [x, y] = [longAxes(a), longAxes(b)];
  return (
    a.offset === b.offset &&
    x.length === y.length &&
    x.every(({ size, stride }, i) => size === y[i]?.size && stride === y[i]?.stride)
  );
}

export function transposed(view: View, perm: readonly number[]): View {
  return {
    ...view,
    dims: perm.map((axis) => view.dims[axis] ?? 1),
    strides: perm.map((axis) => view.strides[axis] ?? 0),
  };
}

export function cut(view: View, axis: number, start: number, count: number, step = 1): View {
  const at = axisOf(axis, view.dims.length);
  const stride = view.strides[at] ?? 0;
  return {
    ...view,
    offset: view.offset + start * stride,
    dims: view.dims.map((n, i) => (i === at ? count : n)),
    strides: view.strides.map((n, i) => (i === at ? n * step : n)),
  };
}

export function without(view: View, axis: number): View {
  return {
    ...view,
    dims: view.dims.filter((_, i) => i !== axis),
    strides: view.strides.filter((_, i) => i !== axis),
  };
}

/** Null where the values would have to move. */
export function reshaped(view: View, dims: readonly number[]): View | null {
  const long = longAxes(view);
  const strides = dims.map(() => 0);
  let source = long.length - 1;
  // What is left of the current source axis: its size, and the stride of its innermost remaining part.
  let [left, stride] = [long[source]?.size ?? 1, long[source]?.stride ?? 0];
  for (let i = dims.length - 1; i >= 0; i -= 1) {
    let wanted = dims[i] ?? 1;
    if (wanted === 1) continue;
    if (left === 1) {
      source -= 1;
      [left, stride] = [long[source]?.size ?? 1, long[source]?.stride ?? 0];
    }
    strides[i] = stride;
    while (wanted > left) {
      const outer = long[source - 1];
      if (outer === undefined || wanted % left !== 0 || outer.stride !== stride * left) return null;
      wanted /= left;
      source -= 1;
      [left, stride] = [outer.size, outer.stride];
    }
    if (left % wanted !== 0) return null;
    left /= wanted;
    stride *= wanted;
  }
  return { ...view, dims, strides };
}

/** The expression whose rows the view is: a sequence as it is, an image laid flat, the first row of a sequence. */
export function rowsOf(view: View, node: string): Expression {
  const { of, offset } = view;
  const long = longAxes(view);
  const [first, second] = long;
  const [rows = 1, width = 1] = of.shape;
  if (of.shape.length === 2 && offset === 0 && long.length === 2 && first !== undefined && second !== undefined) {
    if (first.size === rows && second.size === width && first.stride === width && second.stride === 1) return of;
  }
  if (isWhole(view) && long.length <= 1) return of.shape.length === 1 ? of : flat(of, node);
  if (of.shape.length === 2 && offset === 0 && long.length === 1 && first?.size === width && first.stride === 1) {
    return { op: 'pool', input: of, pool: 'first', shape: [width], node, order: null };
  }
  throw unsupported(`node ${node} takes its input in an order the engine does not have`);
}

export function flat(of: Expression, node: string): Expression {
  const [channels = 1, height = 1, width = 1] = of.shape;
  const turned = of.shape.length === 3 && !isChannelsLast(of);
  const order = turned && channels > 1 && height * width > 1 ? { channels, height, width } : null;
  return { op: 'flatten', input: of, shape: [sizeOf(of.shape)], node, order };
}

/** The image a convolution or pooling takes; axes are batch, channels, height, width. */
export function imageOf(view: View, node: string): { of: Expression; dims: [number, number, number] } {
  const [batch = 0, channels = 0, height = 0, width = 0] = view.dims;
  if (view.dims.length !== 4 || batch !== 1) throw unsupported(`node ${node} takes no single image`);
  const hwc = isChannelsLast(view.of);
  const expected = hwc ? [1, width * channels, channels] : [height * width, width, 1];
  const fits = [channels, height, width].every((size, i) => size === 1 || view.strides[i + 1] === expected[i]);
  if (view.offset !== 0 || !fits || view.of.shape.length !== 3 || sizeOf(view.of.shape) !== sizeOf(view.dims)) {
    throw unsupported(`node ${node} takes its image in an order the engine does not have`);
  }
  return { of: view.of, dims: [channels, height, width] };
}
