import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readIdxPair } from '../../local/data/read-idx.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'idx-'));
});
afterEach(() => rm(folder, { recursive: true }));

function idx(dimensions: readonly number[], data: readonly number[]): Buffer {
  const header = Buffer.alloc(4 + 4 * dimensions.length);
  header.set([0, 0, 8, dimensions.length]);
  dimensions.forEach((length, index) => header.writeUInt32BE(length, 4 + 4 * index));
  return Buffer.concat([header, Buffer.from(data)]);
}

async function pair(images: Buffer, labels: Buffer, name = 'x-images-idx3-ubyte'): Promise<string> {
  await writeFile(join(folder, name), images);
  await writeFile(join(folder, name.replace('images-idx3', 'labels-idx1')), labels);
  return join(folder, name);
}

describe('IDX pairs', () => {
  it('reads images as numbers from 0 to 1 beside their labels, gzip or not', async () => {
    const images = idx([2, 1, 2], [0, 255, 51, 102]);
    const plain = await readIdxPair(await pair(images, idx([2], [7, 3])));
    const zipped = await readIdxPair(
      await pair(gzipSync(images), gzipSync(idx([2], [7, 3])), 'y-images-idx3-ubyte.gz'),
    );
    expect(plain).toEqual([
      { pixels: [0, 1], label: '7' },
      { pixels: [0.2, 0.4], label: '3' },
    ]);
    expect(zipped).toEqual(plain);
  });

  it.each([
    ['cut short', idx([2, 1, 2], [0, 255, 51]), idx([2], [7, 3]), /holds 3 bytes/],
    ['of another rank', idx([2, 2], [0, 1, 2, 3]), idx([2], [7, 3]), /3 dimensions/],
    ['no IDX file', Buffer.from('hello'), idx([2], [7, 3]), /not an IDX file/],
    ['with too few labels', idx([2, 1, 2], [0, 1, 2, 3]), idx([1], [7]), /2 images and .* 1 labels/],
  ])('refuses a file %s', async (_, images, labels, message) => {
    await expect(readIdxPair(await pair(images, labels))).rejects.toThrow(message);
  });

  it('asks for a name from which the labels’ follows', async () => {
    await expect(readIdxPair(join(folder, 'pictures.bin'))).rejects.toThrow(/images-idx3/);
  });
});
