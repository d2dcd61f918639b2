// Owns weights as matrices: made from constants, scaled, rows picked, columns turned. Integers are kept where nothing disturbs them.

import type { Constant } from './constant.ts';
import { gathered, stridesOf } from './constant.ts';
import type { Matrix, Order } from './expression.ts';
import { exactRows } from './expression.ts';

/** From a constant [outputs, inputs], or [inputs, outputs] where `turned`. */
export function matrixOf(source: Constant, turned: boolean): Matrix {
  const [a = 1, b = 1] = source.dims;
  const [outputs, inputs] = turned ? [b, a] : [a, b];
  const strides = stridesOf(source.dims);
  const order = turned ? [strides[1] ?? 1, strides[0] ?? 1] : strides;
  const values = Float32Array.from(gathered(source, [outputs, inputs], order).values);
  const scales = exactRows(source.exact, turned ? 1 : 0, outputs);
  if (source.exact === undefined || scales === null) return { outputs, inputs, values, exact: null };
  const q: Constant = { type: 'integer', dims: source.dims, values: source.exact.q };
  return {
    outputs,
    inputs,
    values,
    exact: { q: Int8Array.from(gathered(q, [outputs, inputs], order).values), scales },
  };
}

/** Each output times a factor. */
export function scaledRows(matrix: Matrix, factorOf: (output: number) => number): Matrix {
  const { inputs, exact } = matrix;
  const values = matrix.values.map((value, i) => value * factorOf(Math.floor(i / inputs)));
  const scales = exact?.scales.map((scale, o) => scale * factorOf(o));
  const positive = scales?.every((scale) => scale > 0) ?? false;
  return {
    ...matrix,
    values,
    exact: exact !== null && scales !== undefined && positive ? { q: exact.q, scales } : null,
  };
}

/** Each input times a factor: the integers are lost unless all factors are the same. */
export function scaledColumns(matrix: Matrix, factorOf: (input: number) => number): Matrix {
  const first = factorOf(0);
  let same = true;
  for (let i = 1; i < matrix.inputs; i += 1) same &&= factorOf(i) === first;
  if (same) return scaledRows(matrix, () => first);
  const values = matrix.values.map((value, i) => value * factorOf(i % matrix.inputs));
  return { ...matrix, values, exact: null };
}

export function pickedRows(matrix: Matrix, rows: readonly number[]): Matrix {
  const { inputs, exact } = matrix;
  const values = new Float32Array(rows.length * inputs);
  const q = new Int8Array(exact === null ? 0 : values.length);
  rows.forEach((row, i) => {
    values.set(matrix.values.subarray(row * inputs, (row + 1) * inputs), i * inputs);
    if (exact !== null) q.set(exact.q.subarray(row * inputs, (row + 1) * inputs), i * inputs);
  });
  const scales = Float32Array.from(rows, (row) => exact?.scales[row] ?? 0);
  return { outputs: rows.length, inputs, values, exact: exact === null ? null : { q, scales } };
}

export function stacked(parts: readonly Matrix[]): Matrix {
  const inputs = parts[0]?.inputs ?? 0;
  const outputs = parts.reduce((sum, part) => sum + part.outputs, 0);
  const values = new Float32Array(outputs * inputs);
  const q = new Int8Array(outputs * inputs);
  const scales = new Float32Array(outputs);
  let [row, exact] = [0, true];
  for (const part of parts) {
    values.set(part.values, row * inputs);
    if (part.exact === null) exact = false;
    else {
      q.set(part.exact.q, row * inputs);
      scales.set(part.exact.scales, row);
    }
    row += part.outputs;
  }
  return { outputs, inputs, values, exact: exact ? { q, scales } : null };
}

/** Place i of a list in the engine's order (channels last) is place `turn(i)` of the file's (channels first). */
export function turnOf(order: Order): ((i: number) => number) | null {
  if (order === null) return null;
  const { height, width, channels } = order;
  return (i) => {
    const [pixel, channel] = [Math.floor(i / channels), i % channels];
    return channel * height * width + pixel;
  };
}

export function turnedColumns(matrix: Matrix, order: Order): Matrix {
  const turn = turnOf(order);
  if (turn === null) return matrix;
  const { inputs, exact } = matrix;
  const from = (i: number): number => i - (i % inputs) + turn(i % inputs);
  return {
    ...matrix,
    values: matrix.values.map((_, i) => matrix.values[from(i)] ?? 0),
    exact: exact === null ? null : { ...exact, q: exact.q.map((_, i) => exact.q[from(i)] ?? 0) },
  };
}
