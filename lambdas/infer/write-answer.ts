/**
 * Writes an answer's lines into a Node stream. Owns back-pressure and stopping when the stream is gone.
 */
import { once } from 'node:events';
import type { Writable } from 'node:stream';

export async function writeBody(stream: Writable, body: AsyncIterable<string>, signal: AbortSignal): Promise<void> {
  for await (const chunk of body) {
    if (stream.destroyed || signal.aborted) return;
    if (!stream.write(chunk)) await drained(stream, signal);
  }
  if (!stream.destroyed) stream.end();
}

async function drained(stream: Writable, signal: AbortSignal): Promise<void> {
  try {
    await once(stream, 'drain', { signal });
  } catch {
    // Aborted or broken: the loop sees it.
  }
}
