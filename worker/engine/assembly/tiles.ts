// Owns the inner loops of integer products with relaxed SIMD: a tile of rows times eight outputs, all sums in registers.
// integer.ts says which tiles cover what. Unrolling further was slower: sixteen registers are all there are.

import { finish, floorOf } from './finish'

// @ts-ignore: decorator
@inline
function dot(w: v128, x: v128, sum: v128): v128 {
  return i32x4.relaxed_dot_i8x16_i7x16_add_s(w, x, sum)
}

export function sixRows(
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
  let x1 = x0 + padded
  let x2 = x1 + padded
  let x3 = x2 + padded
  let x4 = x3 + padded
  let x5 = x4 + padded
  let w0 = weights + o * padded
  let w1 = outputs - o > 4 ? w0 + 4 * padded : w0
  const rowMeta = meta + (p << 3)
  const column = o << 2
  const sum0 = v128.load(sums + column)
  const sum1 = v128.load(sums + column, 16)
  let zero = v128.load32_splat(rowMeta, 4)
  let a0 = i32x4.mul(zero, sum0)
  let a1 = i32x4.mul(zero, sum1)
  zero = v128.load32_splat(rowMeta, 12)
  let b0 = i32x4.mul(zero, sum0)
  let b1 = i32x4.mul(zero, sum1)
  zero = v128.load32_splat(rowMeta, 20)
  let c0 = i32x4.mul(zero, sum0)
  let c1 = i32x4.mul(zero, sum1)
  zero = v128.load32_splat(rowMeta, 28)
  let d0 = i32x4.mul(zero, sum0)
  let d1 = i32x4.mul(zero, sum1)
  zero = v128.load32_splat(rowMeta, 36)
  let e0 = i32x4.mul(zero, sum0)
  let e1 = i32x4.mul(zero, sum1)
  zero = v128.load32_splat(rowMeta, 44)
  let f0 = i32x4.mul(zero, sum0)
  let f1 = i32x4.mul(zero, sum1)
  for (const end = x0 + padded; x0 < end; x0 += 4) {
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
    x = v128.load32_splat(x4)
    e0 = dot(v0, x, e0)
    e1 = dot(v1, x, e1)
    x = v128.load32_splat(x5)
    f0 = dot(v0, x, f0)
    f1 = dot(v1, x, f1)
    w0 += 16
    w1 += 16
    x1 += 4
    x2 += 4
    x3 += 4
    x4 += 4
    x5 += 4
  }
  const line = outputs << 2
  const to = out + p * line + column
  let scale = v128.load(scales + column)
  let plus = v128.load(bias + column)
  const lanes = outputs - o
  const floor = floorOf(relu)
  finish(a0, rowMeta, scale, plus, floor, to, lanes)
  finish(b0, rowMeta + 8, scale, plus, floor, to + line, lanes)
  finish(c0, rowMeta + 16, scale, plus, floor, to + 2 * line, lanes)
  finish(d0, rowMeta + 24, scale, plus, floor, to + 3 * line, lanes)
  finish(e0, rowMeta + 32, scale, plus, floor, to + 4 * line, lanes)
  finish(f0, rowMeta + 40, scale, plus, floor, to + 5 * line, lanes)
  if (outputs - o <= 4) return
  scale = v128.load(scales + column, 16)
  plus = v128.load(bias + column, 16)
  finish(a1, rowMeta, scale, plus, floor, to + 16, lanes - 4)
  finish(b1, rowMeta + 8, scale, plus, floor, to + line + 16, lanes - 4)
  finish(c1, rowMeta + 16, scale, plus, floor, to + 2 * line + 16, lanes - 4)
  finish(d1, rowMeta + 24, scale, plus, floor, to + 3 * line + 16, lanes - 4)
  finish(e1, rowMeta + 32, scale, plus, floor, to + 4 * line + 16, lanes - 4)
  finish(f1, rowMeta + 40, scale, plus, floor, to + 5 * line + 16, lanes - 4)
}

