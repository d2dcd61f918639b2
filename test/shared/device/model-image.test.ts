/** The device model file: the shipped one computes what the edge engine does, hostile ones are refused. */
import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { makeDeviceImage } from '../../../cli/models/device-image.ts';
import { ImageError, readImage, scratchBytes, writeImage } from '../../../shared/device/model-image.ts';
import { runImage } from '../../../shared/device/run-image.ts';

const file = (path: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(readFileSync(new URL(`../../../${path}`, import.meta.url)));
const shipped = file('models/digits/device.hymc');
const golden: {
  rows: { name: string; pixels_base64: string; logits: { micro: number[] } }[];
} = JSON.parse(new TextDecoder().decode(file('test/fixtures/digits-golden.json')));

function greyOf(base64: string): Uint8Array {
  return Uint8Array.from(Buffer.from(base64, 'base64'));
}

function indexOfLargest(values: ArrayLike<number>): number {
  return Array.from(values).reduce((best, value, index, all) => (value > (all[best] ?? -Infinity) ? index : best), 0);
}

describe('the shipped device model', () => {
  const image = readImage(shipped);

  it('names what it is, and needs 5,096 bytes of memory while it runs', () => {
    expect([image.name, image.labels, scratchBytes(image)]).toEqual(['digits/micro', 10, 5_096]);
  });

  it('gives the label of the edge engine on every golden image, with logits within 0.15', () => {
    for (const { name, pixels_base64: pixels, logits } of golden.rows) {
      const input = Int8Array.from(greyOf(pixels), (byte) => byte - 128);
      const answer = runImage(image, input);
      expect(indexOfLargest(answer.logits), name).toBe(indexOfLargest(logits.micro));
      for (const [index, logit] of answer.logits.entries()) {
        expect(Math.abs(logit - (logits.micro[index] ?? NaN)), name).toBeLessThan(0.15);
      }
      expect(answer.probabilities.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 5);
    }
  });

  it('is written again, byte for byte, from what was read', () => {
    expect(writeImage(image)).toEqual(shipped);
  });

  it('is what the edge model becomes, weights and all, whatever the ranges', async () => {
    const { rows } = golden;
    const examples = rows
      .slice(0, 5)
      .map(({ pixels_base64: pixels }) => Float32Array.from(greyOf(pixels), (byte) => byte / 255));
    const made = await makeDeviceImage(file('models/digits/micro.hyb').buffer, examples);
    expect(made.layers.map(({ weights }) => weights)).toEqual(image.layers.map(({ weights }) => weights));
    expect(made.temperature).toBeCloseTo(image.temperature, 6);
  });
});

describe('a device model that is not one', () => {
  function read(bytes: Uint8Array): ReturnType<typeof readImage> | ImageError {
    try {
      return readImage(bytes);
    } catch (error) {
      if (error instanceof ImageError) return error;
      throw error;
    }
  }

  it('is refused when it is cut or longer than it says', () => {
    for (const length of [0, 1, 63, 64, 200, shipped.length - 1]) {
      expect(read(shipped.slice(0, length))).toBeInstanceOf(ImageError);
    }
    const longer = new Uint8Array(shipped.length + 4);
    longer.set(shipped);
    expect(read(longer)).toBeInstanceOf(ImageError);
  });

  it('is refused with a typed error or still computes numbers, whatever its header and layers say', () => {
    const tables = 64 + 48 * 4;
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 0, max: tables - 1 }), fc.integer({ min: 0, max: 255 })), {
          minLength: 1,
          maxLength: 4,
        }),
        (changes) => {
          const changed = shipped.slice();
          for (const [at, value] of changes) changed[at] = value;
          const result = read(changed);
          if (result instanceof ImageError) return;
          const { logits } = runImage(
            result,
            new Int8Array(result.input.height * result.input.width * result.input.channels),
          );
          expect(logits.every(Number.isFinite)).toBe(true);
        },
      ),
      { numRuns: 500 },
    );
  });
});
