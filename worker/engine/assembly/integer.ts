// Owns the integer products: activations quantized row by row, times int8 weights packed in blocks of four outputs.
// Compiled twice by ../build.ts: with relaxed SIMD (one dot product of bytes for sixteen products) and without (two of
// 16-bit values). Both add the same integers, so both give the same sums.

/** Seven bits: the relaxed dot product takes no eighth, and must not depend on which file the runtime can load. */
const LEVELS: f32 = 127

/** Bytes of a quantized value: the baseline's dot product takes 16-bit values. */
// @ts-ignore: decorator
@inline
const WIDTH: i32 = ASC_FEATURE_RELAXED_SIMD ? 1 : 2

/** A row's scale and zero point go to meta as f32 and i32; the row is padded with zeros to `padded` values. */
export function quantize(x: i32, q: i32, meta: i32, rows: i32, depth: i32, padded: i32): void {
  const whole = depth & ~15
  for (let row = 0; row < rows; row++) {
    let low4 = f32x4.splat(0)
    let high4 = f32x4.splat(0)
    for (let k = 0; k < whole; k += 16) {
      const a = v128.load(x + (k << 2))
      const b = v128.load(x + (k << 2), 16)
      const c = v128.load(x + (k << 2), 32)
      const d = v128.load(x + (k << 2), 48)
      low4 = f32x4.min(low4, f32x4.min(f32x4.min(a, b), f32x4.min(c, d)))
      high4 = f32x4.max(high4, f32x4.max(f32x4.max(a, b), f32x4.max(c, d)))
    }
    let low = min(
      min(f32x4.extract_lane(low4, 0), f32x4.extract_lane(low4, 1)),
      min(f32x4.extract_lane(low4, 2), f32x4.extract_lane(low4, 3)),
    )
    let high = max(
      max(f32x4.extract_lane(high4, 0), f32x4.extract_lane(high4, 1)),
      max(f32x4.extract_lane(high4, 2), f32x4.extract_lane(high4, 3)),
    )
    for (let k = whole; k < depth; k++) {
      const value = load<f32>(x + (k << 2))
      low = min(low, value)
      high = max(high, value)
    }
    const range = high - low
    const scale: f32 = range == 0 ? 1 : range / LEVELS
    const inverse: f32 = 1 / scale
    const zero = clampLevel(nearest<f32>(-low * inverse))
    store<f32>(meta, scale)
    store<i32>(meta, zero, 4)
    const zero4 = i32x4.splat(zero)
    const inverse4 = f32x4.splat(inverse)
    let k = 0
    for (; k < whole; k += 16) {
      const a = level4(v128.load(x + (k << 2)), inverse4, zero4)
      const b = level4(v128.load(x + (k << 2), 16), inverse4, zero4)
      const c = level4(v128.load(x + (k << 2), 32), inverse4, zero4)
      const d = level4(v128.load(x + (k << 2), 48), inverse4, zero4)
      const first = i16x8.min_s(i16x8.narrow_i32x4_s(a, b), i16x8.splat(127))
      const second = i16x8.min_s(i16x8.narrow_i32x4_s(c, d), i16x8.splat(127))
      if (ASC_FEATURE_RELAXED_SIMD) {
        v128.store(q + k, i8x16.narrow_i16x8_u(first, second))
      } else {
        const nothing = i16x8.splat(0)
        v128.store(q + (k << 1), i16x8.max_s(first, nothing))
        v128.store(q + (k << 1), i16x8.max_s(second, nothing), 16)
      }
    }
    for (; k < padded; k++) {
      const level =
        k < depth ? clampLevel(nearest<f32>(load<f32>(x + (k << 2)) * inverse) + <f32>zero) : 0
      if (ASC_FEATURE_RELAXED_SIMD) store<u8>(q + k, level)
      else store<i16>(q + (k << 1), <i16>level)
    }
    x += depth << 2
    q += padded * WIDTH
    meta += 8
  }
}

// @ts-ignore: decorator
@inline
function level4(x: v128, inverse: v128, zero: v128): v128 {
  return i32x4.add(i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(x, inverse))), zero)
}

// @ts-ignore: decorator
@inline
function clampLevel(value: f32): i32 {
  return min(127, max(0, <i32>value))
}

/** Outer loop over outputs, so that each weight is read once; rows past the last repeat it and store the same again. */
export function product(
  q: i32,
  meta: i32,
  weights: i32,
  sums: i32,
  scales: i32,
  bias: i32,
  out: i32,
  rows: i32,
  padded: i32,
  outputs: i32,
  relu: i32,
): void {
  if (ASC_FEATURE_RELAXED_SIMD) {
    for (let o = 0; o < outputs; o += 8) {
      let p = 0
      for (; p + 1 < rows; p += 4) {
        fourRows8(q, meta, weights, sums, scales, bias, out, rows, padded, outputs, relu, o, p)
      }
      if (p < rows) oneRow8(q, meta, weights, sums, scales, bias, out, padded, outputs, relu, o, p)
    }
  } else {
    for (let o = 0; o < outputs; o += 4) {
      let p = 0
      for (; p + 1 < rows; p += 4) {
        fourRows4(q, meta, weights, sums, scales, bias, out, rows, padded, outputs, relu, o, p)
      }
      if (p < rows) oneRow4(q, meta, weights, sums, scales, bias, out, padded, outputs, relu, o, p)
    }
  }
}

