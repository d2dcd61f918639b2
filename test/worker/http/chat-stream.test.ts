/** Streamed conversations over the whole app, real stand-ins and real containers: the seven faults of a stream, and none. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { createApp } from '../../../worker/app.ts';
import { createStaticCredentials } from '../../../worker/aws/credentials.ts';
import { IsolateState } from '../../../worker/isolate-state.ts';
import type { Services } from '../../../worker/pipeline/services.ts';
import { createSageMakerTarget } from '../../../worker/targets/sagemaker.ts';
import type { Target } from '../../../worker/ports.ts';
import { startChatPlaces, type ChatPlaces } from '../../fakes/chat-places.ts';
import { KEY } from '../../fixtures/local/keys.ts';
import { createHarness, type Harness } from '../harness.ts';

let places: ChatPlaces;
beforeAll(async () => {
  places = await startChatPlaces();
});
afterAll(() => places.close());

let harness: Harness;
let app: ReturnType<typeof createApp>;
beforeEach(() => {
  harness = createHarness({ config: places.config });
  const clock = { now: () => Date.now() };
  const credentials = createStaticCredentials(KEY);
  const targets = new Map<string, Target>(
    places.config.targets
      .filter(({ id }) => id === 'first' || id === 'second')
      .map((spec) => [spec.id, createSageMakerTarget({ spec, clock, credentials })]),
  );
  const services: Services = { ...harness.services, clock, state: new IsolateState(), targetsOf: () => targets };
  app = createApp(services);
});
afterEach(() => places.first.setFault(null));

const background: Promise<unknown>[] = [];
const context = {
  waitUntil: (work: Promise<unknown>) => void background.push(work),
  passThroughOnException: () => undefined,
  props: {},
};

async function ask(content: string, more: object = {}, signal?: AbortSignal): Promise<Response> {
  return app.request(
    '/v1/chat/completions',
    {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'talk', stream: true, messages: [{ role: 'user', content }], ...more }),
      ...(signal === undefined ? {} : { signal }),
    },
    undefined,
    context,
  );
}

type Event = {
  choices?: { delta: { content?: string; role?: string }; finish_reason: string | null }[];
  usage?: { completion_tokens: number; prompt_tokens: number };
  hybrid?: { cost_usd: number; target_used: { id: string } };
  error?: { code: string; message: string };
};

async function events(response: Response): Promise<{ events: Event[]; text: string; isDone: boolean }> {
  const lines = (await response.text()).split('\n\n').filter((line) => line !== '');
  const data = lines.map((line) => line.replace(/^data: /, ''));
  const parsed = data.filter((one) => one !== '[DONE]').map((one) => JSON.parse(one) as Event);
  const text = parsed.map((event) => event.choices?.[0]?.delta.content ?? '').join('');
  return { events: parsed, text, isDone: data.at(-1) === '[DONE]' };
}

describe('a streamed conversation', () => {
  it('comes piece by piece, ends with its reason, its usage and [DONE]', async () => {
    const response = await ask('hello', { stream_options: { include_usage: true } });
    expect(response.headers.get('content-type')).toContain('text/event-stream');
    expect(response.headers.get('x-target-used')).toBe('first');
    const stream = await events(response);
    expect(stream.text).toBe('a0 a1 a2 a3 a4 a5 ');
    expect(stream.isDone).toBe(true);
    expect(stream.events[0]?.choices?.[0]?.delta.role).toBe('assistant');
    expect(stream.events.at(-2)).toMatchObject({
      choices: [{ finish_reason: 'stop' }],
      hybrid: { target_used: { id: 'first' } },
    });
    expect(stream.events.at(-1)).toMatchObject({ choices: [], usage: { prompt_tokens: 3, completion_tokens: 6 } });
  });

  it('counts tokens and cost as the same conversation in one piece does', async () => {
    const streamed = await events(await ask('hello', { stream_options: { include_usage: true } }));
    const whole = (await (await ask('hello', { stream: false })).json()) as Event & {
      choices: { message: { content: string } }[];
    };
    expect(whole.choices[0]?.message.content).toBe(streamed.text);
    expect(whole.usage).toEqual(streamed.events.at(-1)?.usage);
    expect(whole.hybrid?.cost_usd).toBe(streamed.events.at(-2)?.hybrid?.cost_usd);
  });

  it('really streams: its first piece is there long before its last', async () => {
    const response = await ask('slow');
    const reader = response.body?.getReader();
    const startedAtMs = performance.now();
    await reader?.read();
    const firstMs = performance.now() - startedAtMs;
    for (;;) if ((await reader?.read())?.done !== false) break;
    expect(performance.now() - startedAtMs - firstMs).toBeGreaterThan(300);
  });

  it('falls back when the endpoint says 503', async () => {
    await places.first.setFault({ kind: 'status', status: 503 });
    const stream = await events(await ask('hello'));
    expect([stream.text, stream.isDone]).toEqual(['b0 b1 b2 b3 b4 b5 ', true]);
  });

  it.each(['hang before headers', 'stall after headers', 'error first', 'cut before first', 'garbage'])(
    'falls back when the stream does this before its first token: %s',
    async (fault) => {
      const response = await ask(fault);
      expect([response.status, response.headers.get('x-target-used')]).toEqual([200, 'second']);
      const stream = await events(response);
      expect([stream.text, stream.isDone]).toEqual(['b0 b1 b2 b3 b4 b5 ', true]);
    },
  );

  it.each([
    ['cut after five', 'a0 a1 a2 a3 a4 '],
    ['stall after five', 'a0 a1 a2 a3 a4 '],
    ['no finish', 'a0 a1 a2 a3 a4 a5 '],
  ])('says so in-band and mixes in no other answer when it breaks later: %s', async (fault, text) => {
    const stream = await events(await ask(fault));
    expect(stream.text).toBe(text);
    expect(stream.isDone).toBe(false);
    expect(stream.events.at(-1)).toMatchObject({ error: { code: 'stream_broken' } });
    expect(JSON.stringify(stream.events)).not.toContain('private');
  });

  it('falls back even late where the caller does not stream', async () => {
    const whole = (await (await ask('cut after five', { stream: false })).json()) as {
      choices: { message: { content: string } }[];
    };
    expect(whole.choices[0]?.message.content).toBe('b0 b1 b2 b3 b4 b5 ');
  });

  it('lets the container go when the caller leaves', async () => {
    const before = places.lines.filter((line) => line.includes('let go')).length;
    const response = await ask('slow');
    const reader = response.body?.getReader();
    await reader?.read();
    await reader?.cancel();
    await vi.waitFor(() => expect(places.lines.filter((line) => line.includes('let go')).length).toBe(before + 1), {
      timeout: 5_000,
    });
  });

  it('that was cached comes as one piece', async () => {
    await (await ask('again', { temperature: 0 })).text();
    await Promise.all(background.splice(0));
    const response = await ask('again', { temperature: 0 });
    expect(response.headers.get('x-cache')).toBe('hit');
    const stream = await events(response);
    expect([stream.text, stream.isDone]).toEqual(['a0 a1 a2 a3 a4 a5 ', true]);
  });

  it('that nobody can hold is an error with its status', async () => {
    const response = await ask('error first', { hybrid: { max_cost_usd: 0.0011 } });
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({ error: { type: 'server_error', code: 'chain_exhausted' } });
  });
});
