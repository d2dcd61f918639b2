import { describe, expect, it } from 'vitest';
import { answering, createHarness, failing, type Harness } from '../harness.ts';
import { testConfig } from '../test-config.ts';

const ask = { model_name: 'mood', input_data: 'hello' };

describe('the way of a request', () => {
  it('answers at the edge when the small model is sure', async () => {
    const harness = createHarness();
    const { status, body } = await harness.post(ask);
    expect(status).toBe(200);
    expect(body).toMatchObject({
      request_id: 'generated-id',
      variant: 'micro',
      target_used: { kind: 'edge', id: 'edge' },
      cache: 'miss',
      decision: { config_version: '7', missed: [] },
    });
    expect(body.predictions).toHaveLength(1);
    expect(body.cost_usd).toBeLessThan(body.decision.cloud_only_cost_usd);
    expect(harness.calls.map(({ target }) => target)).toEqual(['edge']);
  });

  it('escalates to lambda, then to sagemaker, while answers are not sure enough', async () => {
    const harness = createHarness();
    harness.scripts['edge'] = answering(0.4);
    harness.scripts['lambda'] = answering(0.5);
    harness.scripts['sagemaker'] = answering(0.6, 'no');
    const { body } = await harness.post(ask);
    expect(body.variant).toBe('large');
    expect(body.predictions[0]?.label).toBe('no');
    expect(body.decision.fallback_chain.map(({ target, why, outcome }) => [target, why, outcome])).toEqual([
      ['edge', 'first', 'low_confidence'],
      ['lambda', 'escalation', 'low_confidence'],
      ['sagemaker', 'escalation', 'accepted'],
    ]);
    expect(harness.records[0]?.attempts.filter(({ why }) => why === 'fallback')).toEqual([]);
  });

  it('sends on only those inputs of a batch that still need an answer', async () => {
    const harness = createHarness();
    harness.scripts['edge'] = () => ({
      kind: 'answered',
      computeMs: null,
      predictions: [0.99, 0.2, 0.97].map((confidence) => ({
        kind: 'class' as const,
        label: 'yes',
        confidence,
        top: [],
        truncated: false,
      })),
    });
    harness.scripts['lambda'] = answering(0.95, 'no');
    const { body } = await harness.post({ ...ask, input_data: ['a', 'b', 'c'] });
    expect(harness.calls[1]?.call.input).toEqual({ kind: 'text', texts: ['b'] });
    expect(body.predictions.map(({ label, variant }) => [label, variant])).toEqual([
      ['yes', 'micro'],
      ['no', 'base'],
      ['yes', 'micro'],
    ]);
    expect(body.target_used.id).toBe('lambda');
    expect(harness.records[0]).toMatchObject({ items: 3, edgeItems: 2 });
  });

  it('falls back to sagemaker when lambda fails, and counts that apart from the escalation before', async () => {
    const harness = createHarness();
    harness.scripts['edge'] = answering(0.4);
    harness.scripts['lambda'] = failing('upstream_error');
    const { status, body } = await harness.post(ask);
    expect(status).toBe(200);
    expect(body.decision.fallback_chain.map(({ target, why, reason }) => [target, why, reason])).toEqual([
      ['edge', 'first', null],
      ['lambda', 'escalation', 'upstream_error'],
      ['sagemaker', 'fallback', null],
    ]);
  });

  it('gives the edge answer it has when the whole cloud is down, and says it is not sure', async () => {
    const harness = createHarness();
    harness.scripts['edge'] = answering(0.4);
    harness.scripts['lambda'] = failing('connect_failed');
    harness.scripts['sagemaker'] = failing('timeout');
    const { status, body } = await harness.post(ask);
    expect(status).toBe(200);
    expect(body.predictions[0]).toMatchObject({ label: 'yes', accepted: false });
    expect(body.decision.missed).toContain('confidence');
    expect(body.decision.reason).toContain('best effort');
  });

  it('does not repeat from the cache an answer that cannot promise the accuracy asked for, as if it did', async () => {
    const harness = createHarness({
      config: testConfig((config) => ({
        ...config,
        routes: config.routes.map((route) => ({ ...route, policy: { kind: 'cheapest' } })),
      })),
    });
    const wish = { ...ask, min_accuracy: 0.99 };
    const answers = [await harness.post(wish), await harness.post(wish)];
    expect(answers.map(({ body }) => [body.cache, body.decision.missed])).toEqual([
      ['miss', ['min_accuracy']],
      ['miss', ['min_accuracy']],
    ]);
  });

  it('does not repeat a best effort from the cache', async () => {
    const harness = createHarness();
    harness.scripts['edge'] = answering(0.4);
    harness.scripts['lambda'] = failing('connect_failed');
    harness.scripts['sagemaker'] = failing('timeout');
    await harness.post(ask);
    harness.scripts['edge'] = answering(0.99);
    expect((await harness.post(ask)).body.cache).toBe('miss');
  });

  it('answers one clear error when every place fails, with what was tried', async () => {
    const harness = createHarness();
    for (const id of ['edge', 'lambda', 'sagemaker']) harness.scripts[id] = failing('upstream_error');
    const { status, body, headers } = await harness.post(ask);
    expect([status, body.error.code]).toEqual([503, 'chain_exhausted']);
    expect(headers.get('retry-after')).toBe('1');
    expect(body.decision.fallback_chain.map(({ target }) => target).toSorted()).toEqual([
      'edge',
      'lambda',
      'sagemaker',
    ]);
  });

  it('says that the input is at fault where every place refuses it: asking again would not help', async () => {
    const harness = createHarness();
    for (const id of ['edge', 'lambda', 'sagemaker']) harness.scripts[id] = failing('rejected');
    const { status, body, headers } = await harness.post(ask);
    expect([status, body.error.code, headers.get('x-should-retry')]).toEqual([422, 'invalid_input', 'false']);
    expect(headers.get('retry-after')).toBeNull();
    expect(body.decision.fallback_chain).toHaveLength(3);
  });

  const failingOtherwise = async (harness: Harness): Promise<void> => {
    harness.scripts['sagemaker'] = failing('upstream_error');
  };
  const behindItsBreaker = async (harness: Harness): Promise<void> => {
    await failingOtherwise(harness);
    for (let index = 0; index < 10; index += 1) await harness.post({ ...ask, variant: 'large', cache: 'bypass' });
  };
  it.each([
    ['failed otherwise', failingOtherwise],
    ['is away for now', behindItsBreaker],
  ])('says that another try may help where one place %s', async (_what, prepare) => {
    const harness = createHarness();
    for (const id of ['edge', 'lambda', 'sagemaker']) harness.scripts[id] = failing('rejected');
    await prepare(harness);
    const { status, body } = await harness.post(ask);
    expect([status, body.error.code]).toEqual([503, 'chain_exhausted']);
  });

  it('tries no place twice', async () => {
    const harness = createHarness();
    for (const id of ['edge', 'lambda', 'sagemaker']) harness.scripts[id] = failing('timeout');
    await harness.post(ask);
    expect(harness.calls).toHaveLength(3);
  });

  it('stops at the deadline', async () => {
    const harness = createHarness();
    harness.scripts['edge'] = () => {
      harness.nowMs += 200;
      return { kind: 'failed', reason: 'timeout', detail: 'slow', computeMs: null };
    };
    const { status, body } = await harness.post({ ...ask, latency_requirement: 100 });
    expect([status, body.error.code]).toEqual([504, 'deadline_exceeded']);
    expect(harness.calls).toHaveLength(1);
  });

  it('gives every attempt no more than what is left', async () => {
    const harness = createHarness();
    harness.scripts['edge'] = () => {
      harness.nowMs += 60;
      return { kind: 'failed', reason: 'model_broken', detail: 'broken', computeMs: 0 };
    };
    await harness.post({ ...ask, latency_requirement: 100 });
    expect(harness.calls[0]?.call.timeoutMs).toBeLessThanOrEqual(100);
    expect(harness.calls[1]?.call.timeoutMs).toBeLessThanOrEqual(40);
  });

  it('skips a target whose breaker is open and says so', async () => {
    const harness = createHarness();
    harness.scripts['edge'] = answering(0.1);
    harness.scripts['lambda'] = failing('upstream_error');
    for (let index = 0; index < 10; index += 1) await harness.post({ ...ask, cache: 'bypass' });
    harness.calls.length = 0;
    const { body } = await harness.post({ ...ask, cache: 'bypass', explain: true });
    expect(harness.calls.map(({ target }) => target)).toEqual(['edge', 'sagemaker']);
    expect(body.decision.refused).toContainEqual(expect.objectContaining({ target: 'lambda', reason: 'breaker_open' }));
  });

  it('reports a caller who left as such and asks nobody else', async () => {
    const harness = createHarness();
    const caller = new AbortController();
    harness.scripts['edge'] = () => {
      caller.abort();
      return { kind: 'failed', reason: 'cancelled', detail: 'the caller left', computeMs: null };
    };
    const request = new Request('http://gateway/v1/infer', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(ask),
      signal: caller.signal,
    });
    const response = await harness.app.fetch(request, undefined, {
      waitUntil: () => undefined,
      passThroughOnException: () => undefined,
      props: {},
    });
    expect(response.status).toBe(499);
    expect(harness.calls).toHaveLength(1);
    expect(harness.records[0]?.errorCode).toBe('client_closed_request');
  });

  it('sheds low priority first when the isolate is busy', async () => {
    const harness = createHarness({
      config: testConfig((config) => ({ ...config, limits: { ...config.limits, max_in_flight: 2 } })),
    });
    harness.services.state.requestStarted();
    const low = await harness.post({ ...ask, priority: 'low' });
    const critical = await harness.post({ ...ask, priority: 'critical' });
    expect([low.status, low.body.error.code, low.headers.get('retry-after')]).toEqual([429, 'overloaded', '1']);
    expect(critical.status).toBe(200);
    harness.services.state.requestEnded(0, harness.nowMs);
    expect((await harness.post({ ...ask, priority: 'low' })).status).toBe(200);
  });

  it('does not count an upload that never ends as work: nobody is shed for it', async () => {
    const harness = createHarness({
      config: testConfig((config) => ({ ...config, limits: { ...config.limits, max_in_flight: 2 } })),
    });
    const uploads = Array.from({ length: 10 }, () => {
      const headers = { 'content-type': 'application/json' };
      const init = { method: 'POST', headers, body: new ReadableStream(), duplex: 'half' } as RequestInit;
      return harness.app.request('/v1/infer', init, undefined, harness.context);
    });
    await new Promise((resolve) => setTimeout(resolve));
    expect(harness.services.state.inFlight).toBe(0);
    expect((await harness.post({ ...ask, priority: 'low' })).status).toBe(200);
    expect(uploads).toHaveLength(10);
  });

  it('never counts a request as under way after it ended, whatever happened to it', async () => {
    const harness = createHarness();
    harness.scripts['edge'] = () => {
      throw new Error('an adapter broke its word');
    };
    const { status, body } = await harness.post(ask);
    expect([status, body.error.code, body.error.message]).toEqual([
      500,
      'internal',
      'Something went wrong on our side.',
    ]);
    expect(harness.services.state.inFlight).toBe(0);
    expect(harness.lines.join('\n')).toContain('an adapter broke its word');
  });

  it('passes a request id on and makes one where what was sent is not fit', async () => {
    const harness = createHarness();
    expect((await harness.post(ask, { 'x-request-id': 'abc-1' })).body.request_id).toBe('abc-1');
    expect(harness.calls[0]?.call.requestId).toBe('abc-1');
    expect((await harness.post(ask, { 'x-request-id': 'a"b c' })).body.request_id).toBe('generated-id');
  });
});

