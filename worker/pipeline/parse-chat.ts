/**
 * A conversation as the native contract writes it: a text (what the user says), or a list of messages, or an object with
 * `messages` and the settings of generation. Owns bounds; other protocols bring their own parser.
 */
import * as z from 'zod/mini';
import { GatewayError } from '../../shared/errors.ts';
import type { ModelInputSpec } from '../../shared/schema/card.ts';
import { issuePath } from '../../shared/schema/issue-path.ts';
import type { ChatInput } from '../../shared/schema/model-input.ts';

type ChatSpec = Extract<ModelInputSpec, { kind: 'chat' }>;

const MAX_MESSAGES = 512;
const MAX_STOP = 4;

const messageSchema = z.strictObject({
  role: z.enum(['system', 'user', 'assistant'], 'must be system, user or assistant'),
  content: z.string('must be a text'),
});

const chatSchema = z.strictObject({
  messages: z
    .array(messageSchema, 'must be a list of messages')
    .check(z.minLength(1, 'is empty'), z.maxLength(MAX_MESSAGES, `has more than ${MAX_MESSAGES} messages`)),
  max_tokens: z.optional(z.int('must be a whole number').check(z.positive('must be above 0'))),
  temperature: z.optional(
    z.number('must be a number').check(z.minimum(0, 'must be from 0 to 2'), z.maximum(2, 'must be from 0 to 2')),
  ),
  top_p: z.optional(
    z.number('must be a number').check(z.minimum(0, 'must be from 0 to 1'), z.maximum(1, 'must be from 0 to 1')),
  ),
  stop: z.optional(
    z
      .array(z.string('must be a text').check(z.minLength(1, 'is empty')))
      .check(z.maxLength(MAX_STOP, `has more than ${MAX_STOP} texts`)),
  ),
  seed: z.optional(z.int('must be a whole number')),
});

export function parseChat(value: unknown, spec: ChatSpec, field: string): ChatInput {
  const outline =
    typeof value === 'string'
      ? { messages: [{ role: 'user', content: value }] }
      : Array.isArray(value)
        ? { messages: value }
        : value;
  const parsed = chatSchema.safeParse(outline);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const path = issue === undefined || issue.path.length === 0 ? field : `${field}.${issuePath(issue.path)}`;
    throw wrong(path, issue?.message ?? 'does not have the expected shape');
  }
  const { messages, max_tokens: maxTokens, temperature, top_p: topP, stop = [], seed } = parsed.data;
  const chars = messages.reduce((sum, { content }) => sum + content.length, 0);
  if (chars > spec.max_chars) throw wrong(field, `has ${chars} characters; this model takes ${spec.max_chars}`);
  if (messages.every(({ content }) => content.trim() === '')) throw wrong(field, 'says nothing');
  if (maxTokens !== undefined && maxTokens > spec.max_output_tokens)
    throw wrong(`${field}.max_tokens`, `must be at most ${spec.max_output_tokens} for this model`);
  return { kind: 'chat', messages, maxTokens, temperature, topP, stop, seed };
}

function wrong(path: string, problem: string): GatewayError {
  return new GatewayError('invalid_input', `${path} ${problem}.`, { field: path });
}
