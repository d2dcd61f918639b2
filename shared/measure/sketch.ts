/**
 * A mergeable quantile sketch with a bounded relative error: DDSketch. Never an average of percentiles.
 * Formulas: C. Masson, J. E. Rim, H. K. Lee, "DDSketch: a fast and fully-mergeable quantile sketch with
 * relative-error guarantees", PVLDB 12(12), 2019. Value x > 0 falls into bin ceil(log_gamma(x)), gamma = (1+a)/(1-a);
 * a bin i answers 2 gamma^i / (gamma+1), off by at most the ratio a. Over the bin limit the lowest bins collapse,
 * so high quantiles keep their bound. Owns adding, merging, asking and the stored form.
 */

export const SKETCH_RELATIVE_ERROR = 0.01;
const GAMMA = (1 + SKETCH_RELATIVE_ERROR) / (1 - SKETCH_RELATIVE_ERROR);
const INVERSE_LOG_GAMMA = 1 / Math.log(GAMMA);
const BIN_FACTOR = 2 / (GAMMA + 1);
/** 1,024 bins span nine decades: a microsecond to a quarter of an hour, when the unit is milliseconds. */
const MAX_BINS = 1024;
/** At or below it a value counts as zero, above the largest as the largest. */
const MIN_VALUE = 1e-6;
const MAX_VALUE = 1e9;
const MIN_INDEX = Math.floor(Math.log(MIN_VALUE) * INVERSE_LOG_GAMMA);
const MAX_INDEX = Math.ceil(Math.log(MAX_VALUE) * INVERSE_LOG_GAMMA);
/** Room left on the grown side, so that a spreading distribution does not copy on every step. */
const GROWTH_BINS = 32;

export type Sketch = {
  /** Weight of all values. Whole numbers wherever every value was added with weight 1. */
  count: number;
  zeroCount: number;
  /** Exact extremes and sum (thousandths, whole, so that merging in any order gives the same). */
  max: number;
  sumThousandths: number;
  /** bins[k] is bin number `offset + k`. */
  offset: number;
  bins: number[];
};

export function createSketch(): Sketch {
  return { count: 0, zeroCount: 0, max: 0, sumThousandths: 0, offset: 0, bins: [] };
}

/** In place. Negative values and NaN count as zero. */
export function addToSketch(sketch: Sketch, value: number, weight = 1): void {
  sketch.count += weight;
  if (!(value > MIN_VALUE)) {
    sketch.zeroCount += weight;
    return;
  }
  const bounded = value < MAX_VALUE ? value : MAX_VALUE;
  if (bounded > sketch.max) sketch.max = bounded;
  sketch.sumThousandths += Math.round(bounded * 1000) * weight;
  addToBin(sketch, Math.ceil(Math.log(bounded) * INVERSE_LOG_GAMMA), weight);
}

function addToBin(sketch: Sketch, index: number, weight: number): void {
  const position = index - sketch.offset;
  const present = sketch.bins[position];
  if (present !== undefined) sketch.bins[position] = present + weight;
  else {
    const reached = makeRoom(sketch, index);
    sketch.bins[reached] = (sketch.bins[reached] ?? 0) + weight;
  }
}

/** Extends or collapses the bins so that `index` has one; returns its position. */
function makeRoom(sketch: Sketch, index: number): number {
  const { bins, offset } = sketch;
  if (bins.length === 0) {
    sketch.offset = index;
    bins.push(0);
    return 0;
  }
  const top = offset + bins.length - 1;
  if (index > top) {
    for (let missing = index - top; missing > 0; missing -= 1) bins.push(0);
    collapse(sketch);
    return index - sketch.offset;
  }
  const lowest = Math.max(Math.min(index, offset), top - MAX_BINS + 1);
  const spare = Math.min(GROWTH_BINS, lowest - (top - MAX_BINS + 1));
  const added = offset - lowest + spare;
  if (added === 0) return 0;
  sketch.bins = Array.from<number>({ length: added }).fill(0).concat(bins);
  sketch.offset = offset - added;
  return Math.max(0, index - sketch.offset);
}

