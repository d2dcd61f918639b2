/**
 * A base64 image (PNG, or the raw bytes of one grey pixel each) as numbers from 0 to 1.
 * Sizes must match the model's: scaling would silently change what is asked. Other formats are refused by name.
 */
import { decode as decodePng } from 'fast-png';
import { GatewayError } from '../../shared/errors.ts';
import type { ModelInputSpec } from '../../shared/schema/card.ts';
import { decodeBase64 } from '../base64.ts';
import { holdsTooMuch, pngData, type PngData } from './png-data.ts';

type ImageSpec = Extract<ModelInputSpec, { kind: 'image' }>;

const PNG_SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
/** Signature, chunk length and name, then width and height: big-endian 32-bit numbers at 16 and 20. */
const PNG_HEADER_BYTES = 24;

/** A promise only of a large PNG image, which is looked at before it is decoded. */
export function decodeImage(base64: string, spec: ImageSpec, path: string): Float32Array | Promise<Float32Array> {
  const bytes = bytesFromBase64(base64, path);
  const pixelCount = spec.height * spec.width;
  if (isPng(bytes)) return greyFromPng(bytes, spec, path);
  if (bytes.length === pixelCount) return Float32Array.from(bytes, (byte) => byte / 255);
  if (bytes[0] === 0xff && bytes[1] === 0xd8) {
    throw new GatewayError('unsupported_media_type', `${path} is a JPEG image; send PNG.`, { field: path });
  }
  throw wrong(path, `is neither a PNG image nor ${pixelCount} grey bytes`);
}

function bytesFromBase64(text: string, path: string): Uint8Array {
  const base64 = text.startsWith('data:') ? text.slice(text.indexOf(',') + 1) : text;
  if (base64 === '') throw wrong(path, 'is empty');
  try {
    return decodeBase64(base64);
  } catch {
    throw wrong(path, 'is not valid base64');
  }
}

function isPng(bytes: Uint8Array): boolean {
  return PNG_SIGNATURE.every((byte, index) => bytes[index] === byte);
}

/** The size is read from the header before anything is inflated: a small file may claim a huge picture. */
function greyFromPng(bytes: Uint8Array, spec: ImageSpec, path: string): Float32Array | Promise<Float32Array> {
  if (bytes.length < PNG_HEADER_BYTES) throw wrong(path, 'is a PNG image cut short');
  const header = new DataView(bytes.buffer, bytes.byteOffset, PNG_HEADER_BYTES);
  const width = header.getUint32(16);
  const height = header.getUint32(20);
  if (width !== spec.width || height !== spec.height) {
    throw wrong(path, `is ${width} x ${height} pixels, not ${spec.width} x ${spec.height}`);
  }
  const data = pngData(bytes);
  if (data === undefined) throw wrong(path, 'is a PNG image cut short');
  const tooMuch = holdsTooMuch(data.pixels, width, height);
  if (typeof tooMuch === 'boolean') return greyFromData(data, tooMuch, path);
  return tooMuch.then(
    (isTooMuch) => greyFromData(data, isTooMuch, path),
    () => {
      throw wrong(path, 'is not a readable PNG image');
    },
  );
}

function greyFromData({ file }: PngData, isTooMuch: boolean, path: string): Float32Array {
  if (isTooMuch) throw wrong(path, 'holds more data than its pixels take');
  let png: ReturnType<typeof decodePng>;
  try {
    png = decodePng(file);
  } catch {
    throw wrong(path, 'is not a readable PNG image');
  }
  return toGrey(png, path);
}

function toGrey(png: ReturnType<typeof decodePng>, path: string): Float32Array {
  if (png.palette !== undefined) throw wrong(path, 'is a PNG image with a palette; send grey or RGB');
  if (png.depth !== 8 && png.depth !== 16)
    throw wrong(path, `is a PNG image of ${png.depth} bits a channel; send 8 or 16`);
  const full = png.depth === 16 ? 65_535 : 255;
  const pixels = new Float32Array(png.width * png.height);
  for (let index = 0; index < pixels.length; index += 1) {
    const at = index * png.channels;
    const first = png.data[at] ?? 0;
    // Luma weights of ITU-R BT.601.
    const grey =
      png.channels < 3 ? first : 0.299 * first + 0.587 * (png.data[at + 1] ?? 0) + 0.114 * (png.data[at + 2] ?? 0);
    pixels[index] = grey / full;
  }
  return pixels;
}

function wrong(path: string, problem: string): GatewayError {
  return new GatewayError('invalid_input', `${path} ${problem}.`, { field: path });
}
