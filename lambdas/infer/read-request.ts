/**
 * Bytes and headers of a POST -> UpstreamRequest. Owns what makes a request unreadable and how that is said.
 * Messages name fields, never values; the parser's own messages quote the body and are dropped.
 */
import { GatewayError } from '../../shared/errors.ts';
import { DEADLINE_HEADER, TRACEPARENT_HEADER } from '../../shared/names.ts';
import type { UpstreamRequest } from '../../shared/schema/upstream.ts';
import { upstreamRequestSchema } from '../../shared/schema/upstream.ts';
import { parseTraceparent } from '../../shared/trace/trace.ts';

/** What SageMaker and Lambda accept in one synchronous call. */
export const MAX_BODY_BYTES = 6 * 1024 * 1024;

export type Incoming = {
  readonly method: string;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Uint8Array;
};

/** Printable ASCII: it goes into a header and a log line. */
const REQUEST_ID = /^[\x21-\x7e]{1,128}$/;

export function usableRequestId(value: string | undefined): string | undefined {
  return value !== undefined && REQUEST_ID.test(value) ? value : undefined;
}

/** SageMaker lets one header of the caller's through to its container; there the trace context is one of its attributes. */
const CUSTOM_ATTRIBUTES_HEADER = 'x-amzn-sagemaker-custom-attributes';

export function traceIdOf(headers: Incoming['headers']): string | null {
  const attribute = headers[CUSTOM_ATTRIBUTES_HEADER]
    ?.split(',')
    .find((part) => part.startsWith(`${TRACEPARENT_HEADER}=`));
  const header = headers[TRACEPARENT_HEADER] ?? attribute?.slice(TRACEPARENT_HEADER.length + 1);
  return header === undefined ? null : (parseTraceparent(header)?.traceId ?? null);
}

export function readRequest({ method, headers, body }: Incoming): UpstreamRequest {
  if (method !== 'POST') throw new GatewayError('method_not_allowed', 'Only POST is answered here.');
  const mediaType = (headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase();
  const encoding = headers['content-encoding']?.trim().toLowerCase() ?? 'identity';
  if (mediaType !== 'application/json' || encoding !== 'identity') {
    throw new GatewayError('unsupported_media_type', 'The body must be application/json, not compressed.');
  }
  if (body.byteLength > MAX_BODY_BYTES) throw bodyTooLarge();
  const parsed = upstreamRequestSchema.safeParse(parseJson(decode(body)));
  if (parsed.success) return parsed.data;
  const field = parsed.error.issues[0]?.path.map(String).join('.') || 'the body';
  throw new GatewayError('invalid_request', `${field} is missing or not as the protocol says.`, { field });
}

export function bodyTooLarge(): GatewayError {
  return new GatewayError('payload_too_large', `The body may have at most ${MAX_BODY_BYTES} bytes.`);
}

/** The body's deadline, or the header's where that is nearer. */
export function deadlineMs(request: UpstreamRequest, headers: Incoming['headers']): number {
  return Math.min(headerDeadlineMs(headers) ?? request.deadline_ms, request.deadline_ms);
}

export function headerDeadlineMs(headers: Incoming['headers']): number | undefined {
  const ms = Number(headers[DEADLINE_HEADER] ?? Number.NaN);
  return ms > 0 ? ms : undefined;
}

function decode(body: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch {
    throw new GatewayError('invalid_encoding', 'The body is not UTF-8.');
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new GatewayError('invalid_json', 'The body is not JSON.');
  }
}
