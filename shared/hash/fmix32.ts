/**
 * The finaliser of MurmurHash3 for 32 bits (A. Appleby, public domain): every bit of the input moves every bit of the result.
 */

/** @returns 0 to 2^32 - 1 */
export function fmix32(hash: number): number {
  let mixed = hash ^ (hash >>> 16);
  mixed = Math.imul(mixed, 0x85eb_ca6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2b2_ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
