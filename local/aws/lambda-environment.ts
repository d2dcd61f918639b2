/**
 * One execution environment: a child process with the handler, and the Runtime API that it polls. One invocation at a time.
 * Owns the environment's life (starting, idle, busy, dead) and what an invocation came to; who may invoke is lambda-pool.ts.
 */
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { startChild } from '../lib/child-process.ts';
import { deferred } from '../lib/deferred.ts';
import { fieldsOf, parseJson } from '../lib/json.ts';
import { listenOnLoopback } from '../lib/listen.ts';

const BOOTSTRAP = new URL('./lambda-bootstrap.ts', import.meta.url);
const RUNTIME = '/2018-06-01/runtime';
const STOP_GRACE_MS = 500;

export type FunctionSpec = {
  readonly name: string;
  readonly arn: string;
  readonly region: string;
  readonly handlerFile: string;
  readonly handlerExport: string;
  readonly timeoutMs: number;
  readonly memoryMb: number;
  readonly environment: Readonly<Record<string, string>>;
  readonly onLine?: ((line: string) => void) | undefined;
};

/** The function failed: what Invoke returns as its payload next to X-Amz-Function-Error. */
export type FunctionFailure = {
  readonly reason: 'thrown' | 'timed_out' | 'exited';
  readonly errorType: string;
  readonly errorMessage: string;
  readonly trace?: readonly string[];
};

export type Invocation =
  | { readonly kind: 'buffered'; readonly body: Buffer }
  | {
      readonly kind: 'streaming';
      readonly contentType: string;
      /** Ends early, by throwing FunctionFailed, where the function fails after its first byte. */
      readonly chunks: AsyncIterable<Buffer>;
    }
  | { readonly kind: 'failed'; readonly failure: FunctionFailure };

export class FunctionFailed extends Error {
  readonly failure: FunctionFailure;
  constructor(failure: FunctionFailure) {
    super(failure.errorMessage);
    this.failure = failure;
  }
}

export type Environment = {
  readonly pid: number;
  /** Resolves when idle for the first time; rejects where the handler cannot be loaded. */
  readonly ready: Promise<void>;
  /** Resolves when the environment is gone. */
  readonly dead: Promise<void>;
  /** Only while idle. */
  invoke(event: Buffer, id: string): Promise<Invocation>;
  /** True from the end of an invocation's answer (or a kill) until it is idle again (or dead): soon free, not busy. */
  finishing(): boolean;
  /** Calls back at each time that it becomes idle. */
  onIdle(listener: () => void): void;
  stop(): Promise<void>;
};

type Running = {
  readonly id: string;
  readonly settle: (invocation: Invocation) => void;
  readonly timer: NodeJS.Timeout;
  /** Set once bytes are on their way: then a failure breaks the stream. */
  stream: IncomingMessage | undefined;
  failure: FunctionFailure | undefined;
};

