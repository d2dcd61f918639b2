/**
 * Seeded chance: the same seed gives the same run, on any machine. Owns the generator, draws that depend only on what they
 * are for (so that every policy meets the same luck), and the shapes drawn from. Leaves out who draws what.
 */
import { normalQuantile } from '../../shared/decide/normal.ts';
import { fmix32 } from '../../shared/hash/fmix32.ts';

const UINT32 = 4_294_967_296;
const Z_OF_P95 = 1.6448536269514722;

/** A whole number below 2^32 from two others. */
function mix(state: number, word: number): number {
  return fmix32(state ^ Math.imul(word, 0x9e37_79b1));
}

/** A stream of numbers from 0 up to 1, by counting through the hash. */
export function createRandom(seed: number, stream: number): () => number {
  let count = 0;
  const start = mix(mix(0x2545_f491, seed), stream);
  return () => {
    count += 1;
    return mix(mix(start, count), 0x27d4_eb2f) / UINT32;
  };
}

/** The one number that belongs to this request and this purpose: above 0, below 1. */
export function drawFor(seed: number, request: number, purpose: number): number {
  return (mix(mix(mix(0x51ed_270b, seed), request), purpose) + 0.5) / UINT32;
}

export type Spread = { readonly p50Ms: number; readonly p95Ms: number };

/** Log-normal through both quantiles, at this draw. */
export function logNormal({ p50Ms, p95Ms }: Spread, draw: number): number {
  if (p95Ms <= p50Ms) return p50Ms;
  return p50Ms * Math.exp((Math.log(p95Ms / p50Ms) / Z_OF_P95) * normalQuantile(draw));
}

export function exponential(mean: number, draw: number): number {
  return -mean * Math.log(draw);
}

/** Picks positions in proportion to their weights. */
export function weightedPicker(weights: readonly number[]): (draw: number) => number {
  const sums: number[] = [];
  let sum = 0;
  for (const weight of weights) sums.push((sum += weight));
  return (draw) => {
    const wanted = draw * sum;
    let low = 0;
    let high = sums.length - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((sums[middle] ?? sum) > wanted) high = middle;
      else low = middle + 1;
    }
    return low;
  };
}
