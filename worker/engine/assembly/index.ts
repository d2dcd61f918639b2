// Owns the heavy operators in AssemblyScript with WebAssembly SIMD; ../kernels.ts says what each must do.
// Compiled by ../build.ts, with relaxed SIMD and without. It has no heap and no data: all it touches is the memory it is handed.

export { maxPool, windows } from './image'
export { product } from './integer'
export { adapt, quantize } from './quantize'
export { add, attention, gelu, layerNorm } from './sequence'
export { pack, unpack } from './weights'

/** acc[d] += factor * sum of (rowScales[id] or 1) * table[id][d], sixteen columns at a time. */
export function bag(acc: i32, table: i32, dim: i32, ids: i32, count: i32, rowScales: i32, factor: f32): void {
  const whole = dim & ~15
  for (let d = 0; d < whole; d += 16) {
    if (rowScales == 0) sumColumns(acc + (d << 2), table + d, dim, ids, count, factor)
    else sumScaledColumns(acc + (d << 2), table + d, dim, ids, count, rowScales, factor)
  }
  for (let d = whole; d < dim; d++) {
    let sum: f32 = 0
    for (let i = 0; i < count; i++) {
      const id = load<i32>(ids + (i << 2))
      const scale: f32 = rowScales == 0 ? 1 : load<f32>(rowScales + (id << 2))
      sum += scale * <f32>load<i8>(table + id * dim + d)
    }
    const to = acc + (d << 2)
    store<f32>(to, load<f32>(to) + factor * sum)
  }
}

/** Rows are summed as 16-bit integers: 256 of them cannot overflow, and no more are taken at once. */
function sumColumns(acc: i32, column: i32, dim: i32, ids: i32, count: i32, factor: f32): void {
  let start = 0
  while (start < count) {
    const end = min(count, start + 256)
    let low = i16x8.splat(0)
    let high = i16x8.splat(0)
    for (let i = start; i < end; i++) {
      const row = v128.load(column + load<i32>(ids + (i << 2)) * dim)
      low = i16x8.add(low, i16x8.extend_low_i8x16_s(row))
      high = i16x8.add(high, i16x8.extend_high_i8x16_s(row))
    }
    addScaled(acc, i32x4.extend_low_i16x8_s(low), factor)
    addScaled(acc + 16, i32x4.extend_high_i16x8_s(low), factor)
    addScaled(acc + 32, i32x4.extend_low_i16x8_s(high), factor)
    addScaled(acc + 48, i32x4.extend_high_i16x8_s(high), factor)
    start = end
  }
}

// @ts-ignore: decorator
@inline
function addScaled(to: i32, sums: v128, factor: f32): void {
  v128.store(to, f32x4.add(v128.load(to), f32x4.mul(f32x4.convert_i32x4_s(sums), f32x4.splat(factor))))
}

function sumScaledColumns(
  acc: i32,
  column: i32,
  dim: i32,
  ids: i32,
  count: i32,
  rowScales: i32,
  factor: f32,
): void {
  let a = f32x4.splat(0)
  let b = f32x4.splat(0)
  let c = f32x4.splat(0)
  let d = f32x4.splat(0)
  for (let i = 0; i < count; i++) {
    const id = load<i32>(ids + (i << 2))
    const scale = v128.load32_splat(rowScales + (id << 2))
    const row = v128.load(column + id * dim)
    const low = i16x8.extend_low_i8x16_s(row)
    const high = i16x8.extend_high_i8x16_s(row)
    a = f32x4.add(a, f32x4.mul(scale, f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(low))))
    b = f32x4.add(b, f32x4.mul(scale, f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(low))))
    c = f32x4.add(c, f32x4.mul(scale, f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(high))))
    d = f32x4.add(d, f32x4.mul(scale, f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(high))))
  }
  const by = f32x4.splat(factor)
  v128.store(acc, f32x4.add(v128.load(acc), f32x4.mul(by, a)))
  v128.store(acc + 16, f32x4.add(v128.load(acc + 16), f32x4.mul(by, b)))
  v128.store(acc + 32, f32x4.add(v128.load(acc + 32), f32x4.mul(by, c)))
  v128.store(acc + 48, f32x4.add(v128.load(acc + 48), f32x4.mul(by, d)))
}

