/**
 * What becomes known of a request while it is answered, and the log line it ends as. Owns what of a failure may be said there;
 * the line's shape is lib/logger.ts.
 */
import { randomUUID } from 'node:crypto';
import type { GatewayError } from '../../shared/errors.ts';
import { REQUEST_ID_HEADER } from '../../shared/names.ts';
import { describeFailure, type RequestLine } from '../lib/logger.ts';
import { traceIdOf, usableRequestId, type Incoming } from './read-request.ts';

export type RequestFacts = {
  requestId: string;
  readonly traceId: string | null;
  model: string | null;
  variant: string | null;
  items: number;
  answered: number;
  computeMs: number;
  readonly receivedAtMs: number;
};

export function newFacts(headers: Incoming['headers'], receivedAtMs: number): RequestFacts {
  const requestId = usableRequestId(headers[REQUEST_ID_HEADER]) ?? randomUUID();
  const traceId = traceIdOf(headers);
  return { requestId, traceId, model: null, variant: null, items: 0, answered: 0, computeMs: 0, receivedAtMs };
}

export function requestLine(facts: RequestFacts, error: GatewayError | undefined, nowMs: number): RequestLine {
  const isOurs = error?.code === 'internal' || error?.code === 'not_configured';
  return {
    request_id: facts.requestId,
    trace_id: facts.traceId,
    model: facts.model,
    variant: facts.variant,
    items: facts.items,
    answered: facts.answered,
    latency_ms: roundMs(nowMs - facts.receivedAtMs),
    compute_ms: roundMs(facts.computeMs),
    outcome: error === undefined ? 'ok' : error.code === 'client_closed_request' ? 'aborted' : 'error',
    error_code: error?.code ?? null,
    ...(isOurs ? { detail: failureDetail(error) } : {}),
  };
}

/** What we wrote ourselves about files is safe to log; an unexpected error's message may quote an input. */
function failureDetail(error: GatewayError): string {
  return error.code === 'not_configured' ? (error.detail ?? '') : describeFailure(error.cause);
}

function roundMs(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
