/**
 * A v2 server's answer, bounded: its status as a reason, its body as tensors.
 */
import type { FailureReason } from '../../../shared/decide/plan-types.ts';
import { OpenInferenceError } from '../../../shared/open-inference/protocol-error.ts';
import { readTensors } from '../../../shared/open-inference/read-tensors.ts';
import { HEADER_LENGTH_HEADER, splitBody } from '../../../shared/open-inference/split-body.ts';
import { joinBytes } from '../../../shared/protocol/join-bytes.ts';
import type { NamedTensor } from '../../../shared/schema/tensor.ts';
import { failed, parseRetryAfterMs, type FailedResult } from '../failure.ts';

const encoder = new TextEncoder();
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false });

export type Answered = { readonly kind: 'tensors'; readonly outputs: readonly NamedTensor[] };

/** @param tooLong whose doing an answer above `maxBytes` is */
export async function readAnswer(
  response: Response,
  maxBytes: number,
  nowMs: number,
  tooLong: FailureReason = 'garbage',
): Promise<Answered | FailedResult> {
  if (!response.ok) {
    await response.body?.cancel();
    const retryAfterMs = parseRetryAfterMs(response.headers.get('retry-after'), nowMs);
    return failed(reasonOfStatus(response.status), `the server answered HTTP ${response.status}`, { retryAfterMs });
  }
  const body = await readBytes(response, maxBytes);
  if (body === 'cut') return failed('cut', 'the answer broke off');
  if (body === 'too_long') return failed(tooLong, `the answer is longer than ${maxBytes} bytes`);
  try {
    const { json, binary } = splitBody(body, response.headers.get(HEADER_LENGTH_HEADER));
    const value: unknown = JSON.parse(utf8.decode(json));
    if (typeof value !== 'object' || value === null || !('outputs' in value))
      return failed('garbage', 'the answer is not of the protocol');
    return { kind: 'tensors', outputs: readTensors(value.outputs, binary, 'outputs', (text) => encoder.encode(text)) };
  } catch (error) {
    const where = error instanceof OpenInferenceError ? ` at ${error.path}` : '';
    return failed('garbage', `the answer is not of the protocol${where}`);
  }
}

function reasonOfStatus(status: number): FailureReason {
  if (status === 401 || status === 403) return 'credentials';
  if (status === 429) return 'throttled';
  // What KServe and Triton say while a model is being loaded.
  if (status === 503) return 'not_ready';
  return status >= 400 && status < 500 ? 'rejected' : 'upstream_error';
}

async function readBytes(response: Response, maxBytes: number): Promise<Uint8Array | 'cut' | 'too_long'> {
  if (response.body === null) return new Uint8Array(0);
  const declared = Number(response.headers.get('content-length') ?? Number.NaN);
  if (declared > maxBytes) {
    await response.body.cancel();
    return 'too_long';
  }
  try {
    // Of a known length: taken whole, which costs one turn of the event loop where a stream costs one a chunk.
    if (declared <= maxBytes) return new Uint8Array(await response.arrayBuffer());
    const reader: ReadableStreamDefaultReader<Uint8Array> = response.body.getReader();
    const chunks: Uint8Array[] = [];
    let sizeBytes = 0;
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return joinBytes(chunks);
      sizeBytes += value.byteLength;
      if (sizeBytes > maxBytes) {
        reader.cancel().catch(() => undefined);
        return 'too_long';
      }
      chunks.push(value);
    }
  } catch {
    return 'cut';
  }
}
