/**
 * The npm package `openai`, unmodified, in its ordinary use.
 */
import assert from 'node:assert/strict';
import OpenAI, { APIError, NotFoundError } from 'openai';
import type { Check } from './checks.ts';

export function openAiChecks(url: string): readonly Check[] {
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'unused', maxRetries: 0 });
  const messages = [{ role: 'user' as const, content: 'one two three' }];
  return [
    {
      name: 'lists models',
      run: async () => {
        const ids: string[] = [];
        for await (const model of client.models.list()) ids.push(model.id);
        assert.ok(ids.includes('intent') && ids.includes('echo'));
        assert.equal((await client.models.retrieve('intent')).id, 'intent');
      },
    },
    {
      name: 'makes embeddings, as base64 underneath and as floats',
      run: async () => {
        const packed = await client.embeddings.create({ model: 'embed', input: ['good morning', 'a red car'] });
        const plain = await client.embeddings.create({
          model: 'embed',
          input: 'good morning',
          encoding_format: 'float',
        });
        const [first, second] = packed.data;
        assert.equal(first?.embedding.length, second?.embedding.length);
        plain.data[0]?.embedding.forEach((value, index) => {
          assert.ok(Math.abs(value - (first?.embedding[index] ?? 9)) < 1e-6);
        });
      },
    },
    {
      name: 'completes a chat in one piece',
      run: async () => {
        const answer = await client.chat.completions.create({ model: 'echo', messages });
        assert.equal(answer.choices[0]?.message.content, 'You said: one two three');
        assert.equal(answer.usage?.completion_tokens, 5);
      },
    },
    {
      name: 'streams a chat, with usage at the end',
      run: async () => {
        const stream = await client.chat.completions.create({
          model: 'echo',
          messages,
          stream: true,
          stream_options: { include_usage: true },
        });
        let text = '';
        let tokens = 0;
        for await (const chunk of stream) {
          text += chunk.choices[0]?.delta.content ?? '';
          tokens = chunk.usage?.completion_tokens ?? tokens;
        }
        assert.deepEqual([text, tokens], ['You said: one two three', 5]);
      },
    },
    {
      name: 'leaves a stream half way',
      run: async () => {
        const stream = await client.chat.completions.create({ model: 'echo', messages, stream: true });
        for await (const chunk of stream) {
          if (chunk.choices[0]?.delta.content !== undefined) break;
        }
        stream.controller.abort();
      },
    },
    {
      name: 'raises errors by their kind',
      run: async () => {
        await assert.rejects(client.chat.completions.create({ model: 'none', messages }), NotFoundError);
        await assert.rejects(
          client.chat.completions.create({ model: 'echo', messages, n: 2 }),
          (error) => error instanceof APIError && error.status === 400 && error.param === 'n',
        );
      },
    },
    {
      name: 'passes requirements in a header and in the body',
      run: async () => {
        const { response } = await client.embeddings
          .create(
            { model: 'embed', input: 'good morning' },
            { headers: { 'x-placement': 'edge', 'x-cache-mode': 'bypass' } },
          )
          .withResponse();
        assert.equal(response.headers.get('x-target-used'), 'edge');
      },
    },
  ];
}
