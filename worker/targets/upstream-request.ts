/**
 * The request body that the model server reads. Owns the mapping from an internal call to bytes;
 * leaves out headers and signing.
 */
import type { ImageInput, NumbersInput, TextInput } from '../../shared/schema/model-input.ts';
import type { UpstreamRequest } from '../../shared/schema/upstream.ts';
import { encodeBase64 } from '../base64.ts';
import type { TargetCall } from '../ports.ts';
import { encodeUtf8 } from '../aws/encode-utf8.ts';

/** What the model server takes. */
type ServerInput = TextInput | ImageInput | NumbersInput;

type ServerCall = Omit<TargetCall, 'input'> & { readonly input: ServerInput };

/** The encoded body, or undefined where it would exceed `maxBytes`. */
export function encodeUpstreamRequest(call: ServerCall, maxBytes: number): Uint8Array<ArrayBuffer> | undefined {
  const { input } = call;
  if (leastBytes(input) > maxBytes) return undefined;
  const request: UpstreamRequest = {
    request_id: call.requestId,
    model: call.model.name,
    variant: call.variant,
    input: toWireInput(input),
    deadline_ms: call.timeoutMs,
  };
  const body = encodeUtf8(JSON.stringify(request));
  return body.byteLength > maxBytes ? undefined : body;
}

/** A lower bound that needs no encoding, so that an absurd input is refused before memory is spent on it. */
function leastBytes(input: ServerInput): number {
  switch (input.kind) {
    case 'text':
      return input.texts.reduce((sum, text) => sum + text.length, 0);
    case 'image':
      return input.images.reduce((sum, image) => sum + image.byteLength, 0);
    case 'numbers':
      return input.rows.reduce((sum, row) => sum + row.byteLength, 0);
  }
}

function toWireInput(input: ServerInput): UpstreamRequest['input'] {
  switch (input.kind) {
    case 'text':
      return { kind: 'text', texts: [...input.texts] };
    case 'image':
      return {
        kind: 'image',
        height: input.height,
        width: input.width,
        channels: input.channels,
        pixels_base64: encodeFloats(input.images),
        count: input.images.length,
      };
    case 'numbers':
      return { kind: 'numbers', size: input.size, values_base64: encodeFloats(input.rows), count: input.rows.length };
  }
}

/** Every platform this runs on is little endian, as the wire asks. */
function encodeFloats(rows: readonly Float32Array[]): string {
  const floats = new Float32Array(rows.reduce((sum, row) => sum + row.length, 0));
  let offset = 0;
  for (const row of rows) {
    floats.set(row, offset);
    offset += row.length;
  }
  return encodeBase64(new Uint8Array(floats.buffer));
}
