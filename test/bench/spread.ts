/**
 * A figure from repeated runs, with its spread. Pure.
 */

export type Figure = {
  readonly name: string;
  readonly unit: string;
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly n: number;
};

/** @throws RangeError where nothing was measured */
export function figureOf(name: string, unit: string, values: readonly number[]): Figure {
  const sorted = values.toSorted((a, b) => a - b);
  const [min] = sorted;
  const max = sorted.at(-1);
  if (min === undefined || max === undefined) throw new RangeError(`${name}: nothing was measured`);
  return { name, unit, median: rounded(middle(sorted)), min: rounded(min), max: rounded(max), n: sorted.length };
}

function middle(sorted: readonly number[]): number {
  const half = Math.floor(sorted.length / 2);
  const upper = sorted[half] ?? 0;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[half - 1] ?? upper)) / 2;
}

/** Four significant digits: more would claim more than a shared machine can say. */
function rounded(value: number): number {
  return Number(value.toPrecision(4));
}
