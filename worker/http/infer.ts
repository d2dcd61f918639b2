/**
 * `POST /v1/infer`: the native protocol. Parses into, and renders from, the internal request and result; nothing else.
 */
import { GatewayError } from '../../shared/errors.ts';
import { REQUEST_ID_HEADER } from '../../shared/names.ts';
import { usdFromNanos } from '../../shared/measure/pricing.ts';
import { inferRequestSchema, type WireInferRequest } from '../../shared/schema/infer-request.ts';
import { issuePath } from '../../shared/schema/issue-path.ts';
import { handle } from '../pipeline/handle.ts';
import { apiKeyFrom } from '../pipeline/identify.ts';
import type { InferResult } from '../../shared/schema/infer-result.ts';
import type { Services } from '../pipeline/services.ts';
import { errorResponse } from './error-response.ts';
import { readJson } from './read-json.ts';
import { renderResult } from './render-result.ts';

export async function infer(
  request: Request,
  requestId: string,
  keepAlive: (work: Promise<unknown>) => void,
  services: Services,
): Promise<Response> {
  const outcome = await handle(
    {
      requestId,
      protocol: 'native',
      receivedAtMs: services.clock.now(),
      apiKey: apiKeyFrom(request.headers),
      signal: request.signal,
      read: async (limits) => parseWire(await readJson(request, limits.max_body_bytes)),
      keepAlive,
    },
    services,
  );
  if (outcome.kind === 'failed') return errorResponse(outcome.error, requestId, outcome.decision);
  return Response.json(renderResult(outcome.result), { headers: decisionHeaders(outcome.result) });
}

function decisionHeaders(result: InferResult): Record<string, string> {
  return {
    [REQUEST_ID_HEADER]: result.requestId,
    'x-target-used': result.targetUsed.id,
    'x-cost-usd': String(usdFromNanos(result.costNanos)),
    'x-cache': result.cache,
  };
}

function parseWire(value: unknown): WireInferRequest {
  const parsed = inferRequestSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  if (issue === undefined) throw new GatewayError('invalid_request', 'The request does not have the expected shape.');
  if (issue.code === 'unrecognized_keys') {
    const field = issue.keys[0] ?? '';
    throw new GatewayError('invalid_request', `${field}: is not a field of this request.`, { field });
  }
  const field = issuePath(issue.path);
  throw new GatewayError('invalid_request', `${field}: ${issue.message}.`, { field });
}
