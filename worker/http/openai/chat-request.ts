/**
 * The body of `POST /v1/chat/completions` -> native fields. What would change the answer and cannot be done is refused;
 * what only describes the request is passed over.
 */
import * as z from 'zod/mini';
import { GatewayError } from '../../../shared/errors.ts';
import type { WireInferRequest } from '../../../shared/schema/infer-request.ts';
import { parseWire } from '../parse-wire.ts';
import { extensionSchema, requirementsOf } from './extension.ts';
import { parseBody } from './parse-body.ts';

const partSchema = z.looseObject({
  type: z.literal('text', 'must be text: this gateway takes no other parts'),
  text: z.string('must be a text'),
});

const messageSchema = z.looseObject({
  role: z.enum(['system', 'developer', 'user', 'assistant'], 'must be system, developer, user or assistant'),
  content: z.union([z.string(), z.array(partSchema)], 'must be a text or a list of text parts'),
});

export const chatBodySchema = z.looseObject(
  {
    model: z.string('must be a text'),
    messages: z.array(messageSchema, 'must be a list of messages'),
    max_tokens: z.optional(z.nullable(z.int('must be a whole number'))),
    max_completion_tokens: z.optional(z.nullable(z.int('must be a whole number'))),
    temperature: z.optional(z.nullable(z.number('must be a number'))),
    top_p: z.optional(z.nullable(z.number('must be a number'))),
    stop: z.optional(z.nullable(z.union([z.string(), z.array(z.string())], 'must be a text or a list of texts'))),
    seed: z.optional(z.nullable(z.int('must be a whole number'))),
    n: z.optional(z.nullable(z.literal(1, 'must be 1'))),
    stream: z.optional(z.nullable(z.boolean('must be true or false'))),
    stream_options: z.optional(z.nullable(z.looseObject({ include_usage: z.optional(z.boolean()) }))),
    hybrid: extensionSchema,
  },
  'must be a JSON object',
);

/** Asked for, they change the answer; absent, null, false, zero or empty they do not. */
const NOT_OFFERED = [
  'tools',
  'functions',
  'logprobs',
  'top_logprobs',
  'logit_bias',
  'frequency_penalty',
  'presence_penalty',
  'reasoning_effort',
  'audio',
  'prediction',
] as const;

export type ChatRequest = {
  readonly wire: WireInferRequest;
  readonly isStream: boolean;
  readonly includeUsage: boolean;
};

export function parseChatRequest(value: unknown, headers: Headers): ChatRequest {
  const body = parseBody(chatBodySchema, value);
  for (const name of NOT_OFFERED) if (isAsked(body[name])) throw notOffered(name);
  const format = body['response_format'];
  if (typeof format === 'object' && format !== null && 'type' in format && format.type !== 'text')
    throw notOffered('response_format');
  const { stop, modalities, web_search_options: search } = body;
  if (Array.isArray(modalities) && modalities.some((one) => one !== 'text')) throw notOffered('modalities');
  // Here an empty object asks, too.
  if (search !== undefined && search !== null) throw notOffered('web_search_options');
  return {
    wire: parseWire({
      ...requirementsOf(headers, body.hybrid),
      model_name: body.model,
      input_data: withoutAbsent({
        messages: body.messages.map(({ role, content }) => ({
          role: role === 'developer' ? 'system' : role,
          content: typeof content === 'string' ? content : content.map((part) => part.text).join(''),
        })),
        max_tokens: body.max_completion_tokens ?? body.max_tokens,
        temperature: body.temperature,
        top_p: body.top_p,
        stop: typeof stop === 'string' ? [stop] : stop,
        seed: body.seed,
      }),
    }),
    isStream: body.stream === true,
    includeUsage: body.stream_options?.include_usage === true,
  };
}

function isAsked(value: unknown): boolean {
  if (typeof value === 'object' && value !== null) return Object.keys(value).length > 0;
  return value !== undefined && value !== null && value !== false && value !== 0;
}

function notOffered(name: string): GatewayError {
  return new GatewayError('invalid_request', `${name}: is not offered by this gateway.`, { field: name });
}

function withoutAbsent(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined && value !== null));
}
