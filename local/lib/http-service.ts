/**
 * One HTTP/1.1 listener of a stand-in: 127.0.0.1 only, whole bodies up to a limit, fault injection, a close that leaves
 * nothing behind. Owns the wire around a handler; leaves signatures and answers to the service.
 */
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { applyFault } from './fault.ts';
import type { Fault, FaultAnswers } from './fault.ts';
import type { SignedRequest } from './canonical-request.ts';
import { LOOPBACK, listenOnLoopback } from './listen.ts';

/** A caller that sends more than this after it was too much already is cut rather than read. */
const MAX_DRAIN_BYTES = 64 * 1024 * 1024;

export type ServiceRequest = SignedRequest & {
  readonly id: string;
  /** The target without its query, still encoded. */
  readonly path: string;
  readonly query: string;
  readonly headers: IncomingMessage['headers'];
  readonly remoteAddress: string;
  /** Fires when the caller leaves before the answer is complete, and when the service closes. */
  readonly signal: AbortSignal;
};

export type HttpServiceOptions = FaultAnswers & {
  /** 0, the default, takes any free port. */
  readonly port?: number;
  readonly maxBodyBytes: number;
  sendTooLarge(response: ServerResponse, path: string): void;
  handle(request: ServiceRequest, response: ServerResponse): Promise<void>;
};

export type HttpService = {
  readonly url: string;
  readonly port: number;
  /** Resolves once the fault is in force; null ends it. */
  setFault(fault: Fault | null): Promise<void>;
  counts(): ServiceCounts;
  close(): Promise<void>;
};

export type ServiceCounts = {
  readonly received: number;
  /** Callers that left before their answer was complete. */
  readonly abandoned: number;
};

export async function startHttpService(options: HttpServiceOptions): Promise<HttpService> {
  let fault: Fault | null = null;
  let received = 0;
  let abandoned = 0;
  const closing = new AbortController();

  const server = createServer((incoming, response) => {
    received += 1;
    void serve(incoming, response).catch((cause: unknown) => {
      if (!response.headersSent) response.writeHead(500).end();
      else response.destroy(cause instanceof Error ? cause : undefined);
    });
  });
  // Upstreams are slow on purpose here; the caller's own time-outs are under test, not ours.
  server.requestTimeout = 0;
  server.keepAliveTimeout = 60_000;

  async function serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const gone = new AbortController();
    response.once('close', () => {
      if (response.writableFinished) return;
      abandoned += 1;
      gone.abort();
    });
    response.on('error', () => undefined);
    const signal = AbortSignal.any([gone.signal, closing.signal]);
    const target = incoming.url ?? '/';
    const [path = '/', query = ''] = splitOnce(target, '?');
    const body = await readBody(incoming, options.maxBodyBytes);
    if (body === 'aborted') return;
    response.setHeader('x-amzn-RequestId', randomUUID());
    if (await applyFault(fault, { path, response, signal }, options)) return;
    if (body === 'too_large') {
      options.sendTooLarge(response, path);
      return;
    }
    await options.handle(
      {
        id: String(response.getHeader('x-amzn-RequestId')),
        method: incoming.method ?? 'GET',
        target,
        path,
        query,
        headers: incoming.headers,
        rawHeaders: incoming.rawHeaders,
        remoteAddress: incoming.socket.remoteAddress ?? LOOPBACK,
        body,
        signal,
      },
      response,
    );
  }

  const port = await listenOnLoopback(server, options.port ?? 0);
  let changing: Promise<void> = Promise.resolve();

  /** One change after the other: a listener that closes must not meet one that opens. */
  async function changeAfter(previous: Promise<void>, next: Fault | null): Promise<void> {
    await previous.catch(() => undefined);
    await changeFault(next);
  }

  async function changeFault(next: Fault | null): Promise<void> {
    if (closing.signal.aborted) return;
    const wasRefusing = fault?.kind === 'refuse';
    fault = next;
    if (next?.kind === 'refuse' && !wasRefusing) await stopListening(server);
    if (next?.kind !== 'refuse' && wasRefusing) await listenOnLoopback(server, port);
  }

  return {
    url: `http://${LOOPBACK}:${port}`,
    port,
    setFault(next) {
      changing = changeAfter(changing, next);
      return changing;
    },
    counts: () => ({ received, abandoned }),
    async close() {
      await changing.catch(() => undefined);
      if (closing.signal.aborted) return;
      closing.abort();
      if (server.listening) await stopListening(server);
    },
  };
}

function stopListening(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

/** Reads on to the end even when it is too much: an early answer on a half-read connection reaches the caller as a reset. */
function readBody(incoming: IncomingMessage, maxBytes: number): Promise<Buffer | 'too_large' | 'aborted'> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let sizeBytes = 0;
    incoming.on('data', (chunk: Buffer) => {
      sizeBytes += chunk.length;
      if (sizeBytes <= maxBytes) chunks.push(chunk);
      else chunks.length = 0;
      if (sizeBytes > MAX_DRAIN_BYTES) incoming.destroy();
    });
    incoming.once('end', () => resolve(sizeBytes > maxBytes ? 'too_large' : Buffer.concat(chunks)));
    incoming.once('close', () => resolve('aborted'));
    incoming.once('error', () => resolve('aborted'));
  });
}

function splitOnce(text: string, separator: string): readonly string[] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + separator.length)];
}
