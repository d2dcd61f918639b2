/**
 * The model server behind an AWS Lambda Function URL. Owns how that front door is called and how its errors look;
 * the attempt itself is model-server.ts.
 */
import type { FailureReason } from '../../shared/decide/plan-types.ts';
import type { Target } from '../ports.ts';
import { failed, parseRetryAfterMs } from './failure.ts';
import type { FailedResult } from './failure.ts';
import { createModelServerTarget } from './model-server.ts';
import type { AwsTargetOptions, ErrorAnswer } from './model-server.ts';
import { reasonOfServerCode, serverErrorCode } from '../aws/server-error.ts';

export function createLambdaTarget(options: AwsTargetOptions): Target {
  const { endpoint } = options.spec;
  if (endpoint.kind !== 'lambda') throw new TypeError(`target ${options.spec.id} is not a lambda`);
  return createModelServerTarget(options, {
    service: 'lambda',
    url: endpoint.function_url === null ? undefined : bareUrl(endpoint.function_url),
    missingUrl: 'no function_url is configured',
    headersOf: () => ({}),
    takes: fitsAnEvent,
    failureOf,
  });
}

/** Lambda's limit of a synchronous invocation. */
const MAX_EVENT_BYTES = 6 * 1024 * 1024;
/** Of an event around its body: request context and headers, a session token the longest of them. */
const EVENT_FRAME_BYTES = 16 * 1024;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** What counts is the event, and there the body is a JSON text: each quote and backslash of it takes two bytes. */
function fitsAnEvent(body: Uint8Array): boolean {
  const room = MAX_EVENT_BYTES - EVENT_FRAME_BYTES - body.byteLength;
  if (room < 0 || body.byteLength <= room) return room >= 0;
  let escapes = 0;
  for (const byte of body) if (byte === QUOTE || byte === BACKSLASH) escapes += 1;
  return escapes <= room;
}

/** Signed as it is sent: with the path that URL parsing gives a bare origin, without a query, which would need signing. */
function bareUrl(functionUrl: string): string {
  const { origin, pathname } = new URL(functionUrl);
  return `${origin}${pathname}`;
}

/** A handler's own error carries a code in its body; what has none is the front door's. */
function failureOf(answer: ErrorAnswer, nowMs: number): FailedResult {
  const code = serverErrorCode(answer.body);
  const reason = (code === undefined ? undefined : reasonOfServerCode(code)) ?? reasonOfStatus(answer.status);
  return failed(reason, `the function answered HTTP ${answer.status}`, {
    retryAfterMs: parseRetryAfterMs(answer.headers.get('retry-after'), nowMs),
  });
}

function reasonOfStatus(status: number): FailureReason {
  if (status === 401 || status === 403) return 'credentials';
  if (status === 429) return 'throttled';
  if (status >= 400 && status < 500) return 'rejected';
  // 502 is a handler that threw, 504 one that ran out of its own time, 3xx nothing a Function URL does.
  return 'upstream_error';
}
