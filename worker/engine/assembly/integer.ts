// Owns the integer products: activations quantized to eight bits, times int8 weights packed in blocks of four outputs.
// Compiled twice by ../build.ts: with relaxed SIMD (one dot product of bytes for sixteen products, tiles.ts) and without (two
// of 16-bit values). Both add the same integers, so both give the same sums.

import { finish, floorOf } from './finish'
import { fiveRows, fourRows, oneRow, sixRows, threeRows } from './tiles'

/**
 * Outer loop over outputs, so that each weight is read once. Rows go by six, or five: ten sums or more at a time are what a
 * multiplier has under way that takes five cycles and starts two in each.
 */
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
      while (p < rows) {
        const left = rows - p
        if (left == 6 || left > 10) {
          sixRows(q, meta, weights, sums, scales, bias, out, padded, outputs, relu, o, p)
          p += 6
        } else if (left == 5 || left > 8) {
          fiveRows(q, meta, weights, sums, scales, bias, out, padded, outputs, relu, o, p)
          p += 5
        } else if (left > 3) {
          fourRows(q, meta, weights, sums, scales, bias, out, padded, outputs, relu, o, p)
          p += 4
        } else if (left == 3) {
          threeRows(q, meta, weights, sums, scales, bias, out, padded, outputs, relu, o, p)
          p += 3
        } else {
          oneRow(q, meta, weights, sums, scales, bias, out, padded, outputs, relu, o, p)
          p += 1
        }
      }
    }
  } else {
    for (let o = 0; o < outputs; o += 4) {
      let p = 0
      for (; p + 1 < rows; p += 4) {
        fourWideRows(q, meta, weights, sums, scales, bias, out, rows, padded, outputs, relu, o, p)
      }
      if (p < rows) oneWideRow(q, meta, weights, sums, scales, bias, out, padded, outputs, relu, o, p)
    }
  }
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

function fourWideRows(
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
  widened(joined(a0, a1), meta, sums, scales, bias, out, outputs, relu, o, p)
  widened(joined(b0, b1), meta, sums, scales, bias, out, outputs, relu, o, p1)
  widened(joined(c0, c1), meta, sums, scales, bias, out, outputs, relu, o, p2)
  widened(joined(d0, d1), meta, sums, scales, bias, out, outputs, relu, o, p3)
}

function oneWideRow(
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
  widened(joined(low, high), meta, sums, scales, bias, out, outputs, relu, o, p)
}

// @ts-ignore: decorator
@inline
function widened(
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
  const rowMeta = meta + (p << 3)
  const column = o << 2
  const whole = i32x4.add(sum, i32x4.mul(v128.load32_splat(rowMeta, 4), v128.load(sums + column)))
  const to = out + ((p * outputs + o) << 2)
  finish(whole, rowMeta, v128.load(scales + column), v128.load(bias + column), floorOf(relu), to, outputs - o)
}