export function fiveRows(
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
  let x1 = x0 + padded
  let x2 = x1 + padded
  let x3 = x2 + padded
  let x4 = x3 + padded
  let w0 = weights + o * padded
  let w1 = outputs - o > 4 ? w0 + 4 * padded : w0
  const rowMeta = meta + (p << 3)
  const column = o << 2
  const sum0 = v128.load(sums + column)
  const sum1 = v128.load(sums + column, 16)
  let zero = v128.load32_splat(rowMeta, 4)
  let a0 = i32x4.mul(zero, sum0)
  let a1 = i32x4.mul(zero, sum1)
  zero = v128.load32_splat(rowMeta, 12)
  let b0 = i32x4.mul(zero, sum0)
  let b1 = i32x4.mul(zero, sum1)
  zero = v128.load32_splat(rowMeta, 20)
  let c0 = i32x4.mul(zero, sum0)
  let c1 = i32x4.mul(zero, sum1)
  zero = v128.load32_splat(rowMeta, 28)
  let d0 = i32x4.mul(zero, sum0)
  let d1 = i32x4.mul(zero, sum1)
  zero = v128.load32_splat(rowMeta, 36)
  let e0 = i32x4.mul(zero, sum0)
  let e1 = i32x4.mul(zero, sum1)
  for (const end = x0 + padded; x0 < end; x0 += 4) {
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
    x = v128.load32_splat(x4)
    e0 = dot(v0, x, e0)
    e1 = dot(v1, x, e1)
    w0 += 16
    w1 += 16
    x1 += 4
    x2 += 4
    x3 += 4
    x4 += 4
  }
  const line = outputs << 2
  const to = out + p * line + column
  let scale = v128.load(scales + column)
  let plus = v128.load(bias + column)
  const lanes = outputs - o
  const floor = floorOf(relu)
  finish(a0, rowMeta, scale, plus, floor, to, lanes)
  finish(b0, rowMeta + 8, scale, plus, floor, to + line, lanes)
  finish(c0, rowMeta + 16, scale, plus, floor, to + 2 * line, lanes)
  finish(d0, rowMeta + 24, scale, plus, floor, to + 3 * line, lanes)
  finish(e0, rowMeta + 32, scale, plus, floor, to + 4 * line, lanes)
  if (outputs - o <= 4) return
  scale = v128.load(scales + column, 16)
  plus = v128.load(bias + column, 16)
  finish(a1, rowMeta, scale, plus, floor, to + 16, lanes - 4)
  finish(b1, rowMeta + 8, scale, plus, floor, to + line + 16, lanes - 4)
  finish(c1, rowMeta + 16, scale, plus, floor, to + 2 * line + 16, lanes - 4)
  finish(d1, rowMeta + 24, scale, plus, floor, to + 3 * line + 16, lanes - 4)
  finish(e1, rowMeta + 32, scale, plus, floor, to + 4 * line + 16, lanes - 4)
}

