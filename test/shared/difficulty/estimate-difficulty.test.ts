// The difficulty estimate against Python on the shipped file, and files that must not load.

import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import * as z from 'zod';
import { describe, expect, it } from 'vitest';
import type { DifficultyHeader } from '../../../shared/difficulty/estimate-difficulty.ts';
import { readDifficulty, writeDifficulty } from '../../../shared/difficulty/estimate-difficulty.ts';
import { createTextGrams } from '../../../shared/difficulty/text-grams.ts';

const Golden = z.object({
  rows: z.array(z.object({ text: z.string(), grams: z.number(), difficulty: z.number() })),
});

function fileOf(name: string): URL {
  return new URL(`../../../${name}`, import.meta.url);
}

const SHIPPED = Uint8Array.from(readFileSync(fileOf('models/difficulty/uplift.hyd'))).buffer;
const { rows } = Golden.parse(JSON.parse(readFileSync(fileOf('test/fixtures/difficulty-golden.json'), 'utf8')));
const HEADER: DifficultyHeader = {
  kind: 'difficulty',
  grams: { bits: 8, sizes: [1, 1], max_chars: 10 },
  scale: 0.5,
  intercept: 0.25,
  slope: 1,
};

function tiny(change: Partial<DifficultyHeader> = {}, weights = 256): ArrayBuffer {
  return Uint8Array.from(writeDifficulty({ ...HEADER, ...change }, new Int8Array(weights).fill(1))).buffer;
}

describe('the difficulty estimate', () => {
  it('is what Python makes of the shipped file, hostile texts included', () => {
    const estimate = readDifficulty(SHIPPED);
    const wrong = rows.filter(({ text, difficulty }) => !(Math.abs(estimate(text) - difficulty) < 1e-8));
    expect(rows.length).toBeGreaterThan(50);
    expect(wrong).toEqual([]);
  });

  it('finds as many different n-grams as Python', () => {
    const gramsOf = createTextGrams({ bits: 18, sizes: [2, 7], max_chars: 4000 });
    expect(rows.map(({ text }) => gramsOf(text).count)).toEqual(rows.map(({ grams }) => grams));
  });

  it('adds weights over the root of their number, each n-gram once', () => {
    const estimate = readDifficulty(tiny());
    expect(estimate('')).toBe(0.25);
    expect(estimate('a')).toBe(0.75);
    expect(estimate('aaaa')).toBe(0.75);
    expect(estimate('abcd')).toBe(1);
    expect(readDifficulty(tiny({ scale: 0.1 }))('abcd')).toBeCloseTo(0.25 + 0.1 * 2, 12);
  });

  it('depends on the text alone, and stays between -1 and 1', () => {
    const estimate = readDifficulty(SHIPPED);
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), fc.string({ maxLength: 50 }), (text, other) => {
        const first = estimate(text);
        estimate(other);
        expect(estimate(text)).toBe(first);
        expect(Math.abs(first)).toBeLessThanOrEqual(1);
      }),
      { numRuns: 300, seed: 7 },
    );
  });

  it('reads no more of a text than it says', () => {
    const estimate = readDifficulty(tiny());
    expect(estimate('aaaaaaaaaa'.concat('bcdefgh'))).toBe(estimate('aaaaaaaaaa'));
  });

  it.each([
    ['nothing', new ArrayBuffer(0)],
    ['another file', new TextEncoder().encode('HYBM and much more of it').buffer],
    ['a file that ends early', SHIPPED.slice(0, 60)],
    ['too few weights', tiny({}, 255)],
    ['too many weights', tiny({}, 257)],
    ['sizes the wrong way round', tiny({ grams: { bits: 8, sizes: [3, 2], max_chars: 10 } })],
    ['a scale of nothing', tiny({ scale: 0 })],
  ])('refuses %s', (_name, file) => {
    expect(() => readDifficulty(file)).toThrow(/difficulty model|scale/);
  });

  it('never hangs or answers for a damaged file: it throws, or estimates within bounds', () => {
    fc.assert(
      fc.property(fc.nat(200), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const bytes = new Uint8Array(tiny());
        bytes[at] = (bytes[at] ?? 0) ^ change;
        try {
          expect(Math.abs(readDifficulty(bytes.buffer)('some text'))).toBeLessThanOrEqual(1);
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
        }
      }),
      { numRuns: 300, seed: 7 },
    );
  });
});
