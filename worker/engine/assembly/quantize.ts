// Owns quantizing activations to eight bits, in the form that the processor's dot products take.

const LEVELS: f32 = 255
/** Values this close together are taken for zeros: their scale would have no inverse. */
const SMALLEST_RANGE: f32 = 1e-30

/** Bytes of a quantized value: the baseline's dot product takes 16-bit values. */
// @ts-ignore: decorator
@inline
const WIDTH: i32 = ASC_FEATURE_RELAXED_SIMD ? 1 : 2

/** Adding it to a small number rounds that half to even, and leaves it in the sum's lowest bits. */
const ROUNDER: f32 = 12582912
const ROUNDER_BITS: i32 = 0x4b400000

/** Quantized values are kept less this: 128 where the relaxed dot product takes their bytes as signed ones. */
let offset: i32 = 0

/**
 * What a relaxed dot product makes of a second operand above 127 is the processor's choice, though always the same one: exact with
 * unsigned bytes, exact with signed ones, or neither. 1 where it is exact, and `offset` is set. Give -128 and 127: the compiler must not know.
 */
export function adapt(lowest: i32, highest: i32): i32 {
  if (!ASC_FEATURE_RELAXED_SIMD) return 1
  const least = i8x16.splat(<i8>lowest)
  const most = i8x16.splat(<i8>highest)
  const ones = i8x16.splat(<i8>(lowest | highest))
  const a = dotOf(least, ones)
  const b = dotOf(most, ones)
  const c = dotOf(least, least)
  const d = dotOf(most, least)
  if (a == 4 * -128 * 255 && b == 4 * 127 * 255 && c == 4 * -128 * 128 && d == 4 * 127 * 128) {
    offset = 0
    return 1
  }
  if (a == 4 * -128 * -1 && b == 4 * 127 * -1 && c == 4 * -128 * -128 && d == 4 * 127 * -128) {
    offset = 128
    return 1
  }
  return 0
}

// @ts-ignore: decorator
@inline
function dotOf(w: v128, x: v128): i32 {
  return i32x4.extract_lane(i32x4.relaxed_dot_i8x16_i7x16_add_s(w, x, i32x4.splat(0)), 0)
}

/**
 * Rows of depth f32 to rows of padded values, zeros at the end. Their scale goes to meta as f32 and their zero point, negated, as i32: each
 * row's own, or with `shared` one for all.
 */
export function quantize(x: i32, q: i32, meta: i32, rows: i32, depth: i32, padded: i32, shared: i32): void {
  if (shared != 0) measure(x, rows * depth, meta)
  const first = load<i64>(meta)
  for (let row = 0; row < rows; row++) {
    if (shared != 0) store<i64>(meta, first)
    else measure(x, depth, meta)
    convert(x, q, meta, depth, padded)
    x += depth << 2
    q += padded * WIDTH
    meta += 8
  }
}

function measure(x: i32, count: i32, meta: i32): void {
  const whole = x + ((count & ~7) << 2)
  const end = x + (count << 2)
  let low0 = f32x4.splat(0)
  let low1 = low0
  let high0 = low0
  let high1 = low0
  // Not a number where some value is none or infinite; pmin and pmax, one instruction each, would drop it.
  let sum0 = low0
  let sum1 = low0
  for (; x < whole; x += 32) {
    const a = v128.load(x)
    const b = v128.load(x, 16)
    low0 = f32x4.pmin(low0, a)
    low1 = f32x4.pmin(low1, b)
    high0 = f32x4.pmax(high0, a)
    high1 = f32x4.pmax(high1, b)
    sum0 = f32x4.add(sum0, a)
    sum1 = f32x4.add(sum1, b)
  }
  const low4 = f32x4.min(low0, low1)
  const high4 = f32x4.max(high0, high1)
  const sum4 = f32x4.add(sum0, sum1)
  let low = min(
    min(f32x4.extract_lane(low4, 0), f32x4.extract_lane(low4, 1)),
    min(f32x4.extract_lane(low4, 2), f32x4.extract_lane(low4, 3)),
  )
  let high = max(
    max(f32x4.extract_lane(high4, 0), f32x4.extract_lane(high4, 1)),
    max(f32x4.extract_lane(high4, 2), f32x4.extract_lane(high4, 3)),
  )
  let sum =
    f32x4.extract_lane(sum4, 0) + f32x4.extract_lane(sum4, 1) + f32x4.extract_lane(sum4, 2) + f32x4.extract_lane(sum4, 3)
  for (; x < end; x += 4) {
    const value = load<f32>(x)
    low = min(low, value)
    high = max(high, value)
    sum += value
  }
  const range = high - low
  const scale: f32 = range < SMALLEST_RANGE ? 1 : range / LEVELS
  store<f32>(meta, scale + (sum - sum))
  store<i32>(meta, offset - min(255, max(0, <i32>nearest<f32>(-low * (1 / scale)))), 4)
}

function convert(x: i32, q: i32, meta: i32, depth: i32, padded: i32): void {
  const inverse: f32 = 1 / load<f32>(meta)
  const zero = offset - load<i32>(meta, 4)
  const inverse4 = f32x4.splat(inverse)
  const zero4 = i32x4.splat(zero - ROUNDER_BITS)
  const flip = i8x16.splat(<i8>offset)
  const whole = depth & ~15
  let k = 0
  for (; k < whole; k += 16) {
    const from = x + (k << 2)
    const first = i16x8.narrow_i32x4_s(
      level4(v128.load(from), inverse4, zero4),
      level4(v128.load(from, 16), inverse4, zero4),
    )
    const second = i16x8.narrow_i32x4_s(
      level4(v128.load(from, 32), inverse4, zero4),
      level4(v128.load(from, 48), inverse4, zero4),
    )
    if (ASC_FEATURE_RELAXED_SIMD) {
      v128.store(q + k, v128.xor(i8x16.narrow_i16x8_u(first, second), flip))
    } else {
      const nothing = i16x8.splat(0)
      const most = i16x8.splat(255)
      v128.store(q + (k << 1), i16x8.max_s(i16x8.min_s(first, most), nothing))
      v128.store(q + (k << 1), i16x8.max_s(i16x8.min_s(second, most), nothing), 16)
    }
  }
  for (; k < depth; k++) {
    const rounded = reinterpret<i32>(load<f32>(x + (k << 2)) * inverse + ROUNDER) - ROUNDER_BITS
    const level = min(255, max(0, rounded + zero)) - offset
    if (ASC_FEATURE_RELAXED_SIMD) store<u8>(q + k, <u8>level)
    else store<i16>(q + (k << 1), <i16>level)
  }
  for (; k < padded; k++) {
    if (ASC_FEATURE_RELAXED_SIMD) store<u8>(q + k, 0)
    else store<i16>(q + (k << 1), 0)
  }
}

// @ts-ignore: decorator
@inline
function level4(x: v128, inverse: v128, zero: v128): v128 {
  return i32x4.add(f32x4.add(f32x4.mul(x, inverse), f32x4.splat(ROUNDER)), zero)
}
