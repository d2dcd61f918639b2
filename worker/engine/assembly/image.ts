// Owns what images need around integer products: gathering windows of quantized values, and max pooling.
// ../kernels.ts says what each must do.

/** Bytes of a quantized value, as in integer.ts. */
// @ts-ignore: decorator
@inline
const WIDTH: i32 = ASC_FEATURE_RELAXED_SIMD ? 1 : 2

/** Copies and fills run over their end by up to fifteen bytes, which what is written next overwrites. */
export function windows(
  q: i32,
  meta: i32,
  rows: i32,
  rowMeta: i32,
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
  padded: i32,
): void {
  const zero = -load<i32>(meta, 4)
  const nothing = ASC_FEATURE_RELAXED_SIMD ? i8x16.splat(<i8>zero) : i16x8.splat(<i16>zero)
  const scale = load<i64>(meta)
  const pixelBytes = channels * WIDTH
  const line = kernelWidth * pixelBytes
  const imageLine = width * pixelBytes
  let oy = first / outWidth
  let ox = first - oy * outWidth
  for (let p = 0; p < count; p++) {
    store<i64>(rowMeta + (p << 3), scale)
    const top = oy * strideY - padTop
    const left = ox * strideX - padLeft
    const before = max(0, -left) * pixelBytes
    const inside = min(width, left + kernelWidth) * pixelBytes - max(0, left) * pixelBytes
    let to = rows + p * padded * WIDTH
    let from = q + top * imageLine + max(0, left) * pixelBytes
    for (let y = top; y < top + kernelHeight; y++) {
      if (y < 0 || y >= height || inside <= 0) {
        fill(to, nothing, line)
      } else {
        if (before > 0) fill(to, nothing, before)
        copy(to + before, from, inside)
        if (before + inside < line) fill(to + before + inside, nothing, line - before - inside)
      }
      to += line
      from += imageLine
    }
    ox++
    if (ox == outWidth) {
      ox = 0
      oy++
    }
  }
}

// @ts-ignore: decorator
@inline
function copy(to: i32, from: i32, bytes: i32): void {
  for (const end = to + bytes; to < end; to += 16) {
    v128.store(to, v128.load(from))
    from += 16
  }
}

// @ts-ignore: decorator
@inline
function fill(to: i32, value: v128, bytes: i32): void {
  for (const end = to + bytes; to < end; to += 16) v128.store(to, value)
}

/** Four channels at a time; the last channels one by one. */
export function maxPool(
  x: i32,
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
): void {
  const whole = channels & ~3
  const pixelBytes = channels << 2
  const lineBytes = width * pixelBytes
  for (let oy = 0; oy < outHeight; oy++) {
    const top = max(0, oy * strideY - padTop)
    const bottom = min(height, oy * strideY - padTop + kernelHeight)
    for (let ox = 0; ox < outWidth; ox++) {
      const left = max(0, ox * strideX - padLeft)
      const right = min(width, ox * strideX - padLeft + kernelWidth)
      const corner = x + top * lineBytes + left * pixelBytes
      for (let c = 0; c < whole; c += 4) {
        let largest = v128.load(corner + (c << 2))
        for (let y = 0; y < bottom - top; y++) {
          const from = corner + y * lineBytes + (c << 2)
          for (let i = 0; i < right - left; i++) largest = f32x4.max(largest, v128.load(from + i * pixelBytes))
        }
        v128.store(out + (c << 2), largest)
      }
      for (let c = whole; c < channels; c++) {
        let largest = load<f32>(corner + (c << 2))
        for (let y = 0; y < bottom - top; y++) {
          const from = corner + y * lineBytes + (c << 2)
          for (let i = 0; i < right - left; i++) largest = max(largest, load<f32>(from + i * pixelBytes))
        }
        store<f32>(out + (c << 2), largest)
      }
      out += pixelBytes
    }
  }
}
