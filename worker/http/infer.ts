/**
 * `POST /v1/infer`: the native protocol. Parses into, and renders from, the internal request and result; nothing else.
 */
import { decisionHeaders } from './decision-headers.ts';
import { errorResponse } from './error-response.ts';
import { runExchange, type Exchange } from './exchange.ts';
import { parseWire } from './parse-wire.ts';
import { readJson } from './read-json.ts';
import { renderResult } from './render-result.ts';

export async function infer(exchange: Exchange): Promise<Response> {
  const outcome = await runExchange(exchange, {
    name: 'native',
    read: async (limits) => parseWire(await readJson(exchange.request, limits.max_body_bytes)),
  });
  if (outcome.kind === 'failed') return errorResponse(outcome.error, exchange.requestId, outcome.decision);
  return Response.json(renderResult(outcome.result), { headers: decisionHeaders(outcome.result) });
}
