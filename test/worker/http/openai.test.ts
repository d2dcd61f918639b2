/** OpenAI's endpoints over the whole app: what its clients send, what comes back, and every refusal in its own form. */
import { beforeEach, describe, expect, it } from 'vitest';
import type { Config, ModelSpec } from '../../../shared/schema/config.ts';
import { createHarness, type Harness } from '../harness.ts';
import { testConfig } from '../test-config.ts';

const context = { waitUntil: () => undefined, passThroughOnException: () => undefined, props: {} };

function config(): Config {
  return testConfig((made) => {
    const [mood] = made.models;
    const [edge] = made.targets;
    const [route] = made.routes;
    if (mood === undefined || edge === undefined || route === undefined) throw new Error('an empty test configuration');
    const vectors: ModelSpec = {
      ...mood,
      name: 'vectors',
      task: 'sentence_embedding',
      labels: [],
      out_of_scope_label: null,
      reference_variant: 'micro',
      variants: mood.variants.filter(({ name }) => name === 'micro'),
    };
    const talk: ModelSpec = {
      ...vectors,
      name: 'talk',
      task: 'text_generation',
      input: { kind: 'chat', max_chars: 100, max_output_tokens: 10 },
    };
    const served = edge.serves.filter(({ model, variant }) => model === 'mood' && variant === 'micro');
    return {
      ...made,
      models: [...made.models, vectors, talk],
      targets: made.targets.map((target) =>
        target.id === 'edge'
          ? {
              ...target,
              serves: [
                ...target.serves,
                ...['vectors', 'talk'].flatMap((model) => served.map((one) => ({ ...one, model }))),
              ],
            }
          : target,
      ),
      routes: [
        ...made.routes,
        ...['vectors', 'talk'].map((name) => ({ ...route, name, model: name, policy: { kind: 'cheapest' as const } })),
      ],
    };
  });
}

let harness: Harness;
beforeEach(() => {
  harness = createHarness({ config: config() });
  harness.scripts['edge'] = (call) => {
    const { input } = call;
    if (input.kind === 'chat') {
      const text = JSON.stringify(input);
      const tokens = { prompt: 2, completion: 3 };
      return {
        kind: 'answered',
        computeMs: 1,
        predictions: [{ kind: 'text', text, finishReason: 'stop', tokens, confidence: 1, truncated: false }],
      };
    }
    const texts = input.kind === 'text' ? input.texts : [];
    return {
      kind: 'answered',
      computeMs: 1,
      predictions: texts.map((one) => ({
        kind: 'embedding',
        embedding: [one.length, 0.5],
        confidence: 1,
        truncated: false,
      })),
    };
  };
});

async function post(path: string, body: unknown, headers: Record<string, string> = {}) {
  const response = await harness.app.request(
    path,
    {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    },
    undefined,
    context,
  );
  return {
    status: response.status,
    headers: response.headers,
    body: (await response.json()) as Record<string, unknown>,
  };
}

const user = { role: 'user', content: 'hi' };

describe('GET /v1/models', () => {
  it('lists models as OpenAI clients read them, beside the native list', async () => {
    const response = await harness.app.request('/v1/models', {}, undefined, context);
    expect(await response.json()).toMatchObject({
      object: 'list',
      data: [{ id: 'mood', object: 'model', owned_by: 'hybrid-inference' }, {}, {}, {}],
      models: [{ name: 'mood' }, {}, {}, {}],
    });
    const one = await harness.app.request('/v1/models/mood', {}, undefined, context);
    expect(await one.json()).toMatchObject({ id: 'mood', object: 'model', created: expect.any(Number) as number });
  });
});

describe('POST /v1/embeddings', () => {
  it('gives a vector an input, in order', async () => {
    const { status, body, headers } = await post('/v1/embeddings', { model: 'vectors', input: ['a', 'two words'] });
    expect(status).toBe(200);
    expect(body).toMatchObject({
      object: 'list',
      data: [
        { object: 'embedding', index: 0, embedding: [1, 0.5] },
        { object: 'embedding', index: 1, embedding: [9, 0.5] },
      ],
      model: 'vectors',
      usage: { prompt_tokens: 3, total_tokens: 3 },
      hybrid: { target_used: { id: 'edge' } },
    });
    expect(headers.get('x-target-used')).toBe('edge');
  });

  it('gives base64 of float32 where asked, as the npm client does', async () => {
    const { body } = await post('/v1/embeddings', { model: 'vectors', input: 'a', encoding_format: 'base64' });
    const [first] = body['data'] as { embedding: string }[];
    const bytes = Buffer.from(first?.embedding ?? '', 'base64');
    expect([bytes.readFloatLE(0), bytes.readFloatLE(4)]).toEqual([1, 0.5]);
  });

  it.each([
    ['no input', { model: 'vectors' }, 400, 'input'],
    ['token numbers', { model: 'vectors', input: [1, 2] }, 400, 'input'],
    ['an empty text', { model: 'vectors', input: ['a', ''] }, 422, 'input[1]'],
    ['nothing but an empty text', { model: 'vectors', input: '' }, 422, 'input'],
    ['another encoding', { model: 'vectors', input: 'a', encoding_format: 'hex' }, 400, 'encoding_format'],
    ['an unknown model', { model: 'gpt', input: 'a' }, 404, 'model'],
    ['a model that makes none', { model: 'mood', input: 'a', hybrid: { variant: 'base' } }, 400, 'model'],
    ['a requirement that is none', { model: 'vectors', input: 'a', hybrid: { placement: 'moon' } }, 400, 'placement'],
    ['no JSON', '{', 400, null],
  ])('refuses %s', async (_what, sent, status, param) => {
    const answer = await post('/v1/embeddings', sent);
    const said = expect.not.stringMatching(/input_data|model_name/) as string;
    expect([answer.status, answer.body]).toMatchObject([status, { error: { message: said, param } }]);
    expect(harness.calls).toEqual([]);
    expect(harness.records).toMatchObject([{ outcome: 'error', attempts: [] }]);
  });

  it('refuses dimensions that the vectors do not have', async () => {
    const { status, body } = await post('/v1/embeddings', { model: 'vectors', input: 'a', dimensions: 3 });
    expect([status, body]).toMatchObject([400, { error: { param: 'dimensions' } }]);
  });
});