/** Four outputs at a time share the loads of x; the last outputs are done one by one. */
export function dense(
  x: i32,
  weights: i32,
  scales: i32,
  bias: i32,
  out: i32,
  inputs: i32,
  outputs: i32,
  relu: i32,
): void {
  const whole = inputs & ~7
  let o = 0
  for (; o + 4 <= outputs; o += 4) {
    const w = weights + o * inputs
    let a = f32x4.splat(0)
    let b = f32x4.splat(0)
    let c = f32x4.splat(0)
    let d = f32x4.splat(0)
    for (let i = 0; i < whole; i += 8) {
      const x0 = v128.load(x + (i << 2))
      const x1 = v128.load(x + (i << 2), 16)
      a = addProducts(a, x0, x1, w + i)
      b = addProducts(b, x0, x1, w + inputs + i)
      c = addProducts(c, x0, x1, w + 2 * inputs + i)
      d = addProducts(d, x0, x1, w + 3 * inputs + i)
    }
    finishDense(sumLanes(a), x, w, scales, bias, out, inputs, whole, o, relu)
    finishDense(sumLanes(b), x, w + inputs, scales, bias, out, inputs, whole, o + 1, relu)
    finishDense(sumLanes(c), x, w + 2 * inputs, scales, bias, out, inputs, whole, o + 2, relu)
    finishDense(sumLanes(d), x, w + 3 * inputs, scales, bias, out, inputs, whole, o + 3, relu)
  }
  for (; o < outputs; o++) {
    const w = weights + o * inputs
    let a = f32x4.splat(0)
    for (let i = 0; i < whole; i += 8) {
      a = addProducts(a, v128.load(x + (i << 2)), v128.load(x + (i << 2), 16), w + i)
    }
    finishDense(sumLanes(a), x, w, scales, bias, out, inputs, whole, o, relu)
  }
}

// @ts-ignore: decorator
@inline
function addProducts(sum: v128, x0: v128, x1: v128, w: i32): v128 {
  const eight = v128.load8x8_s(w)
  const first = f32x4.mul(x0, f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(eight)))
  const second = f32x4.mul(x1, f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(eight)))
  return f32x4.add(sum, f32x4.add(first, second))
}

// @ts-ignore: decorator
@inline
function sumLanes(v: v128): f32 {
  return (
    f32x4.extract_lane(v, 0) + f32x4.extract_lane(v, 1) + (f32x4.extract_lane(v, 2) + f32x4.extract_lane(v, 3))
  )
}

function finishDense(
  sum: f32,
  x: i32,
  w: i32,
  scales: i32,
  bias: i32,
  out: i32,
  inputs: i32,
  whole: i32,
  o: i32,
  relu: i32,
): void {
  for (let i = whole; i < inputs; i++) sum += load<f32>(x + (i << 2)) * <f32>load<i8>(w + i)
  const value = sum * load<f32>(scales + (o << 2)) + load<f32>(bias + (o << 2))
  store<f32>(out + (o << 2), relu != 0 && value < 0 ? 0 : value)
}

/** Zeros everywhere, then the part of each window that lies inside the image. */
export function patches(
  x: i32,
  rows: i32,
  first: i32,
  count: i32,
  height: i32,
  width: i32,
  channels: i32,
  outWidth: i32,
  kernelHeight: i32,
  kernelWidth: i32,
  strideY: i32,
  strideX: i32,
  padTop: i32,
  padLeft: i32,
): void {
  const line = kernelWidth * channels * 4
  let to = rows
  for (let p = first; p < first + count; p++) {
    const top = (p / outWidth) * strideY - padTop
    const left = (p % outWidth) * strideX - padLeft
    const before = max(0, -left) * channels * 4
    const inside = min(width, left + kernelWidth) * channels * 4 - max(0, left) * channels * 4
    for (let y = top; y < top + kernelHeight; y++) {
      if (y < 0 || y >= height || inside <= 0) {
        clear(to, line)
      } else {
        clear(to, before)
        copy(to + before, x + (y * width + max(0, left)) * channels * 4, inside)
        clear(to + before + inside, line - before - inside)
      }
      to += line
    }
  }
}

// Bulk memory operations cost more than they save on runs this short.

// @ts-ignore: decorator
@inline
function clear(to: i32, bytes: i32): void {
  for (let end = to + bytes; to < end; to += 4) store<f32>(to, 0)
}

// @ts-ignore: decorator
@inline
function copy(to: i32, from: i32, bytes: i32): void {
  const end = to + bytes
  for (; to + 16 <= end; to += 16) {
    v128.store(to, v128.load(from))
    from += 16
  }
  for (; to < end; to += 4) {
    store<f32>(to, load<f32>(from))
    from += 4
  }
}