export async function startEnvironment(spec: FunctionSpec): Promise<Environment> {
  let polling: ServerResponse | undefined;
  let running: Running | undefined;
  let finishing = false;
  let initError: FunctionFailure | undefined;
  const idleListeners: (() => void)[] = [];
  const ready = deferred<void>();
  ready.promise.catch(() => undefined);

  const server = createServer((request, response) => {
    void route(request, response).catch(() => response.destroy());
  });
  server.requestTimeout = 0;
  server.headersTimeout = 0;
  const port = await listenOnLoopback(server, 0);

  async function route(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? '';
    if (path === `${RUNTIME}/invocation/next`) {
      clearTimeout(running?.timer);
      running = undefined;
      finishing = false;
      polling = response;
      ready.resolve();
      for (const listener of idleListeners) listener();
      return;
    }
    if (path === `${RUNTIME}/init/error`) {
      initError = thrown(await buffer(request));
      response.writeHead(202).end();
      return;
    }
    const [, id, what] = /^\/2018-06-01\/runtime\/invocation\/([^/]+)\/(response|error)$/.exec(path) ?? [];
    if (running === undefined || id !== running.id) {
      response.writeHead(400).end();
      return;
    }
    if (what === 'error') {
      running.settle({ kind: 'failed', failure: thrown(await buffer(request)) });
    } else if (request.headers['lambda-runtime-function-response-mode'] === 'streaming') {
      running.stream = request;
      const contentType = request.headers['content-type'] ?? 'application/octet-stream';
      const ended = new Promise<void>((resolve) => request.once('close', () => resolve()));
      running.settle({ kind: 'streaming', contentType, chunks: chunksOf(request, running) });
      await ended;
    } else {
      running.settle({ kind: 'buffered', body: await buffer(request) });
    }
    finishing = true;
    if (!response.destroyed) response.writeHead(202).end();
  }

  function fail(failure: FunctionFailure): void {
    finishing = true;
    if (running === undefined) return;
    running.failure ??= failure;
    running.settle({ kind: 'failed', failure: running.failure });
    running.stream?.destroy();
  }

  const child = startChild({
    file: BOOTSTRAP,
    args: [spec.handlerFile, spec.handlerExport],
    environment: environmentOf(spec, port),
    onLine: spec.onLine,
  });
  async function mourn(): Promise<void> {
    const exit = await child.exited;
    const status = exit.signal === null ? `exit status ${exit.code}` : `signal: ${exit.signal}`;
    fail({
      reason: 'exited',
      errorType: 'Runtime.ExitError',
      errorMessage: `RequestId: ${running?.id ?? ''} Error: Runtime exited with error: ${status}`,
    });
    clearTimeout(running?.timer);
    const why =
      initError === undefined ? child.lastLines().join('\n') : `${initError.errorType}: ${initError.errorMessage}`;
    ready.reject(new Error(`the handler of ${spec.name} could not be started (${status}): ${why}`));
    server.close();
    server.closeAllConnections();
  }
  const dead = mourn();

  return {
    pid: child.pid,
    ready: ready.promise,
    dead,
    finishing: () => finishing,
    onIdle: (listener) => void idleListeners.push(listener),
    invoke(event, id) {
      const response = polling;
      polling = undefined;
      if (response === undefined || running !== undefined) throw new Error('the environment is not idle');
      const outcome = deferred<Invocation>();
      const timer = setTimeout(() => {
        fail({
          reason: 'timed_out',
          errorType: 'Sandbox.Timedout',
          errorMessage: `RequestId: ${id} Error: Task timed out after ${(spec.timeoutMs / 1000).toFixed(2)} seconds`,
        });
        void child.kill();
      }, spec.timeoutMs);
      running = {
        id,
        settle: (invocation) => outcome.resolve(invocation),
        timer,
        stream: undefined,
        failure: undefined,
      };
      response.writeHead(200, {
        'content-type': 'application/json',
        'Lambda-Runtime-Aws-Request-Id': id,
        'Lambda-Runtime-Deadline-Ms': String(Date.now() + spec.timeoutMs),
        'Lambda-Runtime-Invoked-Function-Arn': spec.arn,
        'Lambda-Runtime-Trace-Id': traceId(id),
      });
      response.end(event);
      return outcome.promise;
    },
    async stop() {
      await child.stop(STOP_GRACE_MS);
      await dead;
    },
  };
}

export function traceId(id: string): string {
  const hex = id.replaceAll('-', '');
  return `Root=1-${hex.slice(0, 8)}-${hex.slice(8).padEnd(24, '0').slice(0, 24)}`;
}

async function* chunksOf(request: IncomingMessage, running: Running): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) yield chunk;
  } catch (cause) {
    throw new FunctionFailed(
      running.failure ?? { reason: 'exited', errorType: 'Runtime.ExitError', errorMessage: String(cause) },
    );
  }
  const errorType = request.trailers['lambda-runtime-function-error-type'];
  if (errorType !== undefined) {
    const body = request.trailers['lambda-runtime-function-error-body'] ?? '';
    throw new FunctionFailed(thrown(Buffer.from(body, 'base64')));
  }
}

/** The error document of the runtime, read loosely. */
function thrown(body: Buffer): FunctionFailure {
  const { errorType, errorMessage, trace } = fieldsOf(parseJson(body.toString('utf8')));
  return {
    reason: 'thrown',
    errorType: typeof errorType === 'string' ? errorType : 'Runtime.Unknown',
    errorMessage: typeof errorMessage === 'string' ? errorMessage : '',
    trace: Array.isArray(trace) ? trace.map(String) : [],
  };
}

function environmentOf(spec: FunctionSpec, port: number): Record<string, string> {
  return {
    ...spec.environment,
    AWS_LAMBDA_RUNTIME_API: `127.0.0.1:${port}`,
    AWS_LAMBDA_FUNCTION_NAME: spec.name,
    AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(spec.memoryMb),
    AWS_LAMBDA_LOG_GROUP_NAME: `/aws/lambda/${spec.name}`,
    AWS_LAMBDA_LOG_STREAM_NAME: 'local',
    AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x',
    AWS_REGION: spec.region,
    AWS_DEFAULT_REGION: spec.region,
    TZ: ':UTC',
  };
}
