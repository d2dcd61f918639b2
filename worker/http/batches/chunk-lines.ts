/**
 * Cuts a body of lines into chunks as it arrives: whole lines only, blank ones left out. Owns the bounds, so that whatever is
 * sent, no more than one chunk and one line are held.
 */
import { GatewayError } from '../../../shared/errors.ts';
import { brokeOff } from '../read-json.ts';

/** `bytes` are those of the one buffer there is: good until the next chunk is asked for. */
export type LineChunk = { readonly bytes: Uint8Array<ArrayBuffer>; readonly lines: number };

export type ChunkLimits = {
  readonly maxLineBytes: number;
  readonly chunkBytes: number;
  readonly chunkLines: number;
};

const NEWLINE = 10;
const BLANKS = new Set([9, 13, 32]);

export async function* chunkLines(
  body: ReadableStream<Uint8Array>,
  limits: ChunkLimits,
): AsyncGenerator<LineChunk, void, undefined> {
  // A line is added whole before the chunk is looked at: it may overhang by one.
  const buffer = new Uint8Array(limits.chunkBytes + limits.maxLineBytes + 1);
  /** Where the open line begins, and where what has arrived ends. */
  let lineStart = 0;
  let end = 0;
  let lines = 0;

  const closeLine = (): void => {
    if (isBlank(buffer.subarray(lineStart, end))) {
      end = lineStart;
      return;
    }
    buffer[end] = NEWLINE;
    end += 1;
    lineStart = end;
    lines += 1;
  };
  const take = (): LineChunk => {
    const chunk = { bytes: buffer.subarray(0, lineStart), lines };
    lineStart = 0;
    end = 0;
    lines = 0;
    return chunk;
  };

  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read().catch(brokeOff);
      if (done) break;
      for (let at = 0; at < value.length;) {
        const newline = value.indexOf(NEWLINE, at);
        const piece = value.subarray(at, newline < 0 ? value.length : newline);
        if (end - lineStart + piece.length > limits.maxLineBytes) throw tooLong(limits.maxLineBytes);
        buffer.set(piece, end);
        end += piece.length;
        at += piece.length + 1;
        if (newline < 0) continue;
        closeLine();
        if (lines >= limits.chunkLines || lineStart >= limits.chunkBytes) yield take();
      }
    }
    closeLine();
    if (lines > 0) yield take();
  } finally {
    reader.cancel().catch(() => undefined);
  }
}

function isBlank(line: Uint8Array): boolean {
  return line.every((byte) => BLANKS.has(byte));
}

function tooLong(maxBytes: number): GatewayError {
  return new GatewayError('payload_too_large', `A line is larger than ${maxBytes} bytes.`);
}
