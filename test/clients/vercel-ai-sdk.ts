/**
 * Vercel's AI SDK with its adapter for OpenAI-compatible servers, unmodified.
 */
import assert from 'node:assert/strict';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { embedMany, generateText, streamText } from 'ai';
import type { Check } from './checks.ts';

export function vercelChecks(url: string): readonly Check[] {
  const provider = createOpenAICompatible({ name: 'hybrid', baseURL: `${url}/v1`, apiKey: 'unused' });
  const model = provider.chatModel('echo');
  return [
    {
      name: 'generates a text',
      run: async () => {
        const { text, finishReason } = await generateText({ model, prompt: 'one two', maxRetries: 0 });
        assert.deepEqual([text, finishReason], ['You said: one two', 'stop']);
      },
    },
    {
      name: 'streams a text',
      run: async () => {
        const { textStream } = streamText({ model, prompt: 'one two', maxRetries: 0 });
        const pieces: string[] = [];
        for await (const piece of textStream) pieces.push(piece);
        assert.ok(pieces.length > 1);
        assert.equal(pieces.join(''), 'You said: one two');
      },
    },
    {
      name: 'embeds many',
      run: async () => {
        const { embeddings } = await embedMany({
          model: provider.embeddingModel('embed'),
          values: ['good morning', 'a red car'],
          maxRetries: 0,
        });
        assert.equal(embeddings.length, 2);
        assert.equal(embeddings[0]?.length, embeddings[1]?.length);
      },
    },
  ];
}