// @ts-ignore: decorator
@inline
function dot(w: v128, x: v128, sum: v128): v128 {
  return i32x4.relaxed_dot_i8x16_i7x16_add_s(w, x, sum)
}

function fourRows8(
  q: i32,
  meta: i32,
  weights: i32,
  sums: i32,
  scales: i32,
  bias: i32,
  out: i32,
  rows: i32,
  padded: i32,
  outputs: i32,
  relu: i32,
  o: i32,
  p: i32,
): void {
  const p1 = min(p + 1, rows - 1)
  const p2 = min(p + 2, rows - 1)
  const p3 = min(p + 3, rows - 1)
  let x0 = q + p * padded
  let x1 = q + p1 * padded
  let x2 = q + p2 * padded
  let x3 = q + p3 * padded
  let w0 = weights + o * padded
  // With four outputs or fewer left the second block is the first again, and its sums are thrown away.
  const last = outputs - o
  let w1 = last > 4 ? w0 + 4 * padded : w0
  let a0 = i32x4.splat(0)
  let a1 = i32x4.splat(0)
  let b0 = i32x4.splat(0)
  let b1 = i32x4.splat(0)
  let c0 = i32x4.splat(0)
  let c1 = i32x4.splat(0)
  let d0 = i32x4.splat(0)
  let d1 = i32x4.splat(0)
  for (let end = x0 + padded; x0 < end; x0 += 4) {
    const v0 = v128.load(w0)
    const v1 = v128.load(w1)
    let x = v128.load32_splat(x0)
    a0 = dot(v0, x, a0)
    a1 = dot(v1, x, a1)
    x = v128.load32_splat(x1)
    b0 = dot(v0, x, b0)
    b1 = dot(v1, x, b1)
    x = v128.load32_splat(x2)
    c0 = dot(v0, x, c0)
    c1 = dot(v1, x, c1)
    x = v128.load32_splat(x3)
    d0 = dot(v0, x, d0)
    d1 = dot(v1, x, d1)
    w0 += 16
    w1 += 16
    x1 += 4
    x2 += 4
    x3 += 4
  }
  finish(a0, meta, sums, scales, bias, out, outputs, relu, o, p)
  finish(b0, meta, sums, scales, bias, out, outputs, relu, o, p1)
  finish(c0, meta, sums, scales, bias, out, outputs, relu, o, p2)
  finish(d0, meta, sums, scales, bias, out, outputs, relu, o, p3)
  if (last <= 4) return
  finish(a1, meta, sums, scales, bias, out, outputs, relu, o + 4, p)
  finish(b1, meta, sums, scales, bias, out, outputs, relu, o + 4, p1)
  finish(c1, meta, sums, scales, bias, out, outputs, relu, o + 4, p2)
  finish(d1, meta, sums, scales, bias, out, outputs, relu, o + 4, p3)
}

function oneRow8(
  q: i32,
  meta: i32,
  weights: i32,
  sums: i32,
  scales: i32,
  bias: i32,
  out: i32,
  padded: i32,
  outputs: i32,
  relu: i32,
  o: i32,
  p: i32,
): void {
  let x0 = q + p * padded
  let w0 = weights + o * padded
  const last = outputs - o
  let w1 = last > 4 ? w0 + 4 * padded : w0
  let a0 = i32x4.splat(0)
  let a1 = i32x4.splat(0)
  // Two steps a turn on sums of their own: one chain of additions would wait for itself.
  let b0 = i32x4.splat(0)
  let b1 = i32x4.splat(0)
  const end = x0 + padded
  for (; x0 + 8 <= end; x0 += 8) {
    let x = v128.load32_splat(x0)
    a0 = dot(v128.load(w0), x, a0)
    a1 = dot(v128.load(w1), x, a1)
    x = v128.load32_splat(x0, 4)
    b0 = dot(v128.load(w0, 16), x, b0)
    b1 = dot(v128.load(w1, 16), x, b1)
    w0 += 32
    w1 += 32
  }
  if (x0 < end) {
    const x = v128.load32_splat(x0)
    a0 = dot(v128.load(w0), x, a0)
    a1 = dot(v128.load(w1), x, a1)
  }
  finish(i32x4.add(a0, b0), meta, sums, scales, bias, out, outputs, relu, o, p)
  if (last > 4) finish(i32x4.add(a1, b1), meta, sums, scales, bias, out, outputs, relu, o + 4, p)
}

