// Owns the contract of the heavy operators. Two implementations keep it: plain-kernels.ts with the other plain-*.ts
// (TypeScript, the oracle and the fallback) and assembly/ (WebAssembly SIMD, with relaxed dot products where the runtime has them). Arguments are byte offsets into one model's memory, and sizes.

/** Outputs a block: convolution weights are stored so that four neighbouring outputs are computed at once. */
export const BLOCK = 4;
/** Inputs of one output that lie together in packed int8 weights. */
export const QUAD = 4;
/** Bytes to set aside for a quantized activation: one implementation keeps it in two. */
export const QUANTIZED_BYTES = 2;
/** A quantized row's scale (f32) and zero point (i32). */
export const ROW_META_BYTES = 8;

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

  /** Values -8..7, two a byte and the low one first, to one a byte. `from` may be the second half of where they go. */
  unpack(from: number, to: number, count: number): void;

  /**
   * i8 weights [rows, depth] to blocks [o / 4][k / 4][o % 4][k % 4], zeros beyond the last row and from `depth` to `padded`, and the i32 sum
   * of each row. 15 bytes beyond the end of `weights` are read, and mean nothing.
   */
  pack(weights: number, to: number, sums: number, rows: number, depth: number, padded: number): void;

  /**
   * Each row of `depth` values x becomes integers 0..255: q = round(x / scale) + zero, scale = (max - min) / 255 with 0 inside
   * the range, which is that of the row or, with `shared` 1, of all rows. Rows are padded to `padded` values; how q is kept is the
   * implementation's own. Scale and zero go to `meta`, for each row.
   */
  quantize(x: number, q: number, meta: number, rows: number, depth: number, padded: number, shared: number): void;

  /**
   * Copies `count` windows of a quantized image into rows of `padded` values, with the image's zero point beyond its edges, and its
   * scale and zero point to each row's meta. Buffers have 16 bytes of room beyond their end.
   */
  windows(
    q: number,
    meta: number,
    rows: number,
    rowMeta: number,
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
    padded: number,
  ): void;

  /** Of a window only what lies inside the image counts; some of it always does. */
  maxPool(
    x: number,
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
  ): void;

  /**
   * out[p][o] = (sum(q[p][k] * w[o][k]) - zero[p] * sums[o]) * scale[p] * scales[o] + bias[o]. Weights are i8 packed as
   * [o / 4][k / 4][o % 4][k % 4], sums i32 and scales and bias f32, all padded to whole blocks.
   */
  product(
    q: number,
    meta: number,
    weights: number,
    sums: number,
    scales: number,
    bias: number,
    out: number,
    rows: number,
    padded: number,
    outputs: number,
    relu: number,
  ): void;

  /**
   * Every head's softmax(Q K^T / sqrt(size)) V over all tokens; qkv is f32 [tokens, 3 * dim], queries first, heads side by side.
   * `scratch` holds (size + tokens) * (tokens rounded up to 4) values; a head's size is a multiple of 4.
   */
  attention(qkv: number, out: number, scratch: number, tokens: number, dim: number, heads: number): void;

  /** By rows; gamma and beta are f32 [size], the variance is biased. */
  layerNorm(x: number, out: number, rows: number, size: number, gamma: number, beta: number, epsilon: number): void;

  /** In place: 0.5 x (1 + erf(x / sqrt(2))). */
  gelu(x: number, count: number): void;

  /** x += y. */
  add(x: number, y: number, count: number): void;
};
