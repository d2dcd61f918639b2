// Owns the outer layer of a .hyb file: magic, lengths and digest. What the header says is read in header.ts.

import { ModelFormatError } from './errors.ts';

export type Container = { readonly header: unknown; readonly payload: Uint8Array };

const MAGIC = 0x4859424d; // 'HYBM', big endian
const PREFIX_BYTES = 64;
const ALIGNMENT = 64;
const MAX_HEADER_BYTES = 1 << 20;
const MAX_PAYLOAD_BYTES = 1 << 26;

export async function openContainer(bytes: ArrayBuffer): Promise<Container> {
  if (bytes.byteLength < PREFIX_BYTES) throw new ModelFormatError('shorter than its fixed part');
  const view = new DataView(bytes);
  if (view.getUint32(0, false) !== MAGIC) throw new ModelFormatError('no HYBM magic');
  const version = view.getUint32(4, true);
  if (version !== 1) throw new ModelFormatError(`format version ${version} is not supported`);
  const headerBytes = view.getUint32(8, true);
  const payloadBytes = view.getUint32(12, true);
  if (headerBytes === 0 || headerBytes > MAX_HEADER_BYTES || headerBytes % ALIGNMENT !== 0) {
    throw new ModelFormatError(`header of ${headerBytes} bytes`);
  }
  if (payloadBytes > MAX_PAYLOAD_BYTES) throw new ModelFormatError(`payload of ${payloadBytes} bytes`);
  const expectedBytes = PREFIX_BYTES + headerBytes + payloadBytes;
  if (bytes.byteLength !== expectedBytes) {
    throw new ModelFormatError(`${bytes.byteLength} bytes where the lengths say ${expectedBytes}`);
  }
  const prefix = new Uint8Array(bytes, 0, PREFIX_BYTES);
  if (prefix.subarray(48).some((byte) => byte !== 0)) throw new ModelFormatError('reserved bytes are not zero');
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', new Uint8Array(bytes, PREFIX_BYTES)));
  if (digest.some((byte, i) => byte !== prefix[16 + i])) throw new ModelFormatError('digest does not match');
  return {
    header: parseHeader(new Uint8Array(bytes, PREFIX_BYTES, headerBytes)),
    payload: new Uint8Array(bytes, PREFIX_BYTES + headerBytes, payloadBytes),
  };
}

function parseHeader(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch (cause) {
    throw new ModelFormatError('header is not UTF-8 JSON', { cause });
  }
}