function collapse(sketch: Sketch): void {
  const excess = sketch.bins.length - MAX_BINS;
  if (excess <= 0) return;
  let weight = 0;
  for (const collapsed of sketch.bins.splice(0, excess)) weight += collapsed;
  sketch.offset += excess;
  sketch.bins[0] = (sketch.bins[0] ?? 0) + weight;
}

/** @param q 0..1 @returns undefined for an empty sketch */
export function quantile(sketch: Sketch, q: number): number | undefined {
  if (sketch.count <= 0) return undefined;
  const rank = Math.max(0, Math.min(q, 1) * (sketch.count - 1));
  let cumulative = sketch.zeroCount;
  if (cumulative > rank) return 0;
  const { bins, offset } = sketch;
  for (let position = 0; position < bins.length; position += 1) {
    cumulative += bins[position] ?? 0;
    if (cumulative > rank) return Math.min(BIN_FACTOR * GAMMA ** (offset + position), sketch.max);
  }
  return sketch.max;
}

/** In place, into `target`. Merging commutes and associates. */
export function mergeSketch(target: Sketch, source: Sketch): void {
  target.count += source.count;
  target.zeroCount += source.zeroCount;
  target.sumThousandths += source.sumThousandths;
  if (source.max > target.max) target.max = source.max;
  // Highest first: room below is then never made for bins that collapse anyway.
  for (let position = source.bins.length - 1; position >= 0; position -= 1) {
    const weight = source.bins[position] ?? 0;
    if (weight > 0) addToBin(target, source.offset + position, weight);
  }
}

/** In place. Lets the past fade; see latency-tracker.ts. */
export function scaleSketch(sketch: Sketch, factor: number): void {
  sketch.count *= factor;
  sketch.zeroCount *= factor;
  sketch.sumThousandths *= factor;
  for (let position = 0; position < sketch.bins.length; position += 1) {
    sketch.bins[position] = (sketch.bins[position] ?? 0) * factor;
  }
}

/** Only non-empty bins, as [index or step from the one before, count] pairs; a bare count where every value was zero. */
export type EncodedSketch =
  | number
  | { readonly z: number; readonly m: number; readonly s: number; readonly b: readonly number[] };

export function encodeSketch(sketch: Sketch): EncodedSketch {
  if (sketch.count === sketch.zeroCount) return sketch.zeroCount;
  const b: number[] = [];
  let before = 0;
  sketch.bins.forEach((weight, position) => {
    if (weight <= 0) return;
    const index = sketch.offset + position;
    b.push(index - before, weight);
    before = index;
  });
  return { z: sketch.zeroCount, m: sketch.max, s: sketch.sumThousandths, b };
}

/**
 * Strict, for what comes from storage may be anything; only sketches of whole counts are stored.
 * @returns undefined where the value is not a sketch
 */
export function decodeSketch(value: unknown): Sketch | undefined {
  if (isCount(value)) return { ...createSketch(), count: value, zeroCount: value };
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const { z, m, s, b, ...rest }: { z?: unknown; m?: unknown; s?: unknown; b?: unknown } = value;
  if (Object.keys(rest).length > 0) return undefined;
  if (!isCount(z)) return undefined;
  if (typeof m !== 'number' || !(m >= 0 && m <= MAX_VALUE)) return undefined;
  if (!isCount(s)) return undefined;
  if (!Array.isArray(b) || b.length % 2 !== 0 || b.length > 2 * MAX_BINS) return undefined;
  const sketch: Sketch = { count: z, zeroCount: z, max: m, sumThousandths: s, offset: 0, bins: [] };
  return fillBins(sketch, b);
}

function fillBins(sketch: Sketch, pairs: readonly unknown[]): Sketch | undefined {
  let index = 0;
  for (let at = 0; at < pairs.length; at += 2) {
    const step = pairs[at];
    const count = pairs[at + 1];
    if (!Number.isSafeInteger(step) || typeof step !== 'number' || (at > 0 && step < 1)) return undefined;
    if (!isCount(count) || count === 0) return undefined;
    index += step;
    if (index < MIN_INDEX || index > MAX_INDEX) return undefined;
    if (at > 0 && index - sketch.offset >= MAX_BINS) return undefined;
    addToBin(sketch, index, count);
    sketch.count += count;
  }
  return Number.isSafeInteger(sketch.count) ? sketch : undefined;
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
