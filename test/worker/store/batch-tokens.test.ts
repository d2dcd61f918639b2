import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createBatchTokens } from '../../../worker/store/batch-tokens.ts';

const tokens = createBatchTokens('0123456789abcdef0123456789abcdef');

describe("a batch's token", () => {
  it('names its tenant until its time is over', async () => {
    const token = await tokens.issue('b', 'team-a', 1_000);
    expect(await tokens.verify(token, 999)).toBe('team-a');
    expect(await tokens.verify(token, 1_000)).toBeUndefined();
  });

  it('of another key is none', async () => {
    const other = createBatchTokens('another-key-of-at-least-32-bytes!!');
    expect(await tokens.verify(await other.issue('b', 'team-a', 1_000), 0)).toBeUndefined();
  });

  it('with any character changed is none, and no text makes it fail', async () => {
    const token = await tokens.issue('b', 'team-a', 1_000);
    await fc.assert(
      fc.asyncProperty(fc.nat(token.length - 4), fc.constantFrom('A', 'B', '_', '.'), async (at, character) => {
        const place = at + 3;
        const changed = `${token.slice(0, place)}${character}${token.slice(place + 1)}`;
        // The last character of base64 holds bits that mean nothing.
        if (changed === token || place === token.length - 1) return;
        expect(await tokens.verify(changed, 0)).toBeUndefined();
      }),
    );
    await fc.assert(
      fc.asyncProperty(fc.string(), async (text) => {
        expect(await tokens.verify(`hb_${text}`, 0)).toBeUndefined();
      }),
    );
  });
});
