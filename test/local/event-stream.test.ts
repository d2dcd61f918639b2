/** Event framing, byte by byte and through a strict decoder; AWS's own decoder is the witness in test/contract/aws-wire.test.ts. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeEvent, encodeException } from '../../local/lib/event-stream.ts';
import { decodeEvents } from '../fixtures/local/decode-events.ts';

describe('an encoded event', () => {
  it('comes back with headers and payload, one after another', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 4 }), (payloads) => {
        const bytes = Buffer.concat(
          payloads.map((payload) => encodeEvent('PayloadPart', 'application/octet-stream', payload)),
        );
        expect(decodeEvents(bytes)).toEqual(
          payloads.map((payload) => ({
            headers: {
              ':message-type': 'event',
              ':event-type': 'PayloadPart',
              ':content-type': 'application/octet-stream',
            },
            payload: Buffer.from(payload),
          })),
        );
      }),
    );
  });

  it('does not come back when any one byte is changed', () => {
    const bytes = encodeEvent('PayloadPart', 'application/octet-stream', Buffer.from('{"kind":"done"}'));
    for (let at = 0; at < bytes.length; at += 1) {
      const changed = Buffer.from(bytes);
      changed.writeUInt8(changed.readUInt8(at) ^ 1, at);
      expect(() => decodeEvents(changed), `byte ${at}`).toThrow(/wrong|checksum|out of range|outside/);
    }
  });

  it('is an exception with JSON where the stream failed', () => {
    expect(decodeEvents(encodeException('ModelStreamError', { ErrorCode: 'StreamBroken', Message: 'm' }))).toEqual([
      {
        headers: {
          ':message-type': 'exception',
          ':exception-type': 'ModelStreamError',
          ':content-type': 'application/json',
        },
        payload: Buffer.from('{"ErrorCode":"StreamBroken","Message":"m"}'),
      },
    ]);
  });
});
