/** Elements of every datatype, there and back, and those that do not fit. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Datatype } from '../../../shared/schema/tensor.ts';
import {
  decodeElements,
  encodeElements,
  splitBytes,
  TensorElementError,
} from '../../../shared/schema/tensor-elements.ts';

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

function thereAndBack(datatype: Datatype, elements: readonly unknown[]): unknown[] {
  const bytes = encodeElements(datatype, elements, utf8);
  return decodeElements({ name: 'x', datatype, shape: [elements.length], bytes }, text);
}

const integers: readonly (readonly [Datatype, number, number])[] = [
  ['UINT8', 0, 255],
  ['UINT16', 0, 65_535],
  ['UINT32', 0, 4_294_967_295],
  ['UINT64', 0, Number.MAX_SAFE_INTEGER],
  ['INT8', -128, 127],
  ['INT16', -32_768, 32_767],
  ['INT32', -2_147_483_648, 2_147_483_647],
  ['INT64', Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
];

describe('tensor elements', () => {
  it.each(integers)('of %s come back as they went', (datatype, min, max) => {
    fc.assert(
      fc.property(fc.array(fc.maxSafeInteger().map((value) => Math.min(max, Math.max(min, value)))), (elements) => {
        expect(thereAndBack(datatype, elements)).toEqual(elements.map((value) => value + 0));
      }),
    );
    expect(thereAndBack(datatype, [min, max])).toEqual([min, max]);
  });

  it.each(integers)('of %s are refused beyond their range', (datatype, min, max) => {
    for (const element of [min - 1, max + 1, 0.5, '1', null, Number.NaN]) {
      expect(() => encodeElements(datatype, [0, element], utf8)).toThrow(TensorElementError);
    }
  });

  it('of FP64 and FP32 come back to their own precision', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e38, max: 1e38 }), (value) => {
        expect(thereAndBack('FP64', [value])[0]).toBe(value);
        expect(thereAndBack('FP32', [value])[0]).toBe(Math.fround(value));
      }),
    );
  });

  it('of FP16 are the nearest half', () => {
    // From the tables of IEEE 754 binary16: the smallest subnormal, the largest, the smallest normal, one, a third, the largest.
    const exact = [2 ** -24, 1023 * 2 ** -24, 2 ** -14, 1, 0.333251953125, 65_504, -2];
    expect(thereAndBack('FP16', exact)).toEqual(exact);
    expect(thereAndBack('FP16', [1 / 3, 65_519, 2 ** -26, 0])).toEqual([0.333251953125, 65_504, 0, 0]);
    expect(() => encodeElements('FP16', [65_520], utf8)).toThrow('beyond FP16');
  });

  it('of FP16 lie no further from the number than half a step', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, min: -65_000, max: 65_000 }), (value) => {
        const [half] = thereAndBack('FP16', [value]);
        const step = 2 ** (Math.max(-14, Math.floor(Math.log2(Math.abs(value) || 1))) - 10);
        expect(Math.abs(Number(half) - value)).toBeLessThanOrEqual(step / 2);
      }),
    );
  });

  it('of BOOL and BYTES come back as they went', () => {
    expect(thereAndBack('BOOL', [true, false, 1, 0])).toEqual([true, false, true, false]);
    expect(thereAndBack('BYTES', ['', 'caf\u00e9', '\u{1F600}'])).toEqual(['', 'caf\u00e9', '\u{1F600}']);
    expect(() => encodeElements('BOOL', [2], utf8)).toThrow(TensorElementError);
    expect(() => encodeElements('BYTES', ['a', 3], utf8)).toThrow(TensorElementError);
  });

  it('of BYTES are never read past the end, whatever the lengths claim', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const elements = splitBytes(bytes);
        if (elements === undefined) return;
        expect(elements.reduce((sum, element) => sum + 4 + element.length, 0)).toBe(bytes.length);
      }),
    );
    expect(splitBytes(Uint8Array.of(255, 255, 255, 255, 1))).toBeUndefined();
  });
});
