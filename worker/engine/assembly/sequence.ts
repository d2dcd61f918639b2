// Owns what transformer layers need besides products with weights: attention, layer norm, GELU, adding.
// ../kernels.ts says what each must do.

/** c = a (rows x depth) times b (depth x columns), all f32 with strides in bytes; columns is a multiple of four. */
function multiplyFloats(
  a: i32,
  aStride: i32,
  b: i32,
  bStride: i32,
  c: i32,
  cStride: i32,
  rows: i32,
  depth: i32,
  columns: i32,
): void {
  for (let p = 0; p < rows; p += 4) {
    // Rows past the last repeat it and store the same again.
    const r1 = min(p + 1, rows - 1)
    const r2 = min(p + 2, rows - 1)
    const r3 = min(p + 3, rows - 1)
    for (let n = 0; n < columns; n += 8) {
      let a0 = a + p * aStride
      let a1 = a + r1 * aStride
      let a2 = a + r2 * aStride
      let a3 = a + r3 * aStride
      let bk = b + (n << 2)
      // A last half tile is computed twice over.
      const second = n + 4 < columns ? 16 : 0
      let s00 = f32x4.splat(0)
      let s01 = f32x4.splat(0)
      let s10 = f32x4.splat(0)
      let s11 = f32x4.splat(0)
      let s20 = f32x4.splat(0)
      let s21 = f32x4.splat(0)
      let s30 = f32x4.splat(0)
      let s31 = f32x4.splat(0)
      for (let end = a0 + (depth << 2); a0 < end; a0 += 4) {
        const b0 = v128.load(bk)
        const b1 = v128.load(bk + second)
        let x = v128.load32_splat(a0)
        s00 = addProduct(x, b0, s00)
        s01 = addProduct(x, b1, s01)
        x = v128.load32_splat(a1)
        s10 = addProduct(x, b0, s10)
        s11 = addProduct(x, b1, s11)
        x = v128.load32_splat(a2)
        s20 = addProduct(x, b0, s20)
        s21 = addProduct(x, b1, s21)
        x = v128.load32_splat(a3)
        s30 = addProduct(x, b0, s30)
        s31 = addProduct(x, b1, s31)
        a1 += 4
        a2 += 4
        a3 += 4
        bk += bStride
      }
      const to = c + (n << 2)
      v128.store(to + p * cStride, s00)
      v128.store(to + p * cStride + second, s01)
      v128.store(to + r1 * cStride, s10)
      v128.store(to + r1 * cStride + second, s11)
      v128.store(to + r2 * cStride, s20)
      v128.store(to + r2 * cStride + second, s21)
      v128.store(to + r3 * cStride, s30)
      v128.store(to + r3 * cStride + second, s31)
    }
  }
}

/** Never fused, though relaxed SIMD could: rounding once or twice would be the processor's choice, and the answer with it. */
// @ts-ignore: decorator
@inline
function addProduct(x: v128, y: v128, sum: v128): v128 {
  return f32x4.add(f32x4.mul(x, y), sum)
}

/** Adding it to a small number rounds that, and leaves it in the sum's lowest bits. */
const ROUNDER: f32 = 12582912

/** Head by head: keys are turned so that four scores come out at once, then softmax by rows, then the mix of values. */
export function attention(qkv: i32, out: i32, scratch: i32, tokens: i32, dim: i32, heads: i32): void {
  const size = dim / heads
  const stride = dim * 12
  const wide = (tokens + 3) & ~3
  const scores = scratch + size * wide * 4
  const factor: f32 = 1 / sqrt<f32>(<f32>size)
  for (let head = 0; head < heads; head++) {
    const queries = qkv + head * size * 4
    const keys = queries + dim * 4
    turn(keys, stride, scratch, wide * 4, tokens, size)
    multiplyFloats(queries, stride, scratch, wide * 4, scores, wide * 4, tokens, size, wide)
    for (let t = 0; t < tokens; t++) softmax(scores + t * wide * 4, tokens, wide, factor)
    multiplyFloats(scores, wide * 4, keys + dim * 4, stride, out + head * size * 4, dim * 4, tokens, tokens, size)
  }
}

