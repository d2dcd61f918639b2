import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isBlankLine } from '../../../../shared/batch/batch-lines.ts';
import { GatewayError } from '../../../../shared/errors.ts';
import { chunkLines } from '../../../../worker/http/batches/chunk-lines.ts';

const LIMITS = { maxLineBytes: 64, chunkBytes: 100, chunkLines: 5 };

function streamOf(bytes: Uint8Array, pieceBytes: number): ReadableStream<Uint8Array> {
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at >= bytes.length) controller.close();
      else controller.enqueue(bytes.subarray(at, (at += pieceBytes)));
    },
  });
}

async function chunksOf(text: string, pieceBytes = 7, limits = LIMITS) {
  const chunks: { text: string; lines: number }[] = [];
  for await (const { bytes, lines } of chunkLines(streamOf(new TextEncoder().encode(text), pieceBytes), limits)) {
    chunks.push({ text: new TextDecoder().decode(bytes), lines });
  }
  return chunks;
}

describe('a body cut into chunks', () => {
  it('keeps lines whole and in order, however it arrives, and leaves blank ones out', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.string({ unit: fc.constantFrom('a', '\u{1F600}', ' ', '\t', '\r', 'é', '\0'), maxLength: 12 })),
        fc.integer({ min: 1, max: 40 }),
        async (lines, pieceBytes) => {
          const chunks = await chunksOf(lines.join('\n'), pieceBytes);
          const wanted = lines.filter((line) => !isBlankLine(line));
          expect(chunks.flatMap(({ text }) => text.split('\n').slice(0, -1))).toEqual(wanted);
          for (const { text, lines: counted } of chunks) {
            expect(counted).toBe(text.split('\n').length - 1);
            expect(counted).toBeLessThanOrEqual(LIMITS.chunkLines);
            expect(new TextEncoder().encode(text).length).toBeLessThanOrEqual(
              LIMITS.chunkBytes + LIMITS.maxLineBytes + 1,
            );
          }
        },
      ),
    );
  });

  it('refuses a line that does not end, having held no more than it may', async () => {
    let sent = 0;
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        sent += 10;
        controller.enqueue(new Uint8Array(10).fill(120));
      },
    });
    const read = (async () => {
      for await (const chunk of chunkLines(endless, LIMITS)) expect(chunk).toBeUndefined();
    })();
    await expect(read).rejects.toThrow(GatewayError);
    expect(sent).toBeLessThan(200);
  });
});
