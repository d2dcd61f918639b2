/**
 * application/vnd.amazon.eventstream, encoding only: prelude, string headers, payload, a CRC-32 over each half.
 * Format: total length u32, header length u32, CRC of both, headers, payload, CRC of all before it; big endian.
 */
import { crc32 } from 'node:zlib';

const STRING_HEADER = 7;

export const EVENT_STREAM_CONTENT_TYPE = 'application/vnd.amazon.eventstream';

export function encodeEvent(type: string, contentType: string, payload: Uint8Array): Buffer {
  return encodeMessage({ ':message-type': 'event', ':event-type': type, ':content-type': contentType }, payload);
}

/** A modelled exception of the stream: the stream ends after it. */
export function encodeException(type: string, members: Readonly<Record<string, string>>): Buffer {
  return encodeMessage(
    { ':message-type': 'exception', ':exception-type': type, ':content-type': 'application/json' },
    Buffer.from(JSON.stringify(members)),
  );
}

function encodeMessage(headers: Readonly<Record<string, string>>, payload: Uint8Array): Buffer {
  const headerBytes = Buffer.concat(Object.entries(headers).map(([name, value]) => encodeHeader(name, value)));
  const message = Buffer.alloc(12 + headerBytes.length + payload.length + 4);
  message.writeUInt32BE(message.length, 0);
  message.writeUInt32BE(headerBytes.length, 4);
  message.writeUInt32BE(crc32(message.subarray(0, 8)), 8);
  headerBytes.copy(message, 12);
  message.set(payload, 12 + headerBytes.length);
  message.writeUInt32BE(crc32(message.subarray(0, message.length - 4)), message.length - 4);
  return message;
}

function encodeHeader(name: string, value: string): Buffer {
  const nameBytes = Buffer.from(name);
  const valueBytes = Buffer.from(value);
  const header = Buffer.alloc(1 + nameBytes.length + 1 + 2 + valueBytes.length);
  header.writeUInt8(nameBytes.length, 0);
  nameBytes.copy(header, 1);
  header.writeUInt8(STRING_HEADER, 1 + nameBytes.length);
  header.writeUInt16BE(valueBytes.length, 2 + nameBytes.length);
  valueBytes.copy(header, 4 + nameBytes.length);
  return header;
}
