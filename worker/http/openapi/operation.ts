/**
 * One operation of the OpenAPI document: what all of them share is said once.
 */
import * as z from 'zod/mini';

export type JsonSchema = Readonly<Record<string, unknown>>;

export type Parameter = {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly required: boolean;
  readonly description: string;
  readonly schema: JsonSchema;
};

export type Operation = Readonly<Record<string, unknown>>;

type Body = { readonly schema: JsonSchema; readonly example: unknown };

export type Described = {
  readonly id: string;
  readonly tag: string;
  readonly summary: string;
  readonly parameters?: readonly Parameter[];
  readonly body?: Body;
  readonly answer: z.ZodMiniType;
  /** The protocol's own form of an error. */
  readonly error: JsonSchema;
  /** May also answer with server-sent events. */
  readonly streams?: boolean;
  /** Asked without a key. */
  readonly isOpen?: boolean;
};

export function inBody(schema: z.ZodMiniType, example: unknown): Body {
  return { schema: z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }), example };
}

const errorHeaders = {
  'x-request-id': { description: 'Of this request.', schema: { type: 'string' } },
};

export function operation(described: Described): Operation {
  const { id, tag, summary, parameters, body, answer, error, streams, isOpen } = described;
  return {
    operationId: id,
    tags: [tag],
    summary,
    ...(parameters === undefined ? {} : { parameters }),
    ...(body === undefined
      ? {}
      : {
          requestBody: {
            required: true,
            content: { 'application/json': { schema: body.schema, example: body.example } },
          },
        }),
    ...(isOpen === true ? { security: [] } : {}),
    responses: {
      200: {
        description: 'Answered.',
        headers: errorHeaders,
        content: {
          'application/json': { schema: z.toJSONSchema(answer, { unrepresentable: 'any' }) },
          ...(streams === true ? { 'text/event-stream': { schema: { type: 'string' } } } : {}),
        },
      },
      default: {
        description: 'Why not, with a code in `x-error-code`.',
        headers: errorHeaders,
        content: { 'application/json': { schema: error } },
      },
    },
  };
}
