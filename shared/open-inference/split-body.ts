/**
 * The binary tensor extension's body: JSON first, raw tensors behind it. Owns where the one ends and the other begins.
 */
import { joinBytes } from '../protocol/join-bytes.ts';
import { OpenInferenceError } from './protocol-error.ts';

export const HEADER_LENGTH_HEADER = 'inference-header-content-length';

export type SplitBody = {
  /** UTF-8 JSON. */
  readonly json: Uint8Array;
  /** Tensors' bytes one after another, in the order of the JSON; empty without the extension. */
  readonly binary: Uint8Array;
};

/** @param headerLength value of `Inference-Header-Content-Length`, or null where the header is absent */
export function splitBody(body: Uint8Array, headerLength: string | null): SplitBody {
  if (headerLength === null) return { json: body, binary: new Uint8Array(0) };
  const length = /^\d{1,12}$/.test(headerLength) ? Number(headerLength) : Number.NaN;
  if (!(length <= body.byteLength))
    throw new OpenInferenceError(
      HEADER_LENGTH_HEADER,
      `must be a number of bytes within the body's ${body.byteLength}`,
    );
  return { json: body.subarray(0, length), binary: body.subarray(length) };
}

export function joinBody(json: Uint8Array, tensors: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return joinBytes([json, ...tensors]);
}
