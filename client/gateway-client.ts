/**
 * A typed client of the native API, its types inferred from the schemas that the gateway itself parses and describes with.
 * Runs wherever `fetch` does. One call is one request: retrying is the caller's to decide, and `GatewayAnswerError` says
 * whether and when.
 */
import {
  errorAnswerSchema,
  guaranteeAnswerSchema,
  inferAnswerSchema,
  metricsAnswerSchema,
  modelAnswerSchema,
  modelListSchema,
  readinessAnswerSchema,
  type GuaranteeAnswer,
  type InferAnswer,
  type MetricsAnswer,
  type ModelAnswer,
  type ModelList,
  type ReadinessAnswer,
} from '../shared/schema/answers.ts';
import type { InferRequestInput } from '../shared/schema/infer-request.ts';
import { GatewayAnswerError } from './gateway-error.ts';

export type GatewayClientOptions = {
  /** Of the gateway, without a path. */
  readonly url: string;
  readonly apiKey?: string;
  readonly fetch?: typeof fetch;
};

type CallOptions = {
  readonly signal?: AbortSignal;
  /** Travels with the request to every place and into every log. */
  readonly requestId?: string;
};

export type GatewayClient = {
  infer(request: InferRequestInput, options?: CallOptions): Promise<InferAnswer>;
  models(options?: CallOptions): Promise<ModelList>;
  model(name: string, options?: CallOptions): Promise<ModelAnswer>;
  guarantee(route: string, options?: CallOptions): Promise<GuaranteeAnswer>;
  metrics(minutes?: number, options?: CallOptions): Promise<MetricsAnswer>;
  /** Also where nothing is ready: the answer says so. */
  readiness(options?: CallOptions): Promise<ReadinessAnswer>;
};

type Schema<T> = { parse(value: unknown): T };

export function createGatewayClient({ url, apiKey, fetch: send = fetch }: GatewayClientOptions): GatewayClient {
  const base = url.replace(/\/+$/, '');

  async function call<T>(path: string, schema: Schema<T>, options: CallOptions, body?: unknown): Promise<T> {
    const response = await send(base + path, {
      method: body === undefined ? 'GET' : 'POST',
      headers: {
        accept: 'application/json',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
        ...(options.requestId === undefined ? {} : { 'x-request-id': options.requestId }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
    const value = parseJson(await response.text());
    const error = errorAnswerSchema.safeParse(value);
    if (error.success) throw asError(response, error.data.error);
    if (value === undefined || (!response.ok && !isReadiness(path, response)))
      throw asError(response, {
        code: 'internal',
        message: `The gateway answered HTTP ${response.status}${value === undefined ? ' and no JSON' : ''}.`,
        retryable: false,
      });
    return schema.parse(value);
  }

  return {
    infer: (request, options = {}) => call('/v1/infer', inferAnswerSchema, options, request),
    models: (options = {}) => call('/v1/models', modelListSchema, options),
    model: (name, options = {}) => call(`/v1/models/${encodeURIComponent(name)}`, modelAnswerSchema, options),
    guarantee: (route, options = {}) =>
      call(`/v1/routes/${encodeURIComponent(route)}/guarantee`, guaranteeAnswerSchema, options),
    metrics: (minutes = 5, options = {}) => call(`/v1/metrics?minutes=${minutes}`, metricsAnswerSchema, options),
    readiness: (options = {}) => call('/readyz', readinessAnswerSchema, options),
  };
}

/** Undefined where something else than a gateway has answered. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** 503 there is an answer, not an error. */
function isReadiness(path: string, { status }: Response): boolean {
  return path === '/readyz' && status === 503;
}

function asError(
  response: Response,
  error: {
    readonly code: string;
    readonly message: string;
    readonly retryable: boolean;
    readonly field?: string | undefined;
    readonly request_id?: string | undefined;
  },
): GatewayAnswerError {
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN);
  return new GatewayAnswerError({
    status: response.status,
    code: error.code,
    message: error.message,
    isRetryable: error.retryable,
    requestId: error.request_id ?? response.headers.get('x-request-id') ?? '',
    field: error.field,
    retryAfterMs: Number.isFinite(seconds) ? 1_000 * seconds : undefined,
  });
}
