/**
 * The Lambda handler behind a Function URL with response streaming. Owns the event's translation; the answer is service.ts's.
 * Models are loaded by the first request that needs them: a cold start pays only for its own.
 */
import type { Writable } from 'node:stream';
import { asGatewayError, statusOf } from '../../shared/errors.ts';
import { parseEnv } from '../lib/env.ts';
import type { Logger } from '../lib/logger.ts';
import { compose, composeLogger, nowMs } from './compose.ts';
import type { FunctionUrlEvent, LambdaContext } from './lambda-runtime.ts';
import { streamify, withHead } from './lambda-runtime.ts';
import type { Incoming } from './read-request.ts';
import type { Answer, Service } from './service.ts';
import { writeBody } from './write-answer.ts';

/** Left to write an error line and the log before Lambda freezes or kills the environment. */
const PLATFORM_MARGIN_MS = 250;

let starting: Promise<Service> | undefined;

/** Single flight; a failed start is tried again by the next request. */
function service(): Promise<Service> {
  starting ??= start().catch((error: unknown) => {
    starting = undefined;
    throw error;
  });
  return starting;
}

async function start(): Promise<Service> {
  let logger: Logger = composeLogger('info');
  try {
    const env = parseEnv(process.env);
    logger = composeLogger(env.logLevel, true);
    return (await compose(env, logger)).service;
  } catch (error) {
    const { detail, message } = asGatewayError(error);
    logger.process('error', 'cannot_start', { detail: detail ?? message });
    throw error;
  }
}

/** Writes the whole answer, its head included, into `stream` and ends it. Never throws for a bad event. */
export async function handleEvent(event: FunctionUrlEvent, stream: Writable, context: LambdaContext): Promise<void> {
  const receivedAtMs = nowMs();
  const closed = new AbortController();
  stream.once('close', () => closed.abort());
  stream.on('error', () => closed.abort());
  const remainingMs = context.getRemainingTimeInMillis?.();
  const answer = await answerWith({
    incoming: readEvent(event),
    receivedAtMs,
    signal: closed.signal,
    ...(remainingMs === undefined ? {} : { platformLimitMs: Math.max(0, remainingMs - PLATFORM_MARGIN_MS) }),
  });
  const body = stream.destroyed ? stream : withHead(stream, { statusCode: answer.status, headers: answer.headers });
  await writeBody(body, answer.body, closed.signal);
}

async function answerWith(exchange: Parameters<Service['answer']>[0]): Promise<Answer> {
  let ready: Service;
  try {
    ready = await service();
  } catch {
    return notStarted();
  }
  return ready.answer(exchange);
}

/** No service, so no log line of its own: `cannot_start` said why. */
function notStarted(): Answer {
  const error = { code: 'not_configured', message: 'The model server cannot start.', request_id: '' };
  async function* body(): AsyncGenerator<string> {
    yield JSON.stringify({ error });
  }
  return { status: statusOf('not_configured'), headers: { 'content-type': 'application/json' }, body: body() };
}

function readEvent(event: FunctionUrlEvent): Incoming {
  const headers = Object.fromEntries(
    Object.entries(event.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]),
  );
  const body = Buffer.from(event.body ?? '', event.isBase64Encoded === true ? 'base64' : 'utf8');
  return { method: event.requestContext?.http?.method ?? '', headers, body };
}

// Loading the runtime's library and the cards belongs to the platform's init phase; a failure is said by the first answer.
void service().catch(() => undefined);

export const handler = streamify(handleEvent);
