/**
 * SageMaker's container contract over HTTP: GET /ping and POST /invocations. Owns sockets, the body limit and draining.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import { GatewayError } from '../../shared/errors.ts';
import type { OpenInference } from './open-inference.ts';
import type { Incoming } from './read-request.ts';
import { bodyTooLarge, MAX_BODY_BYTES } from './read-request.ts';
import type { Answer, Service } from './service.ts';
import { writeBody } from './write-answer.ts';

export type ServerOptions = {
  readonly service: Service;
  /** Where the Open Inference Protocol is spoken too. */
  readonly openInference?: OpenInference;
  /** True once every model is loaded. */
  readonly isReady: () => boolean;
  readonly nowMs: () => number;
};

export type ModelServer = {
  readonly http: Server;
  /** Takes no more connections; resolves to true when every exchange ended in time, else cuts the rest. */
  drain(limitMs: number): Promise<boolean>;
};

/** Longer than a load balancer's 60 s, so that it is never we who close a connection just as a request arrives. */
const KEEP_ALIVE_MS = 75_000;
const IDLE_CHECK_MS = 50;

export function createModelServer({ service, openInference, isReady, nowMs }: ServerOptions): ModelServer {
  let isDraining = false;

  const http = createServer((request, response) => {
    // The connection would otherwise stay open and keep a draining server alive.
    if (isDraining) response.setHeader('connection', 'close');
    route(request, response).catch(() => response.destroy());
  });
  http.keepAliveTimeout = KEEP_ALIVE_MS;

  async function route(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const receivedAtMs = nowMs();
    const [path = '/'] = (request.url ?? '/').split('?', 1);
    const headers = singleHeaders(request);
    const closed = new AbortController();
    response.once('close', () => closed.abort());

    if (path === '/ping') {
      if (request.method === 'GET' || request.method === 'HEAD') {
        response.writeHead(isReady() ? 200 : 503, { 'content-length': 0 }).end();
        return;
      }
      await send(response, refusal('method_not_allowed', 'Only GET is answered here.'), closed.signal);
      return;
    }
    if (openInference !== undefined && (path === '/v2' || path.startsWith('/v2/'))) {
      await sendTensors(openInference, { path, receivedAtMs, signal: closed.signal }, request, response);
      return;
    }
    if (path !== '/invocations') {
      await send(response, refusal('not_found', 'There are /ping, /invocations and /v2.'), closed.signal);
      return;
    }
    const body = await readBody(request);
    if (body === undefined) return;
    const answer =
      body === 'too_large'
        ? service.refuse(bodyTooLarge(), headers, receivedAtMs)
        : await service.answer({
            incoming: { method: request.method ?? '', headers, body },
            receivedAtMs,
            signal: closed.signal,
          });
    if (body === 'too_large') {
      // Closing at once would reset the connection before the caller has read why.
      request.resume();
      response.setHeader('connection', 'close');
    }
    await send(response, answer, closed.signal);

    function refusal(code: 'method_not_allowed' | 'not_found', message: string): Answer {
      request.resume();
      return service.refuse(new GatewayError(code, message), headers, receivedAtMs);
    }
  }

  async function drain(limitMs: number): Promise<boolean> {
    isDraining = true;
    const ended = new Promise<boolean>((resolve) => http.close(() => resolve(true)));
    // A kept-alive connection whose answer began before draining turns idle only now and then.
    const idle = setInterval(() => http.closeIdleConnections(), IDLE_CHECK_MS);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(false), limitMs);
    });
    const isDrained = await Promise.race([ended, late]);
    clearTimeout(timer);
    clearInterval(idle);
    if (!isDrained) http.closeAllConnections();
    return isDrained;
  }

  return { http, drain };
}

async function sendTensors(
  openInference: OpenInference,
  exchange: Pick<Parameters<OpenInference>[0], 'path' | 'receivedAtMs' | 'signal'>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const body = await readBody(request);
  if (body === undefined) return;
  if (body === 'too_large') {
    request.resume();
    response.writeHead(413, { 'content-type': 'application/json', connection: 'close' });
    response.end(JSON.stringify({ error: bodyTooLarge().message }));
    return;
  }
  const answer = await openInference({
    ...exchange,
    method: request.method ?? '',
    headers: singleHeaders(request),
    body,
  });
  if (response.destroyed) return;
  response.writeHead(answer.status, { ...answer.headers, 'content-length': answer.body.byteLength });
  response.end(answer.body);
}

async function send(response: ServerResponse, answer: Answer, signal: AbortSignal): Promise<void> {
  if (!response.destroyed) response.writeHead(answer.status, answer.headers);
  // Read even when nobody listens: reading is what ends the exchange.
  await writeBody(response, answer.body, signal);
}

/** Undefined when the caller went away before the body ended. */
async function readBody(request: IncomingMessage): Promise<Uint8Array | 'too_large' | undefined> {
  if (Number(request.headers['content-length'] ?? 0) > MAX_BODY_BYTES) return 'too_large';
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  try {
    for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      sizeBytes += chunk.byteLength;
      if (sizeBytes > MAX_BODY_BYTES) return 'too_large';
      chunks.push(chunk);
    }
  } catch {
    return undefined;
  }
  return Buffer.concat(chunks);
}

function singleHeaders(request: IncomingMessage): Incoming['headers'] {
  return Object.fromEntries(
    Object.entries(request.headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : value]),
  );
}
