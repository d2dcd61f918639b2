// Owns laying out a .hyb file: header, padding, lengths, digest. models/FORMAT.md is the law.

import { createHash } from 'node:crypto';
import type { FileTensor } from './quantize.ts';

const ALIGNMENT = 64;

export function writeHyb(
  header: Record<string, unknown>,
  tensors: ReadonlyMap<string, FileTensor>,
): Uint8Array<ArrayBuffer> {
  const table: Record<string, unknown> = {};
  let payloadBytes = 0;
  for (const [name, { dtype, shape, bytes }] of tensors) {
    table[name] = { dtype, shape, offset: payloadBytes, bytes: bytes.length };
    payloadBytes += Math.ceil(bytes.length / ALIGNMENT) * ALIGNMENT;
  }
  const text = Buffer.from(JSON.stringify({ ...header, tensors: table }), 'utf8');
  const headerBytes = Math.ceil(text.length / ALIGNMENT) * ALIGNMENT;
  const file = Buffer.alloc(ALIGNMENT + headerBytes + payloadBytes);
  file.write('HYBM', 0, 'latin1');
  file.writeUInt32LE(1, 4);
  file.writeUInt32LE(headerBytes, 8);
  file.writeUInt32LE(payloadBytes, 12);
  file.fill(' ', ALIGNMENT, ALIGNMENT + headerBytes);
  text.copy(file, ALIGNMENT);
  let offset = ALIGNMENT + headerBytes;
  for (const { bytes } of tensors.values()) {
    file.set(bytes, offset);
    offset += Math.ceil(bytes.length / ALIGNMENT) * ALIGNMENT;
  }
  createHash('sha256').update(file.subarray(ALIGNMENT)).digest().copy(file, 16);
  return Uint8Array.from(file);
}
