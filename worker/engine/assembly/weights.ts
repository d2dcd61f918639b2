// Owns laying out weights once, when a model is loaded. ../kernels.ts says how.

/** Sixteen bytes become thirty-two; where both lie in one place, what is written never overtakes what is yet to be read. */
export function unpack(from: i32, to: i32, count: i32): void {
  const end = to + count
  for (; to + 32 <= end; to += 32) {
    const pairs = v128.load(from)
    const low = i8x16.shr_s(i8x16.shl(pairs, 4), 4)
    const high = i8x16.shr_s(pairs, 4)
    v128.store(to, v128.shuffle<i8>(low, high, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23))
    v128.store(to, v128.shuffle<i8>(low, high, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31), 16)
    from += 16
  }
  for (; to < end; to += 2) {
    const pair = <i32>load<i8>(from++)
    store<i8>(to, <i8>((pair << 28) >> 28))
    store<i8>(to + 1, <i8>(pair >> 4))
  }
}

/** Four rows at a time, turned four by four: a quad of inputs is one lane. */
export function pack(weights: i32, to: i32, sums: i32, rows: i32, depth: i32, padded: i32): void {
  for (let row = 0; row < rows; row += 4) {
    const left = rows - row
    const none = i8x16.splat(0)
    let s0 = i32x4.splat(0)
    let s1 = s0
    let s2 = s0
    let s3 = s0
    for (let k = 0; k < padded; k += 16) {
      const from = weights + row * depth + k
      const kept = firstLanes(depth - k)
      const a = v128.and(v128.load(from), kept)
      const b = left > 1 ? v128.and(v128.load(from + depth), kept) : none
      const c = left > 2 ? v128.and(v128.load(from + 2 * depth), kept) : none
      const d = left > 3 ? v128.and(v128.load(from + 3 * depth), kept) : none
      s0 = i32x4.add(s0, sumsOf(a))
      s1 = i32x4.add(s1, sumsOf(b))
      s2 = i32x4.add(s2, sumsOf(c))
      s3 = i32x4.add(s3, sumsOf(d))
      const ab0 = v128.shuffle<i32>(a, b, 0, 4, 1, 5)
      const ab2 = v128.shuffle<i32>(a, b, 2, 6, 3, 7)
      const cd0 = v128.shuffle<i32>(c, d, 0, 4, 1, 5)
      const cd2 = v128.shuffle<i32>(c, d, 2, 6, 3, 7)
      const quads = padded - k
      v128.store(to, v128.shuffle<i64>(ab0, cd0, 0, 2))
      if (quads > 4) v128.store(to, v128.shuffle<i64>(ab0, cd0, 1, 3), 16)
      if (quads > 8) v128.store(to, v128.shuffle<i64>(ab2, cd2, 0, 2), 32)
      if (quads > 12) v128.store(to, v128.shuffle<i64>(ab2, cd2, 1, 3), 48)
      to += min(16, quads) << 2
    }
    store<i32>(sums, laneSum(s0))
    store<i32>(sums, laneSum(s1), 4)
    store<i32>(sums, laneSum(s2), 8)
    store<i32>(sums, laneSum(s3), 12)
    sums += 16
  }
}

/** All bits of the first `count` bytes. */
// @ts-ignore: decorator
@inline
function firstLanes(count: i32): v128 {
  if (count >= 16) return i8x16.splat(-1)
  const places = i8x16(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
  return i8x16.lt_s(places, i8x16.splat(<i8>count))
}

// @ts-ignore: decorator
@inline
function sumsOf(bytes: v128): v128 {
  return i32x4.extadd_pairwise_i16x8_s(i16x8.extadd_pairwise_i8x16_s(bytes))
}

// @ts-ignore: decorator
@inline
function laneSum(v: v128): i32 {
  return (
    i32x4.extract_lane(v, 0) + i32x4.extract_lane(v, 1) + i32x4.extract_lane(v, 2) + i32x4.extract_lane(v, 3)
  )
}
