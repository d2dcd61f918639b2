/**
 * One invocation of the container, buffered or as an event stream, with SageMaker's errors around it.
 * Owns what passes through: content type, accept and the X-Amzn-SageMaker- headers, nothing else of the caller's.
 */
import { LOCAL_ACCOUNT } from '../lib/account.ts';
import { Agent, request as httpRequest } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { sendRestJsonError } from '../lib/aws-error.ts';
import { EVENT_STREAM_CONTENT_TYPE, encodeEvent, encodeException } from '../lib/event-stream.ts';
import type { ServiceRequest } from '../lib/http-service.ts';
import { sendChunk } from '../lib/send-stream.ts';

export const MAX_BODY_BYTES = 6 * 1024 * 1024;
/** Of a PayloadPart; a longer piece of the container's is split. */
const MAX_PART_BYTES = 1024 * 1024;
const CUSTOM_ATTRIBUTES = 'x-amzn-sagemaker-custom-attributes';

export type EndpointSpec = {
  readonly name: string;
  readonly region: string;
  readonly variantName: string;
  readonly timeoutMs: number;
  readonly streamTimeoutMs: number;
};

type Asked =
  | { readonly kind: 'answered'; readonly answer: IncomingMessage }
  | { readonly kind: 'timed_out' }
  | { readonly kind: 'broken'; readonly cause: Error };

const agent = new Agent({ keepAlive: true });

export async function invokeContainer(
  port: number,
  spec: EndpointSpec,
  request: ServiceRequest,
  response: ServerResponse,
): Promise<void> {
  const streaming = request.path.endsWith('-response-stream');
  const deadline = AbortSignal.timeout(spec.timeoutMs);
  const upstream = new AbortController();
  const stop = (): void => upstream.abort();
  // A caller that leaves frees the container here. SageMaker does not say whether it does the same.
  request.signal.addEventListener('abort', stop, { once: true });
  deadline.addEventListener('abort', stop, { once: true });

  const asked = await ask(port, request, upstream.signal, deadline);
  if (asked.kind !== 'answered') {
    sendNoAnswer(response, spec, asked);
    return;
  }
  const { answer } = asked;
  const status = answer.statusCode ?? 0;
  const body = streaming && status < 300 ? undefined : await buffer(answer).catch((): 'broken' => 'broken');
  if (body === 'broken') {
    sendNoAnswer(response, spec, deadline.aborted ? { kind: 'timed_out' } : { kind: 'broken' });
  } else if (status < 200 || status >= 300) {
    sendModelError(response, spec, status, body?.toString('utf8') ?? '');
  } else {
    const attributes = answer.headers[CUSTOM_ATTRIBUTES];
    const headers = {
      'x-Amzn-Invoked-Production-Variant': spec.variantName,
      ...(attributes === undefined ? {} : { 'X-Amzn-SageMaker-Custom-Attributes': attributes }),
    };
    const contentType = answer.headers['content-type'] ?? 'application/octet-stream';
    if (body === undefined) {
      deadline.removeEventListener('abort', stop);
      response.writeHead(200, {
        ...headers,
        'content-type': EVENT_STREAM_CONTENT_TYPE,
        'X-Amzn-SageMaker-Content-Type': contentType,
      });
      response.flushHeaders();
      await relay(answer, response, spec.streamTimeoutMs, stop);
    } else {
      response.writeHead(200, { ...headers, 'content-type': contentType, 'content-length': body.length });
      response.end(body);
    }
  }
}

function ask(port: number, request: ServiceRequest, signal: AbortSignal, deadline: AbortSignal): Promise<Asked> {
  return new Promise((resolve) => {
    const out = httpRequest({
      host: '127.0.0.1',
      port,
      path: '/invocations',
      method: 'POST',
      agent,
      signal,
      headers: { ...passedOn(request), 'content-length': request.body.length },
    });
    out.once('response', (answer) => resolve({ kind: 'answered', answer }));
    out.on('error', (cause) => resolve(deadline.aborted ? { kind: 'timed_out' } : { kind: 'broken', cause }));
    out.end(request.body);
  });
}

function passedOn(request: ServiceRequest): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(request.headers)) {
    const passes = name === 'content-type' || name === 'accept' || name.startsWith('x-amzn-sagemaker-');
    if (passes && typeof value === 'string') headers[name] = value;
  }
  return headers;
}

/** Once the stream runs, a failure can only be an exception event; the HTTP status is spent. */
async function relay(
  answer: IncomingMessage,
  response: ServerResponse,
  timeoutMs: number,
  stop: () => void,
): Promise<void> {
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    stop();
  }, timeoutMs);
  try {
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      for (let from = 0; from < chunk.length; from += MAX_PART_BYTES) {
        const part = chunk.subarray(from, from + MAX_PART_BYTES);
        await sendChunk(response, encodeEvent('PayloadPart', 'application/octet-stream', part));
      }
    }
    response.end();
  } catch {
    const [code, message] = timedOut
      ? ['ModelInvocationTimeExceeded', 'The model failed to finish sending the response within the timeout period.']
      : ['StreamBroken', 'The connection between the client and the model was reset or closed.'];
    response.end(encodeException('ModelStreamError', { ErrorCode: code, Message: message }));
  } finally {
    clearTimeout(timer);
  }
}

/** No HTTP status came from the container: SageMaker calls that server error (0). */
function sendNoAnswer(
  response: ServerResponse,
  spec: EndpointSpec,
  asked: { readonly kind: 'timed_out' | 'broken' },
): void {
  const message =
    asked.kind === 'timed_out'
      ? 'Your invocation timed out while waiting for a response from container primary. Review the latency metrics for each container in Amazon CloudWatch, resolve the issue, and try again.'
      : 'The container closed the connection before it answered.';
  sendModelError(response, spec, 0, message);
}

export function sendModelError(response: ServerResponse, spec: EndpointSpec, status: number, original: string): void {
  const group = `/aws/sagemaker/Endpoints/${spec.name}`;
  const side = status >= 400 && status < 500 ? 'client' : 'server';
  const console_ = `https://${spec.region}.console.aws.amazon.com/cloudwatch/home?region=${spec.region}#logEventViewer:group=${group}`;
  sendRestJsonError(response, {
    status: 424,
    type: 'ModelError',
    messageKey: 'Message',
    message: `Received ${side} error (${status}) from primary with message "${original}". See ${console_} in account ${LOCAL_ACCOUNT} for more information.`,
    members: {
      ErrorCode: side === 'client' ? 'CLIENT_ERROR_FROM_MODEL' : 'INTERNAL_FAILURE_FROM_MODEL',
      LogStreamArn: `arn:aws:logs:${spec.region}:${LOCAL_ACCOUNT}:log-group:${group}`,
      OriginalMessage: original,
      OriginalStatusCode: status,
    },
  });
}
