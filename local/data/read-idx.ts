/**
 * Labelled images in the IDX form of MNIST: one file of images, one of labels beside it, gzip accepted.
 * Format: two zero bytes, a type byte (8: unsigned byte), the number of dimensions, each dimension as 32-bit big endian, data.
 */
import { readMaybeGzipped } from './read-labelled-text.ts';

export type LabelledImage = {
  /** Row-major, 0..1. */
  readonly pixels: readonly number[];
  readonly label: string;
};

const UNSIGNED_BYTE = 8;

/** @param imagesFile its labels are in the file of the same name with `labels-idx1` for `images-idx3` */
export async function readIdxPair(imagesFile: string): Promise<readonly LabelledImage[]> {
  const labelsFile = imagesFile.replace('images-idx3', 'labels-idx1');
  if (labelsFile === imagesFile)
    throw new Error(`${imagesFile} must have "images-idx3" in its name, so that its labels can be found`);
  const images = parseIdx(await readMaybeGzipped(imagesFile), imagesFile, 3);
  const labels = parseIdx(await readMaybeGzipped(labelsFile), labelsFile, 1);
  const [count = 0, height = 0, width = 0] = images.dimensions;
  if (labels.dimensions[0] !== count)
    throw new Error(`${imagesFile} has ${count} images and ${labelsFile} ${labels.dimensions[0]} labels`);
  const size = height * width;
  return Array.from({ length: count }, (_, index) => ({
    pixels: Array.from(images.data.subarray(index * size, (index + 1) * size), (byte) => byte / 255),
    label: String(labels.data[index]),
  }));
}

function parseIdx(bytes: Buffer, file: string, rank: number): { dimensions: number[]; data: Buffer } {
  const headerBytes = 4 + 4 * rank;
  const isIdx =
    bytes.length >= headerBytes && bytes[0] === 0 && bytes[1] === 0 && bytes[2] === UNSIGNED_BYTE && bytes[3] === rank;
  if (!isIdx)
    throw new Error(`${file} is not an IDX file of unsigned bytes with ${rank} dimension${rank > 1 ? 's' : ''}`);
  const dimensions = Array.from({ length: rank }, (_, index) => bytes.readUInt32BE(4 + 4 * index));
  const data = bytes.subarray(headerBytes);
  const expected = dimensions.reduce((product, length) => product * length, 1);
  if (data.length !== expected) throw new Error(`${file} holds ${data.length} bytes of data, not ${expected}`);
  return { dimensions, data };
}
