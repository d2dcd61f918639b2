// Owns recognizing attention: softmax(Q K^T * factor) V, whatever views exporters took of queries, keys and values.

import { pick } from './affine.ts';
import type { Expression, Head, Matrix } from './expression.ts';
import { pickedRows, scaledRows, stacked } from './matrix.ts';
import type { Operation } from './value.ts';
import type { View } from './view.ts';
import { longAxes } from './view.ts';

export function productOfActivations(operation: Operation, a: View, b: View): View {
  const weights = scoresOf(a.of);
  return weights === null ? scores(operation, a, b) : mix(operation, weights, a, b);
}

/** Heads of a view [..., tokens, size], or [..., size, tokens] where `turned`. */
function headOf(operation: Operation, view: View, turned: boolean): { head: Head; heads: number; lead: number[] } {
  const rank = view.dims.length;
  const [rowAxis, columnAxis] = turned ? [rank - 1, rank - 2] : [rank - 2, rank - 1];
  const [tokens = 0, width = 0] = view.of.shape;
  const leading = longAxes(view).filter(({ axis }) => axis < rank - 2);
  const fits =
    rank >= 2 &&
    view.of.shape.length === 2 &&
    leading.length <= 1 &&
    view.dims[rowAxis] === tokens &&
    view.strides[rowAxis] === width;
  if (!fits) throw operation.refuse('multiplies activations, and not as attention does');
  const head = {
    of: view.of,
    offset: view.offset,
    headStride: leading[0]?.stride ?? 0,
    stride: view.strides[columnAxis] ?? 1,
    size: view.dims[columnAxis] ?? 1,
  };
  return { head, heads: leading[0]?.size ?? 1, lead: view.dims.slice(0, rank - 2) };
}

function scores(operation: Operation, a: View, b: View): View {
  const query = headOf(operation, a, false);
  const key = headOf(operation, b, true);
  const [tokens = 0] = a.of.shape;
  if (query.heads !== key.heads || query.head.size !== key.head.size || key.head.of.shape[0] !== tokens) {
    throw operation.refuse('has queries and keys of different shapes');
  }
  const of: Expression = {
    op: 'scores',
    query: query.head,
    key: key.head,
    heads: query.heads,
    shape: [query.heads, tokens, tokens],
    node: operation.name,
    order: null,
  };
  const strides = query.lead.map((n) => (n === 1 ? 0 : tokens * tokens));
  return { of, offset: 0, dims: [...query.lead, tokens, tokens], strides: [...strides, tokens, 1] };
}

type Weights = { readonly scores: Extract<Expression, { op: 'scores' }>; readonly factor: number };

/** The scores under a softmax, and what they are multiplied with. */
function scoresOf(of: Expression): Weights | null {
  if (of.op !== 'unary' || of.kind !== 'softmax') return null;
  let [inner, factor] = [of.input, 1];
  while (inner.op === 'affine' && inner.axis === null && pick(inner.shift, 0) === 0) {
    factor *= pick(inner.scale, 0);
    inner = inner.input;
  }
  return inner.op === 'scores' ? { scores: inner, factor } : null;
}

function mix(operation: Operation, weights: Weights, a: View, b: View): View {
  const { query, key, heads } = weights.scores;
  const value = headOf(operation, b, false);
  const [tokens = 0] = weights.scores.shape.slice(1);
  const straight = a.strides.at(-1) === 1 && a.strides.at(-2) === tokens && a.dims.at(-1) === tokens;
  if (
    !straight ||
    a.offset !== 0 ||
    value.heads !== heads ||
    value.head.of.shape[0] !== tokens ||
    value.head.size !== query.size
  ) {
    throw operation.refuse('mixes values, and not as attention does');
  }
  const parts = [
    part(operation, query, heads, weights.factor * Math.sqrt(query.size)),
    part(operation, key, heads, 1),
    part(operation, value.head, heads, 1),
  ];
  const [first] = parts;
  if (first === undefined || parts.some(({ input }) => input !== first.input)) {
    throw operation.refuse('attends to another sequence');
  }
  const width = heads * query.size;
  const bias = new Float32Array(3 * width);
  parts.forEach((one, i) => bias.set(one.bias, i * width));
  const of: Expression = {
    op: 'attention',
    input: first.input,
    weights: stacked(parts.map((one) => one.weights)),
    bias,
    dynamic: parts.every(({ dynamic }) => dynamic),
    heads,
    shape: [tokens, width],
    node: operation.name,
    order: null,
  };
  const strides = value.lead.map((n) => (n === 1 ? 0 : query.size));
  return { of, offset: 0, dims: [...value.lead, tokens, query.size], strides: [...strides, width, 1] };
}

/** The rows of the weights that make queries, keys or values, head by head, times a factor. */
function part(
  operation: Operation,
  head: Head,
  heads: number,
  factor: number,
): { input: Expression; weights: Matrix; bias: Float32Array; dynamic: boolean } {
  let of = head.of;
  const affines: Extract<Expression, { op: 'affine' }>[] = [];
  while (of.op === 'affine' && (of.axis === null || of.axis === 1)) {
    affines.unshift(of);
    of = of.input;
  }
  if (of.op !== 'linear') throw operation.refuse('attends to what no product made');
  const { weights, bias } = of;
  const rows = Array.from({ length: heads * head.size }, (_, i) => {
    return head.offset + Math.floor(i / head.size) * head.headStride + (i % head.size) * head.stride;
  });
  if (rows.some((row) => row >= weights.outputs)) throw operation.refuse('takes heads across tokens');
  const scales = rows.map((row) => affines.reduce((by, { scale }) => by * pick(scale, row), factor));
  const shifts = rows.map((row) => {
    return (
      factor *
      affines.reduce((value, { scale, shift }) => value * pick(scale, row) + pick(shift, row), bias?.[row] ?? 0)
    );
  });
  return {
    input: of.input,
    weights: scaledRows(pickedRows(weights, rows), (o) => nearOne(scales[o] ?? 0)),
    bias: Float32Array.from(shifts),
    dynamic: of.dynamic,
  };
}

/** The factor is 1 up to rounding where the exporter divides by the square root the engine divides by. */
function nearOne(factor: number): number {
  return Math.abs(factor - 1) < 1e-5 ? 1 : factor;
}
