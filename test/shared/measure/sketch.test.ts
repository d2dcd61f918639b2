import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Sketch } from '../../../shared/measure/sketch.ts';
import {
  addToSketch,
  createSketch,
  decodeSketch,
  encodeSketch,
  mergeSketch,
  quantile,
  scaleSketch,
  SKETCH_RELATIVE_ERROR,
} from '../../../shared/measure/sketch.ts';

function sketchOf(values: readonly number[]): Sketch {
  const sketch = createSketch();
  for (const value of values) addToSketch(sketch, value);
  return sketch;
}

function merged(...sketches: readonly Sketch[]): Sketch {
  const all = createSketch();
  for (const sketch of sketches) mergeSketch(all, sketch);
  return all;
}

function exactQuantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(q * (sorted.length - 1))] ?? Number.NaN;
}

/** Nine decades, as latencies in milliseconds might at worst. */
const arbitraryValue = fc.oneof(
  fc.double({ min: -3, max: 6, noNaN: true }).map((exponent) => 10 ** exponent),
  fc.constant(0),
);
const arbitraryValues = fc.array(arbitraryValue, { minLength: 1, maxLength: 300 });
/** So far apart that the lowest bins collapse. */
const arbitraryWide = fc.array(
  fc.double({ min: -6, max: 9, noNaN: true }).map((exponent) => 10 ** exponent),
  { maxLength: 60 },
);

