/**
 * Least squares with a penalty over sparse rows of zeros and weights, by conjugate gradients. Pure.
 */

/**
 * Row r holds the columns `columns[starts[r] .. starts[r + 1])`, entry i with the value `values[i] * rowScales[r] *
 * columnScales[column]`; without `values` each is 1.
 */
export type SparseRows = {
  readonly starts: Uint32Array;
  readonly columns: Uint32Array;
  readonly values?: Float64Array;
  readonly rowScales: Float64Array;
  readonly columnScales: Float64Array;
};

const ITERATIONS = 30;

/** The weights of least `|X w - y|^2 + penalty |w|^2` over the rows given, times their columns' scales: ready to add up. */
export function ridge(x: SparseRows, rows: readonly number[], y: Float64Array, penalty: number): Float64Array {
  const width = x.columnScales.length;
  const weights = new Float64Array(width);
  const residual = transposed(x, rows, y);
  const direction = residual.slice();
  let length = dot(residual, residual);
  for (let i = 0; i < ITERATIONS && length > 1e-12; i += 1) {
    const image = transposed(x, rows, times(x, rows, direction));
    for (let c = 0; c < width; c += 1) image[c] = (image[c] ?? 0) + penalty * (direction[c] ?? 0);
    const step = length / dot(direction, image);
    for (let c = 0; c < width; c += 1) {
      weights[c] = (weights[c] ?? 0) + step * (direction[c] ?? 0);
      residual[c] = (residual[c] ?? 0) - step * (image[c] ?? 0);
    }
    const shorter = dot(residual, residual);
    for (let c = 0; c < width; c += 1) direction[c] = (residual[c] ?? 0) + (shorter / length) * (direction[c] ?? 0);
    length = shorter;
  }
  return weights.map((weight, c) => weight * (x.columnScales[c] ?? 0));
}

function times(x: SparseRows, rows: readonly number[], vector: Float64Array): Float64Array {
  return Float64Array.from(rows, (row) => {
    let sum = 0;
    for (let i = x.starts[row] ?? 0; i < (x.starts[row + 1] ?? 0); i += 1) {
      const column = x.columns[i] ?? 0;
      sum += (vector[column] ?? 0) * (x.columnScales[column] ?? 0) * (x.values?.[i] ?? 1);
    }
    return sum * (x.rowScales[row] ?? 0);
  });
}

function transposed(x: SparseRows, rows: readonly number[], values: Float64Array): Float64Array {
  const out = new Float64Array(x.columnScales.length);
  rows.forEach((row, at) => {
    const value = (values[at] ?? 0) * (x.rowScales[row] ?? 0);
    for (let i = x.starts[row] ?? 0; i < (x.starts[row + 1] ?? 0); i += 1) {
      const column = x.columns[i] ?? 0;
      out[column] = (out[column] ?? 0) + value * (x.values?.[i] ?? 1);
    }
  });
  for (let c = 0; c < out.length; c += 1) out[c] = (out[c] ?? 0) * (x.columnScales[c] ?? 0);
  return out;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i += 1) sum += (a[i] ?? 0) * (b[i] ?? 0);
  return sum;
}
