/**
 * The Invoke API: buffered Invoke and InvokeWithResponseStream (event stream). A function that fails is still a 200 here:
 * the failure is in X-Amz-Function-Error and the payload. Owns paths, headers and payloads; the signature was checked before.
 */
import type { ServerResponse } from 'node:http';
import { sendRestJsonError } from '../lib/aws-error.ts';
import { EVENT_STREAM_CONTENT_TYPE, encodeEvent } from '../lib/event-stream.ts';
import type { ServiceRequest } from '../lib/http-service.ts';
import { sendChunk } from '../lib/send-stream.ts';
import { FunctionFailed } from './lambda-environment.ts';
import type { FunctionFailure, FunctionSpec } from './lambda-environment.ts';
import { MAX_EVENT_BYTES } from './lambda-function-url.ts';
import type { Pool, PooledInvocation } from './lambda-pool.ts';

const MAX_RESULT_BYTES = 6 * 1024 * 1024;
const PATH =
  /^\/(2015-03-31\/functions\/([^/]+)\/invocations|2021-11-15\/functions\/([^/]+)\/response-streaming-invocations)$/;

type Answered = Exclude<PooledInvocation, { kind: 'throttled' }>;

export async function answerInvoke(
  pool: Pool,
  spec: FunctionSpec,
  request: ServiceRequest,
  response: ServerResponse,
): Promise<void> {
  const match = PATH.exec(request.path);
  if (match === null || request.method !== 'POST') {
    sendRestJsonError(response, { status: 404, type: 'UnknownOperationException', message: 'Unknown operation' });
    return;
  }
  const streaming = match[3] !== undefined;
  if (functionName(match[2] ?? match[3] ?? '') !== spec.name) {
    const arn = spec.arn.replace(/[^:]+$/, functionName(match[2] ?? match[3] ?? ''));
    sendRestJsonError(response, {
      status: 404,
      type: 'ResourceNotFoundException',
      message: `Function not found: ${arn}`,
      messageKey: 'Message',
      members: { Type: 'User' },
    });
    return;
  }
  const event = request.body.length === 0 ? Buffer.from('{}') : Buffer.from(request.body);
  const problem = jsonProblem(event);
  if (problem !== undefined) {
    sendRestJsonError(response, {
      status: 400,
      type: 'InvalidRequestContentException',
      message: `Could not parse request body into json: ${problem}`,
      members: { Type: 'User' },
    });
    return;
  }
  const type = request.headers['x-amz-invocation-type'] ?? 'RequestResponse';
  if (type === 'DryRun') {
    response.writeHead(204).end();
    return;
  }
  const invoked = pool.invoke(event, request.id).catch((cause: unknown): Answered => ({
    kind: 'failed',
    failure: {
      reason: 'exited',
      errorType: 'Runtime.ExitError',
      errorMessage: cause instanceof Error ? cause.message : String(cause),
    },
  }));
  if (type === 'Event') {
    response.writeHead(202).end();
    const answer = await invoked;
    if (answer.kind === 'streaming') await drain(answer.chunks);
    return;
  }
  const invocation = await invoked;
  if (invocation.kind === 'throttled') sendInvokeStatus(response, 429);
  else if (streaming) await sendStreamed(invocation, response);
  else await sendBuffered(invocation, response);
}

async function sendBuffered(invocation: Answered, response: ServerResponse): Promise<void> {
  const result = await payloadOf(invocation);
  const isFailed = 'errorType' in result;
  const body = isFailed ? Buffer.from(JSON.stringify(failureDocument(result))) : result;
  response.writeHead(200, {
    'content-type': !isFailed && invocation.kind === 'streaming' ? invocation.contentType : 'application/json',
    'content-length': body.length,
    'X-Amz-Executed-Version': '$LATEST',
    ...(isFailed ? { 'X-Amz-Function-Error': 'Unhandled' } : {}),
  });
  response.end(body);
}

/** A streaming handler invoked this way is collected to its end, prelude included. */
async function payloadOf(invocation: Answered): Promise<Buffer | FunctionFailure> {
  if (invocation.kind === 'failed') return invocation.failure;
  try {
    const body = invocation.kind === 'buffered' ? invocation.body : await drain(invocation.chunks);
    if (body.length <= MAX_RESULT_BYTES) return body;
    return {
      reason: 'thrown',
      errorType: 'Function.ResponseSizeTooLarge',
      errorMessage: `Response payload size exceeded maximum allowed payload size (${MAX_RESULT_BYTES} bytes).`,
    };
  } catch (cause) {
    if (cause instanceof FunctionFailed) return cause.failure;
    throw cause;
  }
}

async function sendStreamed(invocation: Answered, response: ServerResponse): Promise<void> {
  response.writeHead(200, {
    'content-type': EVENT_STREAM_CONTENT_TYPE,
    'X-Amz-Executed-Version': '$LATEST',
    'X-Amzn-Remapped-Content-Type': invocation.kind === 'streaming' ? invocation.contentType : 'application/json',
  });
  response.flushHeaders();
  let failure = invocation.kind === 'failed' ? invocation.failure : undefined;
  const send = (bytes: Buffer): Promise<void> =>
    sendChunk(response, encodeEvent('PayloadChunk', 'application/octet-stream', bytes));
  try {
    if (invocation.kind === 'buffered') await send(invocation.body);
    if (invocation.kind === 'streaming') for await (const chunk of invocation.chunks) await send(chunk);
  } catch (cause) {
    if (!(cause instanceof FunctionFailed)) throw cause;
    failure = cause.failure;
  }
  const complete =
    failure === undefined
      ? {}
      : { ErrorCode: failure.errorType, ErrorDetails: JSON.stringify(failureDocument(failure)) };
  response.end(encodeEvent('InvokeComplete', 'application/json', Buffer.from(JSON.stringify(complete))));
}

function failureDocument(failure: FunctionFailure): Readonly<Record<string, unknown>> {
  const { errorType, errorMessage, trace } = failure;
  return { errorType, errorMessage, ...(trace === undefined ? {} : { trace }) };
}

async function drain(chunks: AsyncIterable<Buffer>): Promise<Buffer> {
  const collected: Buffer[] = [];
  for await (const chunk of chunks) collected.push(chunk);
  return Buffer.concat(collected);
}

export function sendInvokeStatus(response: ServerResponse, status: number): void {
  switch (status) {
    case 413:
      sendRestJsonError(response, {
        status,
        type: 'RequestTooLargeException',
        message: `Request must be smaller than ${MAX_EVENT_BYTES} bytes for the InvokeFunction operation`,
        members: { Type: 'User' },
      });
      return;
    case 429:
      sendRestJsonError(response, {
        status,
        type: 'TooManyRequestsException',
        message: 'Rate Exceeded.',
        members: { Type: 'User', Reason: 'ReservedFunctionConcurrentInvocationLimitExceeded' },
        headers: { 'Retry-After': '1' },
      });
      return;
    default:
      sendRestJsonError(response, {
        status,
        type: 'ServiceException',
        message: 'The AWS Lambda service encountered an internal error.',
        messageKey: 'Message',
        members: { Type: 'Service' },
      });
  }
}

function functionName(nameOrArn: string): string {
  const decoded = decodeURIComponent(nameOrArn);
  const parts = decoded.split(':');
  const at = parts.indexOf('function');
  return (at >= 0 ? parts[at + 1] : parts[0]) ?? '';
}

function jsonProblem(body: Buffer): string | undefined {
  try {
    JSON.parse(body.toString('utf8'));
    return undefined;
  } catch (cause) {
    return cause instanceof Error ? cause.message : 'not JSON';
  }
}
