// Bytes to base64 and back, held to Node's own.

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeBase64, decodeBase64Url, encodeBase64, encodeBase64Url } from '../../worker/base64.ts';

const bytes = fc.uint8Array({ maxLength: 200 });

describe('base64', () => {
  it('is what Node makes of the same bytes, and comes back', () => {
    fc.assert(
      fc.property(bytes, (value) => {
        expect(encodeBase64(value)).toBe(Buffer.from(value).toString('base64'));
        expect(encodeBase64Url(value)).toBe(Buffer.from(value).toString('base64url'));
        expect(decodeBase64(encodeBase64(value))).toEqual(value);
        expect(decodeBase64Url(encodeBase64Url(value))).toEqual(value);
      }),
    );
  });

  it('takes more bytes than one call takes arguments', () => {
    const value = Uint8Array.from({ length: 300_001 }, (_, index) => index % 251);
    expect(decodeBase64(encodeBase64(value))).toEqual(value);
  });

  it('throws at what is no base64', () => {
    expect(() => decodeBase64('%')).toThrow(/Invalid character/);
  });
});
