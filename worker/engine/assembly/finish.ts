// Owns what becomes of a sum of integer products: scaled, shifted, clamped, stored.

/** Taken from the sums after the inner loop: before, it would cost a register there. */
// @ts-ignore: decorator
@inline
export function floorOf(relu: i32): v128 {
  return f32x4.splat(relu != 0 ? 0 : -Infinity)
}

/** Not a number stays one: pmax gives its first operand where neither is larger. */
// @ts-ignore: decorator
@inline
export function finish(sum: v128, rowMeta: i32, scale: v128, plus: v128, floor: v128, to: i32, lanes: i32): void {
  const both = f32x4.mul(v128.load32_splat(rowMeta), scale)
  const value = f32x4.pmax(f32x4.add(f32x4.mul(f32x4.convert_i32x4_s(sum), both), plus), floor)
  if (lanes >= 4) v128.store(to, value)
  else storeLanes(to, value, lanes)
}

function storeLanes(to: i32, value: v128, lanes: i32): void {
  store<f32>(to, f32x4.extract_lane(value, 0))
  if (lanes > 1) store<f32>(to, f32x4.extract_lane(value, 1), 4)
  if (lanes > 2) store<f32>(to, f32x4.extract_lane(value, 2), 8)
}