describe('sketch', () => {
  it('answers every quantile within its relative error', () => {
    fc.assert(
      fc.property(arbitraryValues, fc.double({ min: 0, max: 1, noNaN: true }), (values, q) => {
        const exact = exactQuantile(values, q);
        const answer = quantile(sketchOf(values), q) ?? Number.NaN;
        // A value on the edge of a bin may be off by the rounding of its logarithm as well.
        expect(Math.abs(answer - exact)).toBeLessThanOrEqual(exact * SKETCH_RELATIVE_ERROR * (1 + 1e-6));
      }),
    );
  });

  it('keeps count, maximum and sum exactly', () => {
    const sketch = sketchOf([0, 1.5, 2.25, 1_000]);
    expect(sketch).toMatchObject({ count: 4, zeroCount: 1, max: 1_000, sumThousandths: 1_003_750 });
    expect(quantile(sketch, 1)).toBeCloseTo(1_000, -1);
  });

  it('merges to the same in any order and grouping', () => {
    fc.assert(
      fc.property(arbitraryWide, arbitraryWide, arbitraryWide, (a, b, c) => {
        const whole = encodeSketch(sketchOf([...a, ...b, ...c]));
        expect(encodeSketch(merged(sketchOf(a), sketchOf(b), sketchOf(c)))).toEqual(whole);
        expect(encodeSketch(merged(sketchOf(c), merged(sketchOf(b), sketchOf(a))))).toEqual(whole);
      }),
    );
  });

  it('bounds its bins by collapsing the lowest, and high quantiles keep their error', () => {
    const values = Array.from({ length: 4_000 }, (_, index) => 10 ** (-6 + (15 * index) / 4_000));
    for (const order of [values, values.toReversed()]) {
      const sketch = sketchOf(order);
      expect(sketch.bins.length).toBeLessThanOrEqual(1_024);
      expect(sketch.count).toBe(4_000);
      const exact = exactQuantile(values, 0.9);
      expect(Math.abs((quantile(sketch, 0.9) ?? 0) - exact)).toBeLessThanOrEqual(exact * SKETCH_RELATIVE_ERROR);
    }
  });

  it('has no quantile when empty, and zeros for what is no latency', () => {
    expect(quantile(createSketch(), 0.5)).toBeUndefined();
    expect(quantile(sketchOf([Number.NaN, -5, 0]), 0.99)).toBe(0);
    expect(sketchOf([Number.NaN, -5, 0])).toMatchObject({ count: 3, zeroCount: 3, max: 0, sumThousandths: 0 });
  });

  it('counts an infinite value as the largest there is', () => {
    expect(quantile(sketchOf([Infinity]), 1)).toBeLessThanOrEqual(1e9);
    expect(decodeSketch(encodeSketch(sketchOf([Infinity])))).toBeDefined();
  });

  it('scales without moving quantiles', () => {
    const sketch = sketchOf([0, 1, 10, 100, 1_000]);
    const before = quantile(sketch, 0.75);
    scaleSketch(sketch, 0.001);
    expect(sketch.count).toBeCloseTo(0.005, 12);
    expect(quantile(sketchOf([5]), 0.5)).toBeCloseTo(5, 0);
    scaleSketch(sketch, 1_000);
    expect(quantile(sketch, 0.75)).toBe(before);
  });

  it('answers with the least value, not with zero, when all of its weight has faded', () => {
    const sketch = sketchOf([50, 60]);
    scaleSketch(sketch, 1e-6);
    expect(quantile(sketch, 0.5)).toBeGreaterThan(49);
  });

  it('survives its stored form', () => {
    fc.assert(
      fc.property(fc.oneof(arbitraryValues, arbitraryWide), (values) => {
        const sketch = sketchOf(values);
        const stored: unknown = JSON.parse(JSON.stringify(encodeSketch(sketch)));
        const restored = decodeSketch(stored);
        if (restored === undefined) throw new Error('refused its own form');
        expect(encodeSketch(restored)).toEqual(encodeSketch(sketch));
        expect(restored.count).toBe(sketch.count);
        expect(quantile(restored, 0.95)).toBe(quantile(sketch, 0.95));
      }),
    );
  });

  it('is stored small: a few hundred bytes for a thousand latencies', () => {
    const values = Array.from({ length: 1_000 }, (_, index) => 20 * Math.exp(Math.sin(index * 12.9898)));
    expect(JSON.stringify(encodeSketch(sketchOf(values))).length).toBeLessThan(1_000);
  });

  const whole = { z: 0, m: 1, s: 1, b: [0, 1] };
  it.each<[string, unknown]>([
    ['null', null],
    ['a text', 'x'],
    ['an array', []],
    ['an unknown field', { ...whole, x: 1 }],
    ['a missing field', { z: 0, m: 1, s: 1 }],
    ['a negative count of zeros', { ...whole, z: -1 }],
    ['a fraction of zeros', { ...whole, z: 0.5 }],
    ['a maximum that is a text', { ...whole, m: '1' }],
    ['a negative maximum', { ...whole, m: -1 }],
    ['a maximum that is not finite', { ...whole, m: Infinity }],
    ['a negative sum', { ...whole, s: -1 }],
    ['bins that are no array', { ...whole, b: 'x' }],
    ['half a pair', { ...whole, b: [0, 1, 2] }],
    ['a step backwards', { ...whole, b: [5, 1, -1, 1] }],
    ['a bin twice', { ...whole, b: [5, 1, 0, 1] }],
    ['a step that is no number', { ...whole, b: ['0', 1] }],
    ['an empty bin', { ...whole, b: [0, 0] }],
    ['a count that is no number', { ...whole, b: [0, null] }],
    ['a bin out of range', { ...whole, b: [1e9, 1] }],
    ['bins too far apart', { ...whole, b: [-600, 1, 1_200, 1] }],
    ['too many bins', { ...whole, b: Array.from({ length: 2_050 }, () => 1) }],
    ['more values than can be counted', { ...whole, b: [0, Number.MAX_SAFE_INTEGER, 1, Number.MAX_SAFE_INTEGER] }],
  ])('refuses %s', (_what, value) => {
    expect(decodeSketch(value)).toBeUndefined();
  });

  it('never throws on anything that JSON can say', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const decoded = decodeSketch(value);
        expect(decoded?.bins.length ?? 0).toBeLessThanOrEqual(1_024);
      }),
    );
  });
});
