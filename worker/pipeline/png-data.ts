/**
 * What of a PNG file is decoded, and how much it may hold. Owns leaving out every chunk but those of the pixels, and finding out
 * whether the data inflates to more than they take: a file of 400 KB may hold a gigabyte behind a header of 28 by 28.
 */
import { joinBytes } from '../../shared/protocol/join-bytes.ts';

export type PngData = {
  /** The file with nothing but its pixels: colour profiles and frames are compressed as well, and nobody looks at them. */
  readonly file: Uint8Array<ArrayBuffer>;
  /** Compressed. */
  readonly pixels: readonly Uint8Array[];
};

const SIGNATURE_BYTES = 8;
/** Length, name and checksum around a chunk's data. */
const CHUNK_BYTES = 12;
const KEPT = new Set(['IHDR', 'PLTE', 'tRNS', 'IDAT', 'IEND']);
/** The most that deflate makes of one byte. */
const MAX_RATIO = 1_032;
/** What may be inflated without asking. */
const HARMLESS_BYTES = 512 * 1024;

/** Undefined where the file is cut short. */
export function pngData(bytes: Uint8Array): PngData | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const kept = [bytes.subarray(0, SIGNATURE_BYTES)];
  const pixels: Uint8Array[] = [];
  for (let at = SIGNATURE_BYTES; at < bytes.length;) {
    if (at + CHUNK_BYTES > bytes.length) return undefined;
    const end = at + CHUNK_BYTES + view.getUint32(at);
    if (end > bytes.length) return undefined;
    const name = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if (KEPT.has(name)) kept.push(bytes.subarray(at, end));
    if (name === 'IDAT') pixels.push(bytes.subarray(at + 8, end - 4));
    if (name === 'IEND') break;
    at = end;
  }
  return { file: joinBytes(kept), pixels };
}

/** Of a picture of 16 bits and four channels, each row with its filter, rows of an interlaced one counted twice. */
function mostBytes(width: number, height: number): number {
  return 2 * height * (1 + 8 * width);
}

/** A promise only where the data has to be inflated to know; it rejects where the data is not deflate's. */
export function holdsTooMuch(pixels: readonly Uint8Array[], width: number, height: number): boolean | Promise<boolean> {
  const sizeBytes = pixels.reduce((sum, part) => sum + part.byteLength, 0);
  const allowed = mostBytes(width, height);
  // Data that does not shrink grows by five bytes in 65,535; encoders' own blocks are smaller.
  if (sizeBytes > allowed + allowed / 64 + 1_024) return true;
  return sizeBytes * MAX_RATIO <= HARMLESS_BYTES ? false : inflatesBeyond(pixels, allowed);
}

async function inflatesBeyond(pixels: readonly Uint8Array[], allowed: number): Promise<boolean> {
  const inflated = new Blob([joinBytes(pixels)]).stream().pipeThrough(new DecompressionStream('deflate'));
  const reader: ReadableStreamDefaultReader<Uint8Array> = inflated.getReader();
  for (let seen = 0; ;) {
    const { done, value } = await reader.read();
    if (done) return false;
    seen += value.byteLength;
    if (seen <= allowed) continue;
    reader.cancel().catch(() => undefined);
    return true;
  }
}