/** Rows of `size` values to columns, four by four; columns past the last are zeros. */
function turn(from: i32, stride: i32, to: i32, line: i32, rows: i32, size: i32): void {
  for (let row = 0; row < rows; row += 4) {
    const x = from + row * stride
    const y = to + (row << 2)
    const left = rows - row
    for (let i = 0; i < size; i += 4) {
      const at = x + (i << 2)
      const none = f32x4.splat(0)
      const a = v128.load(at)
      const b = left > 1 ? v128.load(at + stride) : none
      const c = left > 2 ? v128.load(at + 2 * stride) : none
      const d = left > 3 ? v128.load(at + 3 * stride) : none
      const ab0 = v128.shuffle<i32>(a, b, 0, 4, 1, 5)
      const ab2 = v128.shuffle<i32>(a, b, 2, 6, 3, 7)
      const cd0 = v128.shuffle<i32>(c, d, 0, 4, 1, 5)
      const cd2 = v128.shuffle<i32>(c, d, 2, 6, 3, 7)
      const put = y + i * line
      v128.store(put, v128.shuffle<i64>(ab0, cd0, 0, 2))
      v128.store(put + line, v128.shuffle<i64>(ab0, cd0, 1, 3))
      v128.store(put + 2 * line, v128.shuffle<i64>(ab2, cd2, 0, 2))
      v128.store(put + 3 * line, v128.shuffle<i64>(ab2, cd2, 1, 3))
    }
  }
}

/** exp is a power of two of what was scaled by log2(e); not a number makes the whole row one. */
function softmax(row: i32, count: i32, wide: i32, factor: f32): void {
  for (let t = count; t < wide; t++) store<f32>(row + (t << 2), -f32.MAX_VALUE)
  let largest = v128.load(row)
  for (let t = 4; t < wide; t += 4) largest = f32x4.pmax(largest, v128.load(row + (t << 2)))
  const top = f32x4.splat(
    max(
      max(f32x4.extract_lane(largest, 0), f32x4.extract_lane(largest, 1)),
      max(f32x4.extract_lane(largest, 2), f32x4.extract_lane(largest, 3)),
    ),
  )
  const by = f32x4.splat(factor * <f32>1.44269504088896341)
  // As in gelu: always 1.
  const unit: f32 = count < 0 ? 2 : 1
  const rounder = f32x4.splat(ROUNDER * unit)
  const one = f32x4.splat(unit)
  const c1 = f32x4.splat(6.931472028550421e-1 * unit)
  const c2 = f32x4.splat(2.402264791363012e-1 * unit)
  const c3 = f32x4.splat(5.550332471162809e-2 * unit)
  const c4 = f32x4.splat(9.618437357674640e-3 * unit)
  const c5 = f32x4.splat(1.339887440266574e-3 * unit)
  const c6 = f32x4.splat(1.535336188319500e-4 * unit)
  const least = f32x4.splat(-126 * unit)
  let sum = f32x4.splat(0)
  // 2^x for x <= 0, Cephes' exp2f: within 2e-7 of the true value where that is a normal float; below -126 it stays there.
  for (let t = 0; t < wide; t += 4) {
    const x = f32x4.pmax(f32x4.mul(f32x4.sub(v128.load(row + (t << 2)), top), by), least)
    const rounded = f32x4.add(x, rounder)
    const r = f32x4.sub(x, f32x4.sub(rounded, rounder))
    let value = addProduct(c6, r, c5)
    value = addProduct(value, r, c4)
    value = addProduct(value, r, c3)
    value = addProduct(value, r, c2)
    value = addProduct(value, r, c1)
    value = addProduct(value, r, one)
    // The bits of 1 are those of a power's exponent 0.
    value = f32x4.mul(value, i32x4.add(i32x4.shl(rounded, 23), one))
    v128.store(row + (t << 2), value)
    sum = f32x4.add(sum, value)
  }
  const inverse = f32x4.splat(1 / sumLanes4(sum))
  for (let t = 0; t < wide; t += 4) v128.store(row + (t << 2), f32x4.mul(v128.load(row + (t << 2)), inverse))
}

// @ts-ignore: decorator
@inline
function sumLanes4(v: v128): f32 {
  return (
    f32x4.extract_lane(v, 0) + f32x4.extract_lane(v, 1) + (f32x4.extract_lane(v, 2) + f32x4.extract_lane(v, 3))
  )
}

