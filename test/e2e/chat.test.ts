/** Conversations through the real worker in workerd, the stand-in and its container. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startStack, type Stack } from '../../local/stack.ts';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack({ port: 0 });
});
afterAll(() => stack.close());

function ask(body: object): Promise<Response> {
  return fetch(`${stack.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'echo', messages: [{ role: 'user', content: 'one two three four five' }], ...body }),
  });
}

describe('a conversation through workerd', () => {
  it('comes in one piece', async () => {
    const body = (await (await ask({})).json()) as { choices: { message: { content: string } }[]; usage: object };
    expect(body.choices[0]?.message.content).toBe('You said: one two three four five');
    expect(body.usage).toEqual({ prompt_tokens: 5, completion_tokens: 7, total_tokens: 12 });
  });

  it('is really streamed: pieces arrive apart from one another', async () => {
    const response = await ask({ stream: true });
    expect(response.headers.get('x-target-used')).toBe('sagemaker-echo');
    let reads = 0;
    let text = '';
    for await (const chunk of response.body ?? []) {
      reads += 1;
      text += Buffer.from(chunk).toString();
    }
    expect(reads).toBeGreaterThan(3);
    expect(text.match(/"content":"[^"]+"/g)).toHaveLength(7);
    expect(text.endsWith('data: [DONE]\n\n')).toBe(true);
  });

  it('stops at the tokens allowed', async () => {
    const body = (await (await ask({ max_tokens: 3 })).json()) as { choices: { finish_reason: string }[] };
    expect(body.choices[0]?.finish_reason).toBe('length');
  });
});
