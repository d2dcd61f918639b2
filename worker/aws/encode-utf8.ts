/**
 * Text as bytes that fetch and WebCrypto take. Owns the one doubt of the type libraries: TextEncoder never yields shared
 * memory, but its type allows it.
 */
const encoder = new TextEncoder();

export function encodeUtf8(text: string): Uint8Array<ArrayBuffer> {
  const bytes = encoder.encode(text);
  return ownsItsMemory(bytes) ? bytes : new Uint8Array(bytes);
}

function ownsItsMemory(bytes: Uint8Array): bytes is Uint8Array<ArrayBuffer> {
  return bytes.buffer instanceof ArrayBuffer;
}
