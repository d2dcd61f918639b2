/** Frames as the stand-in and Amazon's own encoder write them, split anywhere, and frames that lie. */
import * as fc from 'fast-check';
import { crc32 as nodeCrc32 } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { encodeEvent, encodeException } from '../../../local/lib/event-stream.ts';
import { crc32 } from '../../../shared/hash/crc32.ts';
import { EventStreamDecoder, EventStreamError } from '../../../shared/protocol/event-stream.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true });
const open = (): EventStreamDecoder => new EventStreamDecoder((bytes) => utf8.decode(bytes));
const part = (text: string): Buffer => encodeEvent('PayloadPart', 'application/octet-stream', Buffer.from(text));

describe('the event stream decoder', () => {
  it('reads the same messages however the bytes are split', () => {
    const bytes = Buffer.concat([
      part('one'),
      part(''),
      part('caf\u00e9'),
      encodeException('ModelStreamError', { Message: 'm' }),
    ]);
    fc.assert(
      fc.property(fc.array(fc.nat(bytes.length), { maxLength: 20 }), (cuts) => {
        const decoder = open();
        const places = [0, ...cuts.sort((a, b) => a - b), bytes.length];
        const messages = places.slice(1).flatMap((end, index) => decoder.push(bytes.subarray(places[index], end)));
        expect(messages.map(({ payload }) => Buffer.from(payload).toString())).toEqual([
          'one',
          '',
          'caf\u00e9',
          '{"Message":"m"}',
        ]);
        expect(messages.map(({ headers }) => headers.get(':event-type') ?? headers.get(':exception-type'))).toEqual([
          'PayloadPart',
          'PayloadPart',
          'PayloadPart',
          'ModelStreamError',
        ]);
        expect(decoder.isWhole).toBe(true);
      }),
    );
  });

  it('knows that a message is not whole yet', () => {
    const decoder = open();
    expect(decoder.push(part('one').subarray(0, -1))).toEqual([]);
    expect(decoder.isWhole).toBe(false);
  });

  it('refuses a message with any one byte changed', () => {
    const good = part('some payload');
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const bad = Buffer.from(good);
        bad[at] = (bad[at] ?? 0) ^ change;
        expect(() => open().push(bad)).toThrow(EventStreamError);
      }),
    );
  });

  it('ends or waits on any bytes at all, and never throws anything else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          open().push(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(EventStreamError);
        }
      }),
    );
  });

  it.each([
    ['longer than any honest one', 3_000_000, 0],
    ['shorter than its headers', 16, 100],
  ])('refuses a message that says it is %s', (_what, total, headers) => {
    const prelude = Buffer.alloc(12);
    prelude.writeUInt32BE(total, 0);
    prelude.writeUInt32BE(headers, 4);
    prelude.writeUInt32BE(nodeCrc32(prelude.subarray(0, 8)), 8);
    expect(() => open().push(prelude)).toThrow(EventStreamError);
  });

  it('computes the checksum that zlib does', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(crc32(bytes)).toBe(nodeCrc32(bytes));
      }),
    );
  });
});