/** Four rows by two blocks of four outputs at a time: eight sums for six loads. */
export function multiply(
  rows: i32,
  weights: i32,
  bias: i32,
  out: i32,
  count: i32,
  depth: i32,
  outputs: i32,
  relu: i32,
): void {
  const blockBytes = depth * 16
  for (let o = 0; o < outputs; o += 8) {
    const w = weights + (o >> 2) * blockBytes
    const last = min(8, outputs - o)
    // With four outputs or fewer left the second block is the first again, and its sums are thrown away.
    const second = last > 4 ? blockBytes : 0
    const bias0 = v128.load(bias + (o << 2))
    const bias1 = last > 4 ? v128.load(bias + (o << 2), 16) : bias0
    let p = 0
    for (; p + 4 <= count; p += 4) {
      const x = rows + p * depth * 4
      const x1 = x + depth * 4
      const x2 = x1 + depth * 4
      const x3 = x2 + depth * 4
      let a0 = bias0
      let a1 = bias1
      let b0 = bias0
      let b1 = bias1
      let c0 = bias0
      let c1 = bias1
      let d0 = bias0
      let d1 = bias1
      let wk = w
      for (let k = 0; k < depth * 4; k += 4) {
        const w0 = v128.load(wk)
        const w1 = v128.load(wk + second)
        wk += 16
        let v = v128.load32_splat(x + k)
        a0 = f32x4.add(a0, f32x4.mul(v, w0))
        a1 = f32x4.add(a1, f32x4.mul(v, w1))
        v = v128.load32_splat(x1 + k)
        b0 = f32x4.add(b0, f32x4.mul(v, w0))
        b1 = f32x4.add(b1, f32x4.mul(v, w1))
        v = v128.load32_splat(x2 + k)
        c0 = f32x4.add(c0, f32x4.mul(v, w0))
        c1 = f32x4.add(c1, f32x4.mul(v, w1))
        v = v128.load32_splat(x3 + k)
        d0 = f32x4.add(d0, f32x4.mul(v, w0))
        d1 = f32x4.add(d1, f32x4.mul(v, w1))
      }
      const to = out + (p * outputs + o) * 4
      storePair(to, a0, a1, last, relu)
      storePair(to + outputs * 4, b0, b1, last, relu)
      storePair(to + outputs * 8, c0, c1, last, relu)
      storePair(to + outputs * 12, d0, d1, last, relu)
    }
    for (; p < count; p++) {
      const x = rows + p * depth * 4
      let a0 = bias0
      let a1 = bias1
      let wk = w
      for (let k = 0; k < depth * 4; k += 4) {
        const v = v128.load32_splat(x + k)
        a0 = f32x4.add(a0, f32x4.mul(v, v128.load(wk)))
        a1 = f32x4.add(a1, f32x4.mul(v, v128.load(wk + second)))
        wk += 16
      }
      storePair(out + (p * outputs + o) * 4, a0, a1, last, relu)
    }
  }
}

function storePair(to: i32, first: v128, second: v128, last: i32, relu: i32): void {
  if (relu != 0) {
    first = f32x4.max(first, f32x4.splat(0))
    second = f32x4.max(second, f32x4.splat(0))
  }
  storeLanes(to, first, min(4, last))
  if (last > 4) storeLanes(to + 16, second, last - 4)
}

function storeLanes(to: i32, v: v128, lanes: i32): void {
  if (lanes == 4) {
    v128.store(to, v)
    return
  }
  store<f32>(to, f32x4.extract_lane(v, 0))
  if (lanes > 1) store<f32>(to, f32x4.extract_lane(v, 1), 4)
  if (lanes > 2) store<f32>(to, f32x4.extract_lane(v, 2), 8)
}

/** Four channels at a time; the last channels one by one. */
export function depthwise(
  x: i32,
  weights: i32,
  bias: i32,
  out: i32,
  height: i32,
  width: i32,
  channels: i32,
  outHeight: i32,
  outWidth: i32,
  kernelHeight: i32,
  kernelWidth: i32,
  strideY: i32,
  strideX: i32,
  padTop: i32,
  padLeft: i32,
  relu: i32,
): void {
  const whole = channels & ~3
  const pixelBytes = channels * 4
  let to = out
  for (let oy = 0; oy < outHeight; oy++) {
    const top = oy * strideY - padTop
    const firstY = max(0, -top)
    const endY = min(kernelHeight, height - top)
    for (let ox = 0; ox < outWidth; ox++) {
      const left = ox * strideX - padLeft
      const firstX = max(0, -left)
      const endX = min(kernelWidth, width - left)
      for (let c = 0; c < whole; c += 4) {
        let sum = v128.load(bias + (c << 2))
        for (let ky = firstY; ky < endY; ky++) {
          for (let kx = firstX; kx < endX; kx++) {
            const value = v128.load(x + ((top + ky) * width + left + kx) * pixelBytes + (c << 2))
            const tap = v128.load(weights + (ky * kernelWidth + kx) * pixelBytes + (c << 2))
            sum = f32x4.add(sum, f32x4.mul(value, tap))
          }
        }
        if (relu != 0) sum = f32x4.max(sum, f32x4.splat(0))
        v128.store(to + (c << 2), sum)
      }
      for (let c = whole; c < channels; c++) {
        let sum = load<f32>(bias + (c << 2))
        for (let ky = firstY; ky < endY; ky++) {
          for (let kx = firstX; kx < endX; kx++) {
            const value = load<f32>(x + ((top + ky) * width + left + kx) * pixelBytes + (c << 2))
            sum += value * load<f32>(weights + (ky * kernelWidth + kx) * pixelBytes + (c << 2))
          }
        }
        store<f32>(to + (c << 2), relu != 0 && sum < 0 ? 0 : sum)
      }
      to += pixelBytes
    }
  }
}
