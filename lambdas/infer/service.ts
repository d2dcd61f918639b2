/**
 * One inference exchange, whatever carries it: a request in, a status, headers and JSON Lines out, and one log line.
 * Owns the way from bytes to bytes; sockets and Lambda events belong to server.ts and handler.ts.
 */
import type { ErrorCode } from '../../shared/errors.ts';
import { asGatewayError, GatewayError, statusOf } from '../../shared/errors.ts';
import { COMPUTE_HEADER, REQUEST_ID_HEADER } from '../../shared/names.ts';
import { inputCount } from '../../shared/schema/model-input.ts';
import type { UpstreamLine } from '../../shared/schema/upstream.ts';
import { UPSTREAM_CONTENT_TYPE } from '../../shared/names.ts';
import type { Logger } from '../lib/logger.ts';
import { createTurns, type Turns } from '../lib/turns.ts';
import { readInput } from './input.ts';
import { predict } from './predict.ts';
import type { Incoming } from './read-request.ts';
import { deadlineMs, readRequest, usableRequestId } from './read-request.ts';
import type { Registry } from './registry.ts';
import { newFacts, requestLine, type RequestFacts } from './request-facts.ts';

export type Answer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Must be read to its end or returned early, else the exchange never counts as over. */
  readonly body: AsyncIterable<string>;
};

export type ServiceOptions = {
  readonly registry: Registry;
  readonly logger: Logger;
  /** Lines sent together. */
  readonly groupSize: number;
  readonly maxInFlight: number;
  /** Shared with whatever else runs the same models. */
  readonly turns?: Turns;
  /** Monotonic. */
  readonly nowMs: () => number;
};

export type Exchange = {
  readonly incoming: Incoming;
  readonly receivedAtMs: number;
  /** Fires when nobody is left to read the answer. */
  readonly signal: AbortSignal;
  /** What the platform leaves this call, where it says so. */
  readonly platformLimitMs?: number;
};

export type Service = {
  readonly answer: (exchange: Exchange) => Promise<Answer>;
  /** A failure that happened before there was a request to answer, such as a body cut short. */
  readonly refuse: (error: GatewayError, headers: Incoming['headers'], receivedAtMs: number) => Answer;
};

export function createService({
  registry,
  logger,
  groupSize,
  maxInFlight,
  nowMs,
  turns = createTurns(),
}: ServiceOptions): Service {
  let inFlight = 0;

  async function answer(exchange: Exchange): Promise<Answer> {
    const facts = newFacts(exchange.incoming.headers, exchange.receivedAtMs);
    if (inFlight >= maxInFlight) return fail(new GatewayError('overloaded', 'The server has too much to do.'), facts);
    inFlight += 1;
    try {
      const groups = await start(exchange, facts);
      const first = await groups.next();
      if (first.done === true) throw new GatewayError('client_closed_request', 'The caller left.');
      const last = first.value.at(-1);
      // Nothing is sent yet, so a failure can still be a status.
      if (last?.kind === 'error' && first.value.length === 1)
        throw new GatewayError(knownCode(last.code), last.message);
      const headers: Record<string, string> = {
        'content-type': UPSTREAM_CONTENT_TYPE,
        [REQUEST_ID_HEADER]: facts.requestId,
        ...(last?.kind === 'done' ? { [COMPUTE_HEADER]: String(last.compute_ms) } : {}),
      };
      return { status: 200, headers, body: stream(first.value, groups, facts) };
    } catch (error) {
      inFlight -= 1;
      return fail(error, facts);
    }
  }

  async function start(exchange: Exchange, facts: RequestFacts): Promise<AsyncGenerator<readonly UpstreamLine[]>> {
    const { incoming, receivedAtMs, signal, platformLimitMs = Number.POSITIVE_INFINITY } = exchange;
    const request = readRequest(incoming);
    facts.requestId = usableRequestId(request.request_id) ?? facts.requestId;
    const served = registry.find(request.model, request.variant);
    facts.model = served.card.name;
    facts.variant = served.variant;
    const input = readInput(request.input, served.card.input);
    facts.items = inputCount(input);
    const deadlineAtMs = receivedAtMs + Math.min(deadlineMs(request, incoming.headers), platformLimitMs);
    const model = await registry.load(served);
    const onCompute = (ms: number) => void (facts.computeMs += ms);
    return predict({ model, input, groupSize, deadlineAtMs, nowMs, signal, turns, onCompute });
  }

  async function* stream(
    first: readonly UpstreamLine[],
    rest: AsyncGenerator<readonly UpstreamLine[]>,
    facts: RequestFacts,
  ): AsyncGenerator<string> {
    let failure: GatewayError | undefined;
    let isWhole = false;
    try {
      for (let lines: readonly UpstreamLine[] | undefined = first; lines !== undefined;) {
        for (const line of lines) {
          if (line.kind === 'prediction' || line.kind === 'embedding') facts.answered += 1;
          if (line.kind === 'done') isWhole = true;
          if (line.kind === 'error') failure = new GatewayError(knownCode(line.code), line.message);
        }
        yield encodeLines(lines);
        const next = await rest.next();
        lines = next.done === true ? undefined : next.value;
      }
    } catch (error) {
      failure = asGatewayError(error);
      yield encodeLines([{ kind: 'error', code: failure.code, message: failure.message }]);
    } finally {
      await rest.return(undefined);
      inFlight -= 1;
      const closed = isWhole ? undefined : new GatewayError('client_closed_request', 'The caller left.');
      log(facts, failure ?? closed);
    }
  }

  function refuse(error: GatewayError, headers: Incoming['headers'], receivedAtMs: number): Answer {
    return fail(error, newFacts(headers, receivedAtMs));
  }

  function fail(cause: unknown, facts: RequestFacts): Answer {
    const error = asGatewayError(cause);
    // The resource probe looks this way every other minute; nobody who wants an answer does.
    if (error.code !== 'method_not_allowed') log(facts, error);
    const body = { error: { code: error.code, message: error.message, request_id: facts.requestId } };
    const headers = {
      'content-type': 'application/json',
      [REQUEST_ID_HEADER]: facts.requestId,
      ...(error.code === 'method_not_allowed' ? { allow: 'POST' } : {}),
      ...(error.code === 'overloaded' ? { 'retry-after': '1' } : {}),
    };
    return { status: statusOf(error.code), headers, body: once(JSON.stringify(body)) };
  }

  function log(facts: RequestFacts, error: GatewayError | undefined): void {
    logger.request(requestLine(facts, error, nowMs()));
  }

  return { answer, refuse };
}

/** Lines leave here with codes of our own table; the wire type is wider because a reader must accept any. */
function knownCode(code: string): ErrorCode {
  return code === 'deadline_exceeded' ? code : 'internal';
}

function encodeLines(lines: readonly UpstreamLine[]): string {
  return lines.map((line) => `${JSON.stringify(line)}\n`).join('');
}

async function* once(text: string): AsyncGenerator<string> {
  yield text;
}