export function fourRows(
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
  let x1 = x0 + padded
  let x2 = x1 + padded
  let x3 = x2 + padded
  let w0 = weights + o * padded
  let w1 = outputs - o > 4 ? w0 + 4 * padded : w0
  const rowMeta = meta + (p << 3)
  const column = o << 2
  const sum0 = v128.load(sums + column)
  const sum1 = v128.load(sums + column, 16)
  let zero = v128.load32_splat(rowMeta, 4)
  let a0 = i32x4.mul(zero, sum0)
  let a1 = i32x4.mul(zero, sum1)
  zero = v128.load32_splat(rowMeta, 12)
  let b0 = i32x4.mul(zero, sum0)
  let b1 = i32x4.mul(zero, sum1)
  zero = v128.load32_splat(rowMeta, 20)
  let c0 = i32x4.mul(zero, sum0)
  let c1 = i32x4.mul(zero, sum1)
  zero = v128.load32_splat(rowMeta, 28)
  let d0 = i32x4.mul(zero, sum0)
  let d1 = i32x4.mul(zero, sum1)
  for (const end = x0 + padded; x0 < end; x0 += 4) {
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
  const line = outputs << 2
  const to = out + p * line + column
  let scale = v128.load(scales + column)
  let plus = v128.load(bias + column)
  const lanes = outputs - o
  const floor = floorOf(relu)
  finish(a0, rowMeta, scale, plus, floor, to, lanes)
  finish(b0, rowMeta + 8, scale, plus, floor, to + line, lanes)
  finish(c0, rowMeta + 16, scale, plus, floor, to + 2 * line, lanes)
  finish(d0, rowMeta + 24, scale, plus, floor, to + 3 * line, lanes)
  if (outputs - o <= 4) return
  scale = v128.load(scales + column, 16)
  plus = v128.load(bias + column, 16)
  finish(a1, rowMeta, scale, plus, floor, to + 16, lanes - 4)
  finish(b1, rowMeta + 8, scale, plus, floor, to + line + 16, lanes - 4)
  finish(c1, rowMeta + 16, scale, plus, floor, to + 2 * line + 16, lanes - 4)
  finish(d1, rowMeta + 24, scale, plus, floor, to + 3 * line + 16, lanes - 4)
}

export function threeRows(
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
  let x1 = x0 + padded
  let x2 = x1 + padded
  let w0 = weights + o * padded
  let w1 = outputs - o > 4 ? w0 + 4 * padded : w0
  const rowMeta = meta + (p << 3)
  const column = o << 2
  const sum0 = v128.load(sums + column)
  const sum1 = v128.load(sums + column, 16)
  let zero = v128.load32_splat(rowMeta, 4)
  let a0 = i32x4.mul(zero, sum0)
  let a1 = i32x4.mul(zero, sum1)
  zero = v128.load32_splat(rowMeta, 12)
  let b0 = i32x4.mul(zero, sum0)
  let b1 = i32x4.mul(zero, sum1)
  zero = v128.load32_splat(rowMeta, 20)
  let c0 = i32x4.mul(zero, sum0)
  let c1 = i32x4.mul(zero, sum1)
  for (const end = x0 + padded; x0 < end; x0 += 4) {
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
    w0 += 16
    w1 += 16
    x1 += 4
    x2 += 4
  }
  const line = outputs << 2
  const to = out + p * line + column
  let scale = v128.load(scales + column)
  let plus = v128.load(bias + column)
  const lanes = outputs - o
  const floor = floorOf(relu)
  finish(a0, rowMeta, scale, plus, floor, to, lanes)
  finish(b0, rowMeta + 8, scale, plus, floor, to + line, lanes)
  finish(c0, rowMeta + 16, scale, plus, floor, to + 2 * line, lanes)
  if (outputs - o <= 4) return
  scale = v128.load(scales + column, 16)
  plus = v128.load(bias + column, 16)
  finish(a1, rowMeta, scale, plus, floor, to + 16, lanes - 4)
  finish(b1, rowMeta + 8, scale, plus, floor, to + line + 16, lanes - 4)
  finish(c1, rowMeta + 16, scale, plus, floor, to + 2 * line + 16, lanes - 4)
}

export function oneRow(
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
  let x = q + p * padded
  let w0 = weights + o * padded
  let w1 = outputs - o > 4 ? w0 + 4 * padded : w0
  const rowMeta = meta + (p << 3)
  const column = o << 2
  const zero = v128.load32_splat(rowMeta, 4)
  let a0 = i32x4.mul(zero, v128.load(sums + column))
  let a1 = i32x4.mul(zero, v128.load(sums + column, 16))
  // Two steps a turn on sums of their own: one chain of additions would wait for itself.
  let b0 = i32x4.splat(0)
  let b1 = i32x4.splat(0)
  const end = x + padded
  for (; x + 8 <= end; x += 8) {
    let four = v128.load32_splat(x)
    a0 = dot(v128.load(w0), four, a0)
    a1 = dot(v128.load(w1), four, a1)
    four = v128.load32_splat(x, 4)
    b0 = dot(v128.load(w0, 16), four, b0)
    b1 = dot(v128.load(w1, 16), four, b1)
    w0 += 32
    w1 += 32
  }
  if (x < end) {
    const four = v128.load32_splat(x)
    a0 = dot(v128.load(w0), four, a0)
    a1 = dot(v128.load(w1), four, a1)
  }
  const lanes = outputs - o
  const floor = floorOf(relu)
  const to = out + ((p * outputs + o) << 2)
  const sum = i32x4.add(a0, b0)
  finish(sum, rowMeta, v128.load(scales + column), v128.load(bias + column), floor, to, lanes)
  if (lanes <= 4) return
  const next = i32x4.add(a1, b1)
  finish(next, rowMeta, v128.load(scales + column, 16), v128.load(bias + column, 16), floor, to + 16, lanes - 4)
}