describe('POST /v1/chat/completions', () => {
  it('passes on what the caller set, and answers in one piece', async () => {
    const { status, body } = await post('/v1/chat/completions', {
      model: 'talk',
      messages: [
        {
          role: 'developer',
          content: [
            { type: 'text', text: 'be ' },
            { type: 'text', text: 'kind' },
          ],
        },
        user,
      ],
      max_completion_tokens: 5,
      temperature: 0.5,
      top_p: null,
      stop: 'x',
      seed: 3,
      user: 'u',
      tools: [],
      logprobs: false,
      frequency_penalty: 0,
      presence_penalty: 0.0,
      reasoning_effort: null,
      modalities: ['text'],
    });
    expect(status).toBe(200);
    expect(body).toMatchObject({
      object: 'chat.completion',
      model: 'talk',
      choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant' } }],
      usage: { prompt_tokens: 2, completion_tokens: 3, total_tokens: 5 },
    });
    const [choice] = body['choices'] as { message: { content: string } }[];
    expect(JSON.parse(choice?.message.content ?? '')).toEqual({
      kind: 'chat',
      messages: [{ role: 'system', content: 'be kind' }, user],
      maxTokens: 5,
      temperature: 0.5,
      stop: ['x'],
      seed: 3,
    });
  });

  it('streams the answer of a place that does not stream, as one piece', async () => {
    const response = await harness.app.request(
      '/v1/chat/completions',
      {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ model: 'talk', stream: true, messages: [user] }),
      },
      undefined,
      context,
    );
    const text = await response.text();
    expect(text.split('\n\n').filter((line) => line !== '')).toHaveLength(3);
    expect(text.endsWith('data: [DONE]\n\n')).toBe(true);
  });

  it.each([
    ['no messages', { model: 'talk' }, 400, 'messages'],
    ['empty messages', { model: 'talk', messages: [] }, 422, 'messages'],
    [
      'an image part',
      { model: 'talk', messages: [{ role: 'user', content: [{ type: 'image_url', text: '' }] }] },
      400,
      'messages[0].content',
    ],
    ['an unknown role', { model: 'talk', messages: [{ role: 'tool', content: 'x' }] }, 400, 'messages[0].role'],
    ['two choices', { model: 'talk', messages: [user], n: 2 }, 400, 'n'],
    ['tools', { model: 'talk', messages: [user], tools: [{}] }, 400, 'tools'],
    ['a penalty', { model: 'talk', messages: [user], frequency_penalty: 0.5 }, 400, 'frequency_penalty'],
    ['another penalty', { model: 'talk', messages: [user], presence_penalty: -1 }, 400, 'presence_penalty'],
    ['thinking', { model: 'talk', messages: [user], reasoning_effort: 'high' }, 400, 'reasoning_effort'],
    ['a search', { model: 'talk', messages: [user], web_search_options: {} }, 400, 'web_search_options'],
    ['speech', { model: 'talk', messages: [user], modalities: ['text', 'audio'] }, 400, 'modalities'],
    [
      'more text than the model takes',
      { model: 'talk', messages: [{ ...user, content: 'x'.repeat(101) }] },
      422,
      'messages',
    ],
    [
      'JSON answers',
      { model: 'talk', messages: [user], response_format: { type: 'json_object' } },
      400,
      'response_format',
    ],
    ['more tokens than the model gives', { model: 'talk', messages: [user], max_tokens: 11 }, 422, 'max_tokens'],
    ['a model that holds none', { model: 'mood', messages: [user] }, 422, 'messages'],
  ])('refuses %s', async (_what, sent, status, param) => {
    const answer = await post('/v1/chat/completions', sent);
    const said = expect.not.stringMatching(/input_data|model_name/) as string;
    expect([answer.status, answer.body]).toMatchObject([status, { error: { message: said, param } }]);
  });

  it('refuses strangers and other methods in its own form', async () => {
    const closed = createHarness({
      config: {
        ...config(),
        api_keys: [{ id: 'k', sha256: 'a'.repeat(64), tenant: 't', scopes: ['infer'], enabled: true }],
      },
    });
    const response = await closed.app.request('/v1/chat/completions', { method: 'POST' }, undefined, context);
    expect([response.status, await response.json()]).toMatchObject([401, { error: { type: 'authentication_error' } }]);
    const read = await harness.app.request('/v1/embeddings', {}, undefined, context);
    expect([read.status, await read.json()]).toMatchObject([405, { error: { code: 'method_not_allowed' } }]);
  });
});
