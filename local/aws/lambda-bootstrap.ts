/**
 * What runs inside an execution environment: Lambda's Runtime API client and the `awslambda` global of the Node runtime,
 * around the real handler. Owns the loop next -> handler -> response; a child process of lambda-environment.ts.
 * https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html and runtimes-custom.html (response streaming).
 */
import { Agent, request } from 'node:http';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { pathToFileURL } from 'node:url';

const STREAMING = Symbol.for('aws.lambda.runtime.handler.streaming');
const INTEGRATION_TYPE = 'application/vnd.awslambda.http-integration-response';
const PRELUDE_END = Buffer.alloc(8);
const api = `http://${process.env['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime`;
const agent = new Agent({ keepAlive: true });

type Handler = ((...args: unknown[]) => unknown) & { [STREAMING]?: string };

class ResponseStream extends Writable {
  contentType = 'application/octet-stream';
  prelude: Buffer | undefined;
  #open: (contentType: string) => ClientRequest;
  #upstream: ClientRequest | undefined;

  constructor(open: (contentType: string) => ClientRequest) {
    super();
    this.#open = open;
  }

  setContentType(contentType: string): void {
    if (this.#upstream !== undefined) throw new Error('the content type is sent already');
    this.contentType = contentType;
  }

  get started(): boolean {
    return this.#upstream !== undefined;
  }

  #start(): ClientRequest {
    if (this.#upstream === undefined) {
      this.#upstream = this.#open(this.contentType);
      if (this.prelude !== undefined) this.#upstream.write(this.prelude);
    }
    return this.#upstream;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#start().write(chunk, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#start().end(() => done());
  }

  /** After bytes went out an error can only travel in the trailers. */
  fail(error: FunctionError): void {
    const upstream = this.#start();
    upstream.addTrailers({
      'Lambda-Runtime-Function-Error-Type': error.errorType,
      'Lambda-Runtime-Function-Error-Body': Buffer.from(JSON.stringify(error)).toString('base64'),
    });
    upstream.end();
  }
}

type FunctionError = { readonly errorType: string; readonly errorMessage: string; readonly trace: readonly string[] };

Object.assign(globalThis, {
  awslambda: {
    streamifyResponse: (handler: Handler): Handler => Object.assign(handler, { [STREAMING]: 'response' }),
    HttpResponseStream: {
      from(stream: ResponseStream, metadata: unknown): ResponseStream {
        stream.setContentType(INTEGRATION_TYPE);
        stream.prelude = Buffer.concat([Buffer.from(JSON.stringify(metadata)), PRELUDE_END]);
        return stream;
      },
    },
  },
});

function send(
  method: string,
  path: string,
  headers: Record<string, string>,
): { out: ClientRequest; answer: Promise<IncomingMessage> } {
  const out = request(`${api}${path}`, { method, agent, headers });
  const answer = new Promise<IncomingMessage>((resolve, reject) => {
    out.once('response', resolve);
    out.once('error', reject);
  });
  // Awaited later, or never where the environment is being taken down.
  answer.catch(() => undefined);
  return { out, answer };
}

async function textOf(message: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of message as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

async function post(path: string, body: string, headers: Record<string, string>): Promise<void> {
  const { out, answer } = send('POST', path, headers);
  out.end(body);
  await textOf(await answer);
}

function describe(cause: unknown): FunctionError {
  if (!(cause instanceof Error)) return { errorType: typeof cause, errorMessage: String(cause), trace: [] };
  return { errorType: cause.name, errorMessage: cause.message, trace: (cause.stack ?? '').split('\n') };
}

function isHandler(value: unknown): value is Handler {
  return typeof value === 'function';
}

async function loadHandler(): Promise<Handler> {
  const file = process.argv[2] ?? '';
  const exported = process.argv[3] ?? 'handler';
  const module: unknown = await import(pathToFileURL(file).href);
  const handler: unknown = Object.entries(Object(module)).find(([name]) => name === exported)?.[1];
  if (isHandler(handler)) return handler;
  throw Object.assign(new Error(`${exported} is undefined or not exported`), { name: 'Runtime.HandlerNotFound' });
}

async function answerOnce(handler: Handler): Promise<void> {
  const next = send('GET', '/invocation/next', {});
  next.out.end();
  const invocation = await next.answer;
  const event: unknown = JSON.parse(await textOf(invocation));
  const id = String(invocation.headers['lambda-runtime-aws-request-id']);
  const deadlineMs = Number(invocation.headers['lambda-runtime-deadline-ms']);
  const name = process.env['AWS_LAMBDA_FUNCTION_NAME'] ?? '';
  const context = {
    awsRequestId: id,
    callbackWaitsForEmptyEventLoop: true,
    functionName: name,
    functionVersion: '$LATEST',
    invokedFunctionArn: String(invocation.headers['lambda-runtime-invoked-function-arn']),
    memoryLimitInMB: process.env['AWS_LAMBDA_FUNCTION_MEMORY_SIZE'],
    logGroupName: `/aws/lambda/${name}`,
    logStreamName: process.env['AWS_LAMBDA_LOG_STREAM_NAME'],
    getRemainingTimeInMillis: (): number => deadlineMs - Date.now(),
  };
  if (handler[STREAMING] === undefined) await answerBuffered(handler, event, context, id);
  else await answerStreaming(handler, event, context, id);
}

async function answerBuffered(handler: Handler, event: unknown, context: unknown, id: string): Promise<void> {
  let body: string;
  try {
    body = JSON.stringify((await handler(event, context)) ?? null);
  } catch (cause) {
    await postError(id, cause);
    return;
  }
  await post(`/invocation/${id}/response`, body, { 'content-type': 'application/json' });
}

async function answerStreaming(handler: Handler, event: unknown, context: unknown, id: string): Promise<void> {
  let upstreamAnswer: Promise<IncomingMessage> | undefined;
  const stream = new ResponseStream((contentType) => {
    const { out, answer } = send('POST', `/invocation/${id}/response`, {
      'content-type': contentType,
      'Lambda-Runtime-Function-Response-Mode': 'streaming',
      Trailer: 'Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body',
      'transfer-encoding': 'chunked',
    });
    out.flushHeaders();
    upstreamAnswer = answer;
    return out;
  });
  stream.on('error', () => undefined);
  try {
    await handler(event, stream, context);
    if (!stream.writableEnded) stream.end();
    await finished(stream);
  } catch (cause) {
    if (!stream.started) {
      await postError(id, cause);
      return;
    }
    stream.fail(describe(cause));
  }
  if (upstreamAnswer !== undefined) await textOf(await upstreamAnswer);
}

async function postError(id: string, cause: unknown): Promise<void> {
  const error = describe(cause);
  await post(`/invocation/${id}/error`, JSON.stringify(error), {
    'Lambda-Runtime-Function-Error-Type': error.errorType,
  });
}

try {
  const handler = await loadHandler();
  for (;;) await answerOnce(handler);
} catch (cause) {
  process.stderr.write(`${describe(cause).trace.join('\n')}\n`);
  await post('/init/error', JSON.stringify(describe(cause)), {}).catch(() => undefined);
  process.exit(1);
}
