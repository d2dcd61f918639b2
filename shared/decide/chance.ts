/**
 * Chance inside a decision: one number comes in with the facts, every use derives its own from it, so that a decision can
 * be replayed. Owns the derivation; who draws the number is the pipeline's business.
 */
import { fmix32 } from '../hash/fmix32.ts';
import { FNV_PRIME, fnv1a } from '../hash/fnv1a.ts';

const TWO_POW_32 = 2 ** 32;

/** 0 <= draw < 1, the same for the same text: what keeps a tenant on its arm. FNV-1a, finished as in MurmurHash3. */
export function drawOfText(text: string): number {
  return fmix32(fnv1a(text)) / TWO_POW_32;
}

/** 0 <= draw < 1, independent of other purposes of the same request. */
export function drawFor(random: number, purpose: number): number {
  return (
    fmix32(Math.imul(Math.floor(random * TWO_POW_32) ^ Math.imul(purpose + 1, 0x9e3779b1), FNV_PRIME)) / TWO_POW_32
  );
}

/** What a request draws for. */
export const CHANCE_OF = { arm: 0, explore: 1, place: 2, shadow: 3 } as const;
