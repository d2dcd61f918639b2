/**
 * `/graphql`: GraphQL over HTTP, by the reference implementation and the reference server. Loaded when first asked for.
 */
import {
  buildSchema,
  GraphQLError,
  NoSchemaIntrospectionCustomRule,
  type ExecutionResult,
  type GraphQLSchema,
  type ValidationRule,
} from 'graphql';
import { createHandler, type Handler } from 'graphql-http';
import { asGatewayError, isRetryable, statusOf } from '../../../shared/errors.ts';
import { REQUEST_ID_HEADER } from '../../../shared/names.ts';
import { decisionHeaders, failureHeaders } from '../decision-headers.ts';
import type { Exchange } from '../exchange.ts';
import { decodeUtf8, readBody, refuseEncoded } from '../read-json.ts';
import { parseQuery, validateQuery } from './known-queries.ts';
import { queryLimits } from './limits.ts';
import { resolvers, type QueryContext } from './resolvers.ts';
import { TYPE_DEFINITIONS } from './type-definitions.ts';

type RequestContext = { readonly query: QueryContext; readonly allowsIntrospection: boolean };

const MAX_BODY_BYTES = 1024 * 1024;

let schema: GraphQLSchema | undefined;
let handler: Handler<Request, RequestContext> | undefined;

/** @param allowsIntrospection whether the schema may be read through itself */
export async function graphql(exchange: Exchange, allowsIntrospection: boolean): Promise<Response> {
  const { request, requestId } = exchange;
  handler ??= createGraphQl();
  const query: QueryContext = { exchange, inferences: 0, results: [] };
  const url = new URL(request.url);
  try {
    refuseEncoded(request);
    const sent = request.method === 'POST' ? decodeUtf8(await readBody(request, MAX_BODY_BYTES)) : null;
    const [body, init] = await handler({
      url: url.pathname + url.search,
      method: request.method,
      headers: request.headers,
      body: sent,
      raw: request,
      context: { query, allowsIntrospection },
    });
    const [first, ...more] = query.results;
    const headers = new Headers(init.headers);
    headers.set(REQUEST_ID_HEADER, requestId);
    if (first !== undefined && more.length === 0)
      for (const [name, value] of Object.entries(decisionHeaders(first))) headers.set(name, value);
    return new Response(body, { status: init.status, statusText: init.statusText, headers });
  } catch (error) {
    // A body that is too large or cannot be read never became a query.
    const known = asGatewayError(error);
    return Response.json(
      { errors: [toGraphQlError(error, exchange).toJSON()] },
      { status: statusOf(known.code), headers: failureHeaders(known, requestId) },
    );
  }
}

function createGraphQl(): Handler<Request, RequestContext> {
  return createHandler<Request, RequestContext, QueryContext>({
    schema: () => {
      schema ??= buildSchema(TYPE_DEFINITIONS);
      return schema;
    },
    rootValue: resolvers,
    context: (request) => request.context.query,
    parse: (source) => parseQuery(typeof source === 'string' ? source : source.body),
    validate: (against, document, rules = []) => validateQuery(against, document, rules),
    validationRules: (request, _args, specified): readonly ValidationRule[] => [
      ...(request.context.allowsIntrospection ? [] : [NoSchemaIntrospectionCustomRule]),
      queryLimits,
      ...specified,
    ],
    onOperation: (request, _args, result): ExecutionResult => ({
      ...result,
      ...(result.errors === undefined
        ? {}
        : { errors: result.errors.map((error) => toGraphQlError(error, request.context.query.exchange)) }),
    }),
  });
}

/** Ours with its code; what we do not know says `internal` and nothing more; GraphQL's own stay as they are. */
function toGraphQlError(error: unknown, { services, requestId }: Exchange): GraphQLError {
  const cause = error instanceof GraphQLError ? error.originalError : error;
  if (error instanceof GraphQLError && (cause === undefined || cause === null || cause instanceof GraphQLError))
    return error;
  const known = asGatewayError(cause);
  if (known.code === 'internal')
    services.logger.log('error', 'unexpected failure', requestId, { detail: known.detail });
  return new GraphQLError(known.message, {
    nodes: error instanceof GraphQLError ? (error.nodes ?? null) : null,
    path: error instanceof GraphQLError ? (error.path ?? null) : null,
    extensions: {
      code: known.code,
      retryable: isRetryable(known.code),
      request_id: requestId,
      ...(known.field === undefined ? {} : { field: known.field }),
      ...(known.retryAfterMs === undefined ? {} : { retry_after_ms: known.retryAfterMs }),
    },
  });
}