describe('requirements of the native contract', () => {
  it('pins a variant', async () => {
    const harness = createHarness();
    const { body } = await harness.post({ ...ask, variant: 'large' });
    expect(harness.calls.map(({ target }) => target)).toEqual(['sagemaker']);
    expect(body.variant).toBe('large');
  });

  it('starts at the reference variant for high complexity', async () => {
    const harness = createHarness();
    expect((await harness.post({ ...ask, model_complexity: 'high' })).body.variant).toBe('large');
  });

  it('starts at the second step for medium complexity', async () => {
    const harness = createHarness();
    expect((await harness.post({ ...ask, model_complexity: 'medium' })).body.variant).toBe('base');
  });

  it('takes any edge answer for low complexity', async () => {
    const harness = createHarness();
    harness.scripts['edge'] = answering(0.2);
    const { body } = await harness.post({ ...ask, model_complexity: 'low' });
    expect([body.variant, body.predictions[0]?.accepted]).toEqual(['micro', true]);
  });

  it('stays at the edge for placement edge and off it for placement cloud', async () => {
    const harness = createHarness();
    harness.scripts['edge'] = answering(0.2);
    expect((await harness.post({ ...ask, placement: 'edge' })).body.target_used.kind).toBe('edge');
    expect((await harness.post({ ...ask, placement: 'cloud' })).body.target_used.kind).not.toBe('edge');
  });

  it('escalates an answer below min_accuracy that the route itself would take', async () => {
    const harness = createHarness();
    harness.scripts['edge'] = answering(0.9);
    expect((await harness.post(ask)).body.variant).toBe('micro');
    expect((await harness.post({ ...ask, min_accuracy: 0.95 })).body.variant).toBe('base');
  });

  it('does not spend above max_cost_usd', async () => {
    const harness = createHarness();
    harness.scripts['edge'] = answering(0.2);
    const { body } = await harness.post({ ...ask, max_cost_usd: 0.000_000_4, explain: true });
    expect(body.target_used.kind).toBe('edge');
    expect(body.cost_usd).toBeLessThanOrEqual(0.000_000_4);
    expect(body.decision.refused?.map(({ reason }) => reason)).toContain('over_budget');
  });

  it('explains every refused candidate and every planned attempt when asked', async () => {
    const harness = createHarness();
    const { body } = await harness.post({ ...ask, placement: 'edge', explain: true });
    expect(body.decision.refused?.map(({ target, reason }) => [target, reason])).toEqual([
      ['lambda', 'placement_excluded'],
      ['sagemaker', 'placement_excluded'],
    ]);
    expect(body.decision.planned).toHaveLength(1);
    expect((await harness.post(ask)).body.decision.refused).toBeUndefined();
  });

  it('refuses at once what no place can meet, with the reason', async () => {
    const harness = createHarness();
    const { status, body } = await harness.post({ ...ask, placement: 'edge', variant: 'large' });
    expect([status, body.error.code]).toEqual([422, 'no_eligible_target']);
    expect(body.error.message).toContain('sagemaker/large');
    expect(harness.calls).toEqual([]);
  });
});

