/**
 * Reads at most so many bytes of a body as text, for answers that are only looked at (errors) or are small by contract.
 * Owns the bound; leaves out time.
 */

/** What arrived within the bound; the rest is cancelled. A broken body yields what came before. */
export async function readBoundedText(body: ReadableStream<Uint8Array> | null, maxBytes: number): Promise<string> {
  return (await readBounded(body, maxBytes)).text;
}

export type BoundedText = { readonly text: string; readonly complete: boolean };

export async function readBounded(body: ReadableStream<Uint8Array> | null, maxBytes: number): Promise<BoundedText> {
  if (body === null) return { text: '', complete: true };
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let text = '';
  let left = maxBytes;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return { text: text + decoder.decode(), complete: true };
      text += decoder.decode(value.subarray(0, left), { stream: true });
      left -= value.byteLength;
      if (left < 0) {
        reader.cancel().catch(() => undefined);
        return { text, complete: false };
      }
    }
  } catch {
    return { text, complete: false };
  }
}
