/**
 * FNV-1a, 32 bits (Fowler, Noll and Vo).
 */
const FNV_OFFSET = 0x811c_9dc5;
export const FNV_PRIME = 0x0100_0193;

/** Over UTF-16 code units: for ASCII what it is over bytes. @returns 0 to 2^32 - 1 */
export function fnv1a(text: string): number {
  let hash = FNV_OFFSET;
  for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), FNV_PRIME);
  return hash >>> 0;
}
