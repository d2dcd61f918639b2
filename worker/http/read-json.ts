/**
 * Reads a request's body, as JSON where it is: bounded, UTF-8 only, JSON only. Every refusal is a GatewayError with its own code.
 */
import { GatewayError } from '../../shared/errors.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false });

export async function readJson(request: Request, maxBodyBytes: number): Promise<unknown> {
  refuseOtherMediaTypes(request);
  const body = await readBody(request, maxBodyBytes);
  try {
    return parseJson(body);
  } catch (error) {
    // Asked only now: whoever sends plain JSON pays nothing for it.
    refuseEncoded(request);
    throw error;
  }
}

export function parseJson(bytes: Uint8Array): unknown {
  const text = decodeUtf8(bytes);
  try {
    return JSON.parse(text) as unknown;
  } catch {
    // The parser's own message quotes the body, and inputs never reach a log: no cause is kept.
    throw new GatewayError('invalid_json', 'The body is not valid JSON.');
  }
}

export function decodeUtf8(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch (cause) {
    throw new GatewayError('invalid_encoding', 'The body is not valid UTF-8.', { cause });
  }
}

export function refuseEncoded(request: Request): void {
  const encoding = request.headers.get('content-encoding')?.trim().toLowerCase() ?? '';
  if (encoding === '' || encoding === 'identity') return;
  throw new GatewayError('unsupported_media_type', 'Send the body uncompressed.', {
    headers: { 'accept-encoding': 'identity' },
  });
}

function refuseOtherMediaTypes(request: Request): void {
  const contentType = request.headers.get('content-type');
  const mediaType = contentType?.split(';', 1)[0]?.trim().toLowerCase();
  if (mediaType === 'application/json') return;
  throw new GatewayError('unsupported_media_type', 'Send the request with content-type: application/json.');
}

export async function readBody(request: Request, maxBytes: number): Promise<Uint8Array> {
  const declared = request.headers.get('content-length');
  if (declared !== null) {
    if (Number(declared) > maxBytes) throw tooLarge(maxBytes);
    const body = new Uint8Array(await request.arrayBuffer().catch(brokeOff));
    if (body.byteLength > maxBytes) throw tooLarge(maxBytes);
    return body;
  }
  return readChunks(request, maxBytes);
}

const FIRST_BUFFER_BYTES = 16_384;

/** Copied into one buffer as it comes: a body sent a byte at a time would otherwise hold a buffer of the platform for each. */
async function readChunks(request: Request, maxBytes: number): Promise<Uint8Array> {
  if (request.body === null) return new Uint8Array();
  const reader: ReadableStreamDefaultReader<Uint8Array> = request.body.getReader();
  let body = new Uint8Array(Math.min(maxBytes, FIRST_BUFFER_BYTES));
  let sizeBytes = 0;
  for (;;) {
    const { done, value } = await reader.read().catch(brokeOff);
    if (done) return body.subarray(0, sizeBytes);
    const endBytes = sizeBytes + value.byteLength;
    if (endBytes > maxBytes) {
      reader.cancel().catch(() => undefined);
      throw tooLarge(maxBytes);
    }
    if (endBytes > body.byteLength) {
      const larger = new Uint8Array(Math.min(maxBytes, Math.max(endBytes, 2 * body.byteLength)));
      larger.set(body.subarray(0, sizeBytes));
      body = larger;
    }
    body.set(value, sizeBytes);
    sizeBytes = endBytes;
  }
}

/** A body that ends before it is whole: nobody waits for an answer any more, and nothing of ours has failed. */
export function brokeOff(cause: unknown): never {
  throw new GatewayError('client_closed_request', 'The body broke off before its end.', { cause });
}

function tooLarge(maxBytes: number): GatewayError {
  return new GatewayError('payload_too_large', `The body is larger than ${maxBytes} bytes.`);
}
