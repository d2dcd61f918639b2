/**
 * The request body that the model server reads. Owns the mapping from an internal call to bytes;
 * leaves out headers and signing.
 */
import type { ModelInput } from '../../shared/schema/infer-request.ts';
import type { UpstreamRequest } from '../../shared/schema/upstream.ts';
import type { TargetCall } from '../ports.ts';
import { encodeUtf8 } from '../aws/encode-utf8.ts';

/** The encoded body, or undefined where it would exceed `maxBytes`. */
export function encodeUpstreamRequest(call: TargetCall, maxBytes: number): Uint8Array<ArrayBuffer> | undefined {
  if (leastBytes(call.input) > maxBytes) return undefined;
  const request: UpstreamRequest = {
    request_id: call.requestId,
    model: call.model.name,
    variant: call.variant,
    input: toWireInput(call.input),
    deadline_ms: call.timeoutMs,
  };
  const body = encodeUtf8(JSON.stringify(request));
  return body.byteLength > maxBytes ? undefined : body;
}

/** A lower bound that needs no encoding, so that an absurd input is refused before memory is spent on it. */
function leastBytes(input: ModelInput): number {
  if (input.kind === 'text') return input.texts.reduce((sum, text) => sum + text.length, 0);
  return input.images.reduce((sum, image) => sum + image.byteLength, 0);
}

function toWireInput(input: ModelInput): UpstreamRequest['input'] {
  if (input.kind === 'text') return { kind: 'text', texts: [...input.texts] };
  return {
    kind: 'image',
    height: input.height,
    width: input.width,
    channels: input.channels,
    pixels_base64: encodePixels(input.images),
    count: input.images.length,
  };
}

/** Every platform this runs on is little endian, as the wire asks. */
function encodePixels(images: readonly Float32Array[]): string {
  const floats = new Float32Array(images.reduce((sum, image) => sum + image.length, 0));
  let offset = 0;
  for (const image of images) {
    floats.set(image, offset);
    offset += image.length;
  }
  return encodeBase64(new Uint8Array(floats.buffer));
}

/** Arguments to one fromCharCode call: well under every engine's limit. */
const BASE64_CHUNK_BYTES = 0x2000;

function encodeBase64(bytes: Uint8Array): string {
  let binary = '';
  for (let start = 0; start < bytes.length; start += BASE64_CHUNK_BYTES) {
    binary += String.fromCharCode(...bytes.subarray(start, start + BASE64_CHUNK_BYTES));
  }
  return btoa(binary);
}