describe('the exact cache', () => {
  it('answers the same request again without asking anyone', async () => {
    const harness = createHarness();
    await harness.post(ask);
    const { body } = await harness.post(ask);
    expect(body.cache).toBe('hit');
    expect(harness.calls).toHaveLength(1);
    expect(harness.records[1]).toMatchObject({ cache: 'hit', edgeItems: 1 });
  });

  it.each([
    ['another text', { input_data: 'hello!' }],
    ['another case', { input_data: 'Hello' }],
    ['a list', { input_data: ['hello', 'hello'] }],
    ['another accuracy', { min_accuracy: 0.5 }],
    ['another placement', { placement: 'edge' }],
    ['another complexity', { model_complexity: 'low' }],
    ['a pinned variant', { variant: 'micro' }],
    ['bypass', { cache: 'bypass' }],
    ['refresh', { cache: 'refresh' }],
    ['explain', { explain: true }],
  ])('does not answer %s', async (_, change) => {
    const harness = createHarness();
    await harness.post(ask);
    expect((await harness.post({ ...ask, ...change })).body.cache).toBe('miss');
  });

  it.each([{ latency_requirement: 50 }, { priority: 'high' }, { max_cost_usd: 1 }])(
    'answers with %o, which changes no answer',
    async (change) => {
      const harness = createHarness();
      await harness.post(ask);
      expect((await harness.post({ ...ask, ...change })).body.cache).toBe('hit');
    },
  );

  it('forgets after the time to live', async () => {
    const harness = createHarness();
    await harness.post(ask);
    harness.nowMs += 300_001;
    expect((await harness.post(ask)).body.cache).toBe('miss');
  });

  it('starts empty under a new policy', async () => {
    const harness = createHarness();
    await harness.post(ask);
    harness.config = testConfig((config) => ({
      ...config,
      routes: config.routes.map((route) => ({ ...route, policy: { kind: 'most_accurate' } })),
    }));
    expect((await harness.post(ask)).body.cache).toBe('miss');
  });

  it('asks the shared cache before leaving the isolate, and only then', async () => {
    const first = createHarness();
    first.scripts['edge'] = answering(0.2);
    await first.post(ask);
    const second = createHarness();
    for (const [key, value] of first.shared) second.shared.set(key, value);
    second.scripts['edge'] = answering(0.2);
    const { body } = await second.post(ask);
    expect(body.cache).toBe('hit');
    expect(second.calls.map(({ target }) => target)).toEqual(['edge']);
    expect(createHarness().shared.size).toBe(0);
  });

  it('does not share answers of the edge, which cost less than asking', async () => {
    const harness = createHarness();
    await harness.post(ask);
    expect(harness.shared.size).toBe(0);
  });

  it('serves a stale answer, marked as such, when everything fails', async () => {
    const harness = createHarness();
    await harness.post(ask);
    harness.nowMs += 400_000;
    for (const id of ['edge', 'lambda', 'sagemaker']) harness.scripts[id] = failing('upstream_error');
    const { status, body } = await harness.post(ask);
    expect([status, body.cache]).toEqual([200, 'stale']);
    expect(body.decision.fallback_chain).toHaveLength(3);
    harness.nowMs += 3_600_000;
    expect((await harness.post(ask)).status).toBe(503);
  });

  it('takes a broken shared value for a miss', async () => {
    const first = createHarness();
    first.scripts['edge'] = answering(0.2);
    await first.post(ask);
    const second = createHarness();
    for (const key of first.shared.keys()) second.shared.set(key, '{"answer":');
    second.scripts['edge'] = answering(0.2);
    expect((await second.post(ask)).body.cache).toBe('miss');
  });
});
