/**
 * OpenAI's endpoints in the OpenAPI document. `GET /v1/models` is described with the native ones.
 */
import * as z from 'zod/mini';
import { chatBodySchema } from '../openai/chat-request.ts';
import { embeddingsBodySchema } from '../openai/embeddings.ts';
import { inBody, operation, type Operation } from './operation.ts';

const errorSchema = z.toJSONSchema(
  z.looseObject({
    error: z.looseObject({
      message: z.string(),
      type: z.string(),
      param: z.nullable(z.string()),
      code: z.string(),
    }),
  }),
);

const usage = z.looseObject({ prompt_tokens: z.int(), total_tokens: z.int() });

const embeddingsAnswer = z.looseObject({
  object: z.literal('list'),
  data: z.array(
    z.looseObject({
      object: z.literal('embedding'),
      index: z.int(),
      embedding: z.union([z.string(), z.array(z.number())]),
    }),
  ),
  model: z.string(),
  usage,
});

const chatAnswer = z.looseObject({
  id: z.string(),
  object: z.literal('chat.completion'),
  created: z.int(),
  model: z.string(),
  choices: z.array(
    z.looseObject({
      index: z.int(),
      message: z.looseObject({ role: z.literal('assistant'), content: z.string() }),
      finish_reason: z.enum(['stop', 'length']),
    }),
  ),
  usage,
});

export function openAiPaths(): Readonly<Record<string, Readonly<Record<string, Operation>>>> {
  const common = { tag: 'OpenAI', error: errorSchema };
  const chat = operation({
    ...common,
    id: 'createChatCompletion',
    summary: 'Continues a conversation; with `stream` as server-sent events, ended by `[DONE]`.',
    body: inBody(chatBodySchema, { model: 'echo', messages: [{ role: 'user', content: 'good morning' }] }),
    answer: chatAnswer,
    streams: true,
  });
  return {
    '/v1/embeddings': {
      post: operation({
        ...common,
        id: 'createEmbedding',
        summary: 'A vector an input.',
        body: inBody(embeddingsBodySchema, { model: 'embed', input: 'good morning' }),
        answer: embeddingsAnswer,
      }),
    },
    '/v1/chat/completions': { post: chat },
  };
}
