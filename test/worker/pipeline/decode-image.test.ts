/** PNG files that hold more, or something else, than their header says. */
import { crc32, deflateSync } from 'node:zlib';
import { encode } from 'fast-png';
import { describe, expect, it } from 'vitest';
import { decodeImage } from '../../../worker/pipeline/decode-image.ts';

function chunk(name: string, data: Uint8Array): Buffer {
  const bytes = Buffer.concat([Buffer.alloc(4), Buffer.from(name, 'latin1'), data, Buffer.alloc(4)]);
  bytes.writeUInt32BE(data.length, 0);
  bytes.writeUInt32BE(crc32(bytes.subarray(4, -4)), bytes.length - 4);
  return bytes;
}

/** Grey, 8 bits, `extra` between header and pixels. */
function png(width: number, height: number, data: Uint8Array, extra: readonly Buffer[] = []): string {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header[8] = 8;
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  const end = chunk('IEND', new Uint8Array());
  return Buffer.concat([signature, chunk('IHDR', header), ...extra, chunk('IDAT', data), end]).toString('base64');
}

const decode = async (base64: string, width = 28, height = 28): Promise<Float32Array> =>
  decodeImage(base64, { kind: 'image', height, width, channels: 1 }, 'input_data');

const rows = (bytes: number): Uint8Array => deflateSync(Buffer.alloc(bytes), { level: 9 });

describe('a PNG image', () => {
  it.each([
    ['is far larger than its pixels', rows(64 * 1024 * 1024)],
    ['is no larger than pixels might be, and inflates to a thousand times as much', rows(8 * 1024 * 1024)],
  ])('whose data %s is refused before it is decoded', async (_what, data) => {
    await expect(decode(png(28, 28, data))).rejects.toMatchObject({
      code: 'invalid_input',
      message: 'input_data holds more data than its pixels take.',
    });
  });

  it('is decoded without its colour profile, which may hold anything', async () => {
    const profile = Buffer.concat([Buffer.from('p\0\0', 'latin1'), rows(64 * 1024 * 1024)]);
    expect(await decode(png(28, 28, rows(28 * 29), [chunk('iCCP', profile)]))).toHaveLength(784);
    expect(await decode(png(28, 28, rows(28 * 29), [chunk('iCCP', Buffer.from('p\0\0junk', 'latin1'))]))).toHaveLength(
      784,
    );
  });

  it('of noise, as large as pixels can be, comes out as it went in', async () => {
    const data = Uint8Array.from({ length: 200 * 100 }, (_, at) => (at * 7_919 + ((at * at) % 251)) % 256);
    const base64 = Buffer.from(encode({ width: 200, height: 100, channels: 1, depth: 8, data })).toString('base64');
    expect(Array.from(await decode(base64, 200, 100), (value) => Math.round(value * 255))).toEqual([...data]);
  });

  it.each([
    ['cut inside a chunk', (bytes: Buffer) => bytes.subarray(0, 40)],
    ['of junk where its data should be', (bytes: Buffer) => bytes.fill(7, 45, bytes.length - 16)],
  ])('%s is refused as no image', async (_what, spoil) => {
    const noise = deflateSync(Uint8Array.from({ length: 28 * 29 }, (_, at) => (at * 7_919) % 256));
    const spoiled = spoil(Buffer.from(png(28, 28, noise), 'base64')).toString('base64');
    await expect(decode(spoiled)).rejects.toMatchObject({ code: 'invalid_input', field: 'input_data' });
  });
});
