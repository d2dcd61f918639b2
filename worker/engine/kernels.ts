// Owns the contract of the heavy operators. Two implementations keep it: plain-kernels.ts (TypeScript, the oracle and the
// fallback) and assembly/index.ts (WebAssembly SIMD). Arguments are byte offsets into one model's memory, and sizes.

/** Outputs a block: convolution weights are stored so that four neighbouring outputs are computed at once. */
export const BLOCK = 4;

/** `relu` is 1 to clamp at zero. Offset 0 stands for "none" where an argument may be missing. */
export type Kernels = {
  /** acc[d] += factor * sum over ids of (rowScales[id] or 1) * table[id][d]; table is i8 [buckets, dim]. */
  bag(acc: number, table: number, dim: number, ids: number, count: number, rowScales: number, factor: number): void;

  /** out[o] = scales[o] * sum(x[i] * weights[o][i]) + bias[o]; weights are i8 [outputs, inputs]. */
  dense(
    x: number,
    weights: number,
    scales: number,
    bias: number,
    out: number,
    inputs: number,
    outputs: number,
    relu: number,
  ): void;

  /** Copies `count` windows, from output pixel `first` on, into rows of kernelHeight * kernelWidth * channels values. */
  patches(
    x: number,
    rows: number,
    first: number,
    count: number,
    height: number,
    width: number,
    channels: number,
    outWidth: number,
    kernelHeight: number,
    kernelWidth: number,
    strideY: number,
    strideX: number,
    padTop: number,
    padLeft: number,
  ): void;

  /** out[p][o] = bias[o] + sum(rows[p][k] * weights[o / 4][k][o % 4]); weights and bias are f32, padded to whole blocks. */
  multiply(
    rows: number,
    weights: number,
    bias: number,
    out: number,
    count: number,
    depth: number,
    outputs: number,
    relu: number,
  ): void;

  /** Depthwise convolution; weights are f32 [kernelHeight * kernelWidth, channels]. */
  depthwise(
    x: number,
    weights: number,
    bias: number,
    out: number,
    height: number,
    width: number,
    channels: number,
    outHeight: number,
    outWidth: number,
    kernelHeight: number,
    kernelWidth: number,
    strideY: number,
    strideX: number,
    padTop: number,
    padLeft: number,
    relu: number,
  ): void;
};