// A block's sixteen bytes are four outputs of four inputs: the dot products of 16-bit values leave two sums an output.

// @ts-ignore: decorator
@inline
function joined(low: v128, high: v128): v128 {
  return i32x4.add(
    v128.shuffle<i32>(low, high, 0, 2, 4, 6),
    v128.shuffle<i32>(low, high, 1, 3, 5, 7),
  )
}

function fourRows4(
  q: i32,
  meta: i32,
  weights: i32,
  sums: i32,
  scales: i32,
  bias: i32,
  out: i32,
  rows: i32,
  padded: i32,
  outputs: i32,
  relu: i32,
  o: i32,
  p: i32,
): void {
  const p1 = min(p + 1, rows - 1)
  const p2 = min(p + 2, rows - 1)
  const p3 = min(p + 3, rows - 1)
  const stride = padded << 1
  let x0 = q + p * stride
  let x1 = q + p1 * stride
  let x2 = q + p2 * stride
  let x3 = q + p3 * stride
  let w = weights + o * padded
  let a0 = i32x4.splat(0)
  let a1 = i32x4.splat(0)
  let b0 = i32x4.splat(0)
  let b1 = i32x4.splat(0)
  let c0 = i32x4.splat(0)
  let c1 = i32x4.splat(0)
  let d0 = i32x4.splat(0)
  let d1 = i32x4.splat(0)
  for (let end = x0 + stride; x0 < end; x0 += 8) {
    const low = v128.load8x8_s(w)
    const high = v128.load8x8_s(w, 8)
    let x = v128.load64_splat(x0)
    a0 = i32x4.add(a0, i32x4.dot_i16x8_s(low, x))
    a1 = i32x4.add(a1, i32x4.dot_i16x8_s(high, x))
    x = v128.load64_splat(x1)
    b0 = i32x4.add(b0, i32x4.dot_i16x8_s(low, x))
    b1 = i32x4.add(b1, i32x4.dot_i16x8_s(high, x))
    x = v128.load64_splat(x2)
    c0 = i32x4.add(c0, i32x4.dot_i16x8_s(low, x))
    c1 = i32x4.add(c1, i32x4.dot_i16x8_s(high, x))
    x = v128.load64_splat(x3)
    d0 = i32x4.add(d0, i32x4.dot_i16x8_s(low, x))
    d1 = i32x4.add(d1, i32x4.dot_i16x8_s(high, x))
    w += 16
    x1 += 8
    x2 += 8
    x3 += 8
  }
  finish(joined(a0, a1), meta, sums, scales, bias, out, outputs, relu, o, p)
  finish(joined(b0, b1), meta, sums, scales, bias, out, outputs, relu, o, p1)
  finish(joined(c0, c1), meta, sums, scales, bias, out, outputs, relu, o, p2)
  finish(joined(d0, d1), meta, sums, scales, bias, out, outputs, relu, o, p3)
}

function oneRow4(
  q: i32,
  meta: i32,
  weights: i32,
  sums: i32,
  scales: i32,
  bias: i32,
  out: i32,
  padded: i32,
  outputs: i32,
  relu: i32,
  o: i32,
  p: i32,
): void {
  let x = q + p * (padded << 1)
  let w = weights + o * padded
  let low = i32x4.splat(0)
  let high = i32x4.splat(0)
  for (let end = x + (padded << 1); x < end; x += 8) {
    const four = v128.load64_splat(x)
    low = i32x4.add(low, i32x4.dot_i16x8_s(v128.load8x8_s(w), four))
    high = i32x4.add(high, i32x4.dot_i16x8_s(v128.load8x8_s(w, 8), four))
    w += 16
  }
  finish(joined(low, high), meta, sums, scales, bias, out, outputs, relu, o, p)
}

// @ts-ignore: decorator
@inline
function finish(
  sum: v128,
  meta: i32,
  sums: i32,
  scales: i32,
  bias: i32,
  out: i32,
  outputs: i32,
  relu: i32,
  o: i32,
  p: i32,
): void {
  const rowScale = v128.load32_splat(meta + (p << 3))
  const rowZero = v128.load32_splat(meta + (p << 3), 4)
  const at = o << 2
  const whole = i32x4.sub(sum, i32x4.mul(rowZero, v128.load(sums + at)))
  const scale = f32x4.mul(rowScale, v128.load(scales + at))
  let value = f32x4.add(f32x4.mul(f32x4.convert_i32x4_s(whole), scale), v128.load(bias + at))
  if (relu != 0) value = f32x4.max(value, f32x4.splat(0))
  const to = out + ((p * outputs + o) << 2)
  const lanes = outputs - o
  if (lanes >= 4) {
    v128.store(to, value)
    return
  }
  store<f32>(to, f32x4.extract_lane(value, 0))
  if (lanes > 1) store<f32>(to, f32x4.extract_lane(value, 1), 4)
  if (lanes > 2) store<f32>(to, f32x4.extract_lane(value, 2), 8)
}
