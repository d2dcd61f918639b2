/**
 * The Function URL: any HTTP request becomes an event of payload format 2.0, the handler's stream becomes the HTTP answer.
 * Owns the HTTP face of an invocation; the signature was checked before.
 */
import type { ServerResponse } from 'node:http';
import { sendRestJsonError } from '../lib/aws-error.ts';
import type { ServiceRequest } from '../lib/http-service.ts';
import { sendChunk } from '../lib/send-stream.ts';
import { FunctionFailed } from './lambda-environment.ts';
import type { Invocation } from './lambda-environment.ts';
import { httpEvent, parseBufferedResult, parsePrelude } from './lambda-event.ts';
import type { HttpAnswer } from './lambda-event.ts';
import type { Pool } from './lambda-pool.ts';

const INTEGRATION_TYPE = 'application/vnd.awslambda.http-integration-response';
/** Of the event, base64 included, as AWS counts it. */
export const MAX_EVENT_BYTES = 6 * 1024 * 1024;
const MAX_PRELUDE_BYTES = 64 * 1024;
const PRELUDE_END = Buffer.alloc(8);

export async function answerFunctionUrl(
  pool: Pool,
  request: ServiceRequest,
  response: ServerResponse,
  caller: { readonly accessKeyId: string; readonly nowMs: number },
): Promise<void> {
  const event = Buffer.from(JSON.stringify(httpEvent(request, caller.accessKeyId, caller.nowMs)));
  if (event.length > MAX_EVENT_BYTES) {
    sendFunctionUrlStatus(response, 413);
    return;
  }
  const invocation = await pool.invoke(event, request.id).catch((): Invocation | undefined => undefined);
  switch (invocation?.kind) {
    case 'throttled':
      sendFunctionUrlStatus(response, 429);
      return;
    case 'buffered': {
      const result = parseBufferedResult(invocation.body);
      if (result === undefined) sendFunctionUrlStatus(response, 502);
      else response.writeHead(result.status, result.headers).end(result.body);
      return;
    }
    case 'streaming':
      await relay(invocation.contentType, invocation.chunks, response);
      return;
    case 'failed':
    case undefined:
      // Thrown, exited, timed out or not loadable: all 502 with these words. AWS documents no status of its own for a
      // time-out behind a Function URL (its 504 with `lambda-web-error-type: Runtime.RequestTimeout` is of web functions:
      // https://docs.aws.amazon.com/lambda/latest/dg/web-functions-revisions-timeout.html); users report 502.
      sendFunctionUrlStatus(response, 502);
  }
}

/** Headers leave with the prelude; a failure before it is still a clean 502, after it the connection breaks off. */
async function relay(contentType: string, chunks: AsyncIterable<Buffer>, response: ServerResponse): Promise<void> {
  let head: HttpAnswer | undefined =
    contentType === INTEGRATION_TYPE ? undefined : { status: 200, headers: { 'content-type': contentType } };
  let pending = Buffer.alloc(0);
  try {
    for await (const chunk of chunks) {
      if (head !== undefined) {
        if (!response.headersSent) response.writeHead(head.status, head.headers);
        await sendChunk(response, chunk);
        continue;
      }
      pending = Buffer.concat([pending, chunk]);
      const endAt = pending.indexOf(PRELUDE_END);
      if (endAt < 0 && pending.length <= MAX_PRELUDE_BYTES) continue;
      head = endAt < 0 ? undefined : parsePrelude(pending.subarray(0, endAt).toString('utf8'));
      if (head === undefined) break;
      response.writeHead(head.status, head.headers);
      response.flushHeaders();
      await sendChunk(response, pending.subarray(endAt + PRELUDE_END.length));
    }
  } catch (cause) {
    if (!(cause instanceof FunctionFailed)) throw cause;
    if (response.headersSent) {
      response.socket?.destroy();
      return;
    }
    head = undefined;
  }
  if (head === undefined) {
    sendFunctionUrlStatus(response, 502);
    return;
  }
  if (!response.headersSent) response.writeHead(head.status, head.headers);
  response.end();
}

/** The Function URL's own errors, spelled as it spells them: `Message`, and 502 as a bare sentence. */
export function sendFunctionUrlStatus(response: ServerResponse, status: number): void {
  if (status === 502 || status >= 500) {
    const body = status === 503 ? 'Service Unavailable' : 'Internal Server Error';
    response.writeHead(status, { 'content-type': 'application/json', 'content-length': body.length });
    response.end(body);
    return;
  }
  const [type, message] = FUNCTION_URL_ERRORS[status] ?? ['', 'Bad Request'];
  sendRestJsonError(response, { status, type, message, messageKey: 'Message' });
}

const FUNCTION_URL_ERRORS: Readonly<Record<number, readonly [string, string]>> = {
  403: [
    'AccessDeniedException',
    'Forbidden. For troubleshooting Function URL authorization issues, see: https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html',
  ],
  413: [
    'RequestTooLargeException',
    `Request must be smaller than ${MAX_EVENT_BYTES} bytes for the InvokeFunction operation`,
  ],
  429: ['TooManyRequestsException', 'Rate Exceeded.'],
};
