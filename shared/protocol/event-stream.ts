/**
 * application/vnd.amazon.eventstream, decoding: bytes as they come -> whole messages. Every length is bounded before it is
 * believed and both checksums are held; a stream that breaks a rule once is broken.
 * Format: total length u32, header length u32, CRC of both, headers, payload, CRC of all before it; big endian.
 */
import { crc32 } from '../hash/crc32.ts';
import { joinBytes } from './join-bytes.ts';

export class EventStreamError extends Error {
  override readonly name = 'EventStreamError';
}

export type EventMessage = {
  /** Only those of type string; others are passed over. */
  readonly headers: ReadonlyMap<string, string>;
  readonly payload: Uint8Array;
};

const PRELUDE_BYTES = 12;
const CHECKSUM_BYTES = 4;
/** Amazon's own limit is 24 MB a message; a part of an inference answer is far smaller. */
const MAX_MESSAGE_BYTES = 2 * 1024 * 1024;
const MAX_HEADER_BYTES = 128 * 1024;

/** Bytes of the value by header type; -1: behind a length of two bytes. */
const VALUE_BYTES: Readonly<Record<number, number>> = { 0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 6: -1, 7: -1, 8: 8, 9: 16 };
const STRING_TYPE = 7;

export class EventStreamDecoder {
  readonly #decodeText: (bytes: Uint8Array) => string;
  #rest: Uint8Array = new Uint8Array(0);

  /** @param decodeText UTF-8, which the language's own library lacks */
  constructor(decodeText: (bytes: Uint8Array) => string) {
    this.#decodeText = decodeText;
  }

  /** @throws EventStreamError */
  push(bytes: Uint8Array): readonly EventMessage[] {
    const held = this.#rest.length === 0 ? bytes : joinBytes([this.#rest, bytes]);
    const messages: EventMessage[] = [];
    let offset = 0;
    while (held.length - offset >= PRELUDE_BYTES) {
      const total = this.#messageLength(held.subarray(offset, offset + PRELUDE_BYTES));
      if (held.length - offset < total) break;
      messages.push(this.#message(held.subarray(offset, offset + total)));
      offset += total;
    }
    this.#rest = held.slice(offset);
    return messages;
  }

  /** Whether the bytes so far end between two messages. */
  get isWhole(): boolean {
    return this.#rest.length === 0;
  }

  #messageLength(prelude: Uint8Array): number {
    const view = viewOf(prelude);
    if (crc32(prelude.subarray(0, 8)) !== view.getUint32(8)) throw new EventStreamError('a prelude fails its checksum');
    const total = view.getUint32(0);
    const headers = view.getUint32(4);
    if (total > MAX_MESSAGE_BYTES || headers > MAX_HEADER_BYTES) throw new EventStreamError('a message is too long');
    if (total < PRELUDE_BYTES + headers + CHECKSUM_BYTES)
      throw new EventStreamError('a message is shorter than its headers');
    return total;
  }

  #message(message: Uint8Array): EventMessage {
    const view = viewOf(message);
    const end = message.length - CHECKSUM_BYTES;
    if (crc32(message.subarray(0, end)) !== view.getUint32(end))
      throw new EventStreamError('a message fails its checksum');
    const headerEnd = PRELUDE_BYTES + view.getUint32(4);
    const headers = this.#headers(message.subarray(PRELUDE_BYTES, headerEnd));
    return { headers, payload: message.slice(headerEnd, end) };
  }

  #headers(bytes: Uint8Array): ReadonlyMap<string, string> {
    const view = viewOf(bytes);
    const headers = new Map<string, string>();
    let offset = 0;
    const take = (length: number): Uint8Array => {
      if (offset + length > bytes.length) throw new EventStreamError('a header runs past the end');
      offset += length;
      return bytes.subarray(offset - length, offset);
    };
    while (offset < bytes.length) {
      const name = this.#decodeText(take(take(1)[0] ?? 0));
      const type = take(1)[0] ?? 0;
      const size = VALUE_BYTES[type];
      if (size === undefined) throw new EventStreamError('a header has an unknown type');
      if (size < 0) take(2);
      const value = take(size < 0 ? view.getUint16(offset - 2) : size);
      if (type === STRING_TYPE) headers.set(name, this.#decodeText(value));
    }
    return headers;
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
