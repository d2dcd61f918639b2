/**
 * Chance inside a decision: one number comes in with the facts, every use derives its own from it, so that a decision can
 * be replayed. Owns the derivation; who draws the number is the pipeline's business.
 */

const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;
const TWO_POW_32 = 2 ** 32;

/** 0 <= draw < 1, the same for the same text: what keeps a tenant on its arm. FNV-1a, finished as in MurmurHash3. */
export function drawOfText(text: string): number {
  let hash = FNV_OFFSET;
  for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), FNV_PRIME);
  return finished(hash) / TWO_POW_32;
}

/** 0 <= draw < 1, independent of other purposes of the same request. */
export function drawFor(random: number, purpose: number): number {
  return (
    finished(Math.imul(Math.floor(random * TWO_POW_32) ^ Math.imul(purpose + 1, 0x9e3779b1), FNV_PRIME)) / TWO_POW_32
  );
}

/** What a request draws for. */
export const CHANCE_OF = { arm: 0, explore: 1, place: 2, shadow: 3 } as const;

function finished(hash: number): number {
  let mixed = hash;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