export function layerNorm(x: i32, out: i32, rows: i32, size: i32, gamma: i32, beta: i32, epsilon: f32): void {
  const whole = size & ~3
  const bytes = size << 2
  for (let row = 0; row < rows; row++) {
    let sums = f32x4.splat(0)
    for (let i = 0; i < whole; i += 4) sums = f32x4.add(sums, v128.load(x + (i << 2)))
    let sum = sumLanes4(sums)
    for (let i = whole; i < size; i++) sum += load<f32>(x + (i << 2))
    const mean: f32 = sum / <f32>size
    const mean4 = f32x4.splat(mean)
    let squares4 = f32x4.splat(0)
    for (let i = 0; i < whole; i += 4) {
      const off = f32x4.sub(v128.load(x + (i << 2)), mean4)
      squares4 = f32x4.add(squares4, f32x4.mul(off, off))
    }
    let squares = sumLanes4(squares4)
    for (let i = whole; i < size; i++) {
      const off = load<f32>(x + (i << 2)) - mean
      squares += off * off
    }
    const inverse: f32 = 1 / sqrt<f32>(squares / <f32>size + epsilon)
    const inverse4 = f32x4.splat(inverse)
    for (let i = 0; i < whole; i += 4) {
      const at = i << 2
      const normal = f32x4.mul(f32x4.sub(v128.load(x + at), mean4), inverse4)
      v128.store(out + at, f32x4.add(f32x4.mul(normal, v128.load(gamma + at)), v128.load(beta + at)))
    }
    for (let i = whole; i < size; i++) {
      const at = i << 2
      const normal = (load<f32>(x + at) - mean) * inverse
      store<f32>(out + at, normal * load<f32>(gamma + at) + load<f32>(beta + at))
    }
    x += bytes
    out += bytes
  }
}

const GELU_1: f32 = 4.986734696679e-02
const GELU_2: f32 = 2.114100615000e-02
const GELU_3: f32 = 3.277626324147e-03
const GELU_4: f32 = 3.800357500000e-05
const GELU_5: f32 = 4.889063564344e-05
const GELU_6: f32 = 5.382975000000e-06

/**
 * In place. 0.5 x (1 + erf(x / sqrt(2))) is the positive part of x less |x| / 2 times the tail of erf, for which Abramowitz and Stegun 7.1.28
 * has 1 / (1 + a1 z + ... + a6 z^6)^16, wrong by at most 3e-7; the coefficients here take |x| for z. Far out the power is infinite.
 */
export function gelu(x: i32, count: i32): void {
  // Always 1, which the compiler does not know: constants it would make anew in every turn, these it keeps.
  const unit: f32 = count < 0 ? 2 : 1
  const half = f32x4.splat(0.5 * unit)
  const one = f32x4.splat(unit)
  const c1 = f32x4.splat(GELU_1 * unit)
  const c2 = f32x4.splat(GELU_2 * unit)
  const c3 = f32x4.splat(GELU_3 * unit)
  const c4 = f32x4.splat(GELU_4 * unit)
  const c5 = f32x4.splat(GELU_5 * unit)
  const c6 = f32x4.splat(GELU_6 * unit)
  const end = x + (count << 2)
  for (; x + 16 <= end; x += 16) v128.store(x, gelu4(v128.load(x), half, one, c1, c2, c3, c4, c5, c6))
  for (; x < end; x += 4) {
    store<f32>(x, f32x4.extract_lane(gelu4(v128.load32_splat(x), half, one, c1, c2, c3, c4, c5, c6), 0))
  }
}

// @ts-ignore: decorator
@inline
function gelu4(
  x: v128,
  half: v128,
  one: v128,
  c1: v128,
  c2: v128,
  c3: v128,
  c4: v128,
  c5: v128,
  c6: v128,
): v128 {
  const size = f32x4.abs(x)
  let sum = addProduct(c6, size, c5)
  sum = addProduct(sum, size, c4)
  sum = addProduct(sum, size, c3)
  sum = addProduct(sum, size, c2)
  sum = addProduct(sum, size, c1)
  sum = addProduct(sum, size, one)
  sum = f32x4.mul(sum, sum)
  sum = f32x4.mul(sum, sum)
  sum = f32x4.mul(sum, sum)
  sum = f32x4.mul(sum, sum)
  return f32x4.sub(f32x4.mul(f32x4.add(x, size), half), f32x4.div(f32x4.mul(size, half), sum))
}

/** x += y */
export function add(x: i32, y: i32, count: i32): void {
  const whole = count & ~3
  for (let i = 0; i < whole; i += 4) {
    const at = i << 2
    v128.store(x + at, f32x4.add(v128.load(x + at), v128.load(y + at)))
  }
  for (let i = whole; i < count; i++) {
    const at = i << 2
    store<f32>(x + at, load<f32>(x + at) + load<f32>(y + at))
  }
}
