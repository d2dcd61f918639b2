/**
 * Writes to an HTTP answer with back-pressure. Owns nothing but the waiting; where the caller is gone, bytes are dropped,
 * so that whoever produces them can finish.
 */
import type { ServerResponse } from 'node:http';

export async function sendChunk(response: ServerResponse, chunk: Uint8Array): Promise<void> {
  if (chunk.length === 0 || response.destroyed || response.write(chunk)) return;
  if (response.destroyed) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      response.off('drain', done);
      response.off('close', done);
      resolve();
    };
    response.on('drain', done);
    response.on('close', done);
  });
}
