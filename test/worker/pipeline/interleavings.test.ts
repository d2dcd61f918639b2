/** Requests that meet: money, room and time hold whatever another one does between a plan and its attempts. */
import { describe, expect, it } from 'vitest';
import type { Config, RouteSpec, TargetSpec } from '../../../shared/schema/config.ts';
import { chatModel } from '../../fakes/chat-places.ts';
import { answering, createHarness, type Script } from '../harness.ts';
import { testConfig } from '../test-config.ts';

const ask = { model_name: 'mood', input_data: 'hello' };

function configWith(route: Partial<RouteSpec>, targets: (spec: TargetSpec) => TargetSpec = (spec) => spec): Config {
  return testConfig((config) => ({
    ...config,
    routes: config.routes.map((one) => (one.name === 'mood' ? { ...one, ...route } : one)),
    targets: config.targets.map(targets),
  }));
}

/** Holds calls back until it is opened. */
function gate(): { readonly open: () => void; readonly holding: (script: Script) => Script } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return {
    open: () => open(),
    holding: (script) => async (call, signal) => {
      await opened;
      return script(call, signal);
    },
  };
}

/** Until everything that can go on without a gate has gone on. */
async function settled(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 20));
}

describe('the budget of a route', () => {
  const flat = (spec: TargetSpec): TargetSpec => ({ ...spec, price: { kind: 'flat', usd_per_request: 0.01 } });

  it('pays for no more first attempts than it holds, however many requests were planned with the same money', async () => {
    const config = configWith(
      { policy: { kind: 'most_accurate' }, budget: { usd_per_hour: 0.001, burst_usd: 0.025 } },
      flat,
    );
    const harness = createHarness({ config });
    const answers = await Promise.all(
      Array.from({ length: 6 }, (_, at) => harness.post({ ...ask, input_data: `text ${at}`, placement: 'cloud' })),
    );
    expect(harness.calls).toHaveLength(2);
    const refused = answers.filter(({ status }) => status !== 200);
    expect(refused.map(({ status, body }) => [status, body.error.code])).toEqual(
      Array.from({ length: 4 }, () => [429, 'budget_exhausted']),
    );
    expect(Number(refused[0]?.headers.get('retry-after'))).toBeGreaterThan(1_000);
  });

  it('pays for no more escalations than it holds; the others keep the answer they have', async () => {
    const config = configWith({ budget: { usd_per_hour: 0.001, burst_usd: 0.015 } }, (spec) =>
      spec.id === 'edge' ? spec : flat(spec),
    );
    const harness = createHarness({ config });
    const { open, holding } = gate();
    harness.scripts['edge'] = holding(answering(0.3));
    const asked = Array.from({ length: 4 }, (_, at) => harness.post({ ...ask, input_data: `text ${at}` }));
    await settled();
    open();
    const answers = await Promise.all(asked);
    expect(harness.calls.filter(({ target }) => target !== 'edge')).toHaveLength(1);
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    expect(answers.filter(({ body }) => body.decision.missed.includes('confidence'))).toHaveLength(3);
  });

  it('lets what is critical through all the same', async () => {
    const config = configWith(
      { policy: { kind: 'most_accurate' }, budget: { usd_per_hour: 0.001, burst_usd: 0.015 } },
      flat,
    );
    const harness = createHarness({ config });
    const answers = await Promise.all(
      Array.from({ length: 3 }, (_, at) => harness.post({ ...ask, input_data: `text ${at}`, priority: 'critical' })),
    );
    expect(answers.map(({ body }) => body.target_used.id)).toEqual(['sagemaker', 'sagemaker', 'sagemaker']);
  });
});

describe('a look into the shared cache', () => {
  const config = configWith({ policy: { kind: 'most_accurate' } });

  it.each([
    [600, [400]],
    [1_100, []],
  ])('takes its %d ms from the deadline of the attempt behind it', async (lookMs, timeouts) => {
    const harness = createHarness({ config });
    Object.assign(harness.shared, {
      get: () => {
        harness.nowMs += lookMs;
      },
    });
    await harness.post({ ...ask, placement: 'cloud', latency_requirement: 1_000 });
    expect(harness.calls.every(({ call }) => call.timeoutMs <= 1_000 - lookMs)).toBe(true);
    expect(harness.calls.length).toBe(timeouts.length);
  });
});

describe('a caller in a hurry', () => {
  it('waits for the shared cache no longer than a quarter of what is left', async () => {
    const harness = createHarness({ config: configWith({ policy: { kind: 'most_accurate' } }) });
    const waits: unknown[] = [];
    Object.assign(harness.services.cache, {
      shared: async (_key: string, mostMs: unknown) => void waits.push(mostMs),
    });
    await harness.post({ ...ask, placement: 'cloud', latency_requirement: 60 });
    expect(waits).toEqual([15]);
  });
});

describe('max_concurrency', () => {
  it('holds for attempts that were planned while there was room', async () => {
    const config = configWith({}, (spec) => (spec.id === 'lambda' ? { ...spec, max_concurrency: 2 } : spec));
    const harness = createHarness({ config });
    const [first, second] = [gate(), gate()];
    harness.scripts['edge'] = first.holding(answering(0.3));
    let running = 0;
    let most = 0;
    harness.scripts['lambda'] = async (call, signal) => {
      running += 1;
      most = Math.max(most, running);
      const answer = await second.holding(answering(0.99))(call, signal);
      running -= 1;
      return answer;
    };
    const asked = Array.from({ length: 6 }, (_, at) => harness.post({ ...ask, input_data: `text ${at}` }));
    await settled();
    first.open();
    await settled();
    second.open();
    const answers = await Promise.all(asked);
    expect(most).toBe(2);
    expect(answers.map(({ body }) => body.target_used.id).sort()).toEqual([
      'lambda',
      'lambda',
      'sagemaker',
      'sagemaker',
      'sagemaker',
      'sagemaker',
    ]);
    const turnedAway = answers.find(({ body }) => body.target_used.id === 'sagemaker')?.body.decision.fallback_chain;
    expect(turnedAway?.map(({ target, outcome, reason }) => [target, outcome, reason])).toEqual([
      ['edge', 'low_confidence', null],
      ['lambda', 'failed', 'throttled'],
      ['sagemaker', 'accepted', null],
    ]);
  });
});

describe('a batch of which two attempts beside one another accept a part each', () => {
  it('is answered whole, and misses no confidence', async () => {
    const config = configWith(
      {
        speculation: { priorities: ['high'] },
        policy: {
          kind: 'cascade',
          steps: [
            { variant: 'micro', accept_confidence: 0.9 },
            { variant: 'base', accept_confidence: 0.9 },
            { variant: 'large', accept_confidence: 0 },
          ],
        },
      },
      (spec) => ({
        ...spec,
        serves: spec.serves.map((served) => ({
          ...served,
          latency_prior:
            spec.id === 'edge'
              ? { p50_ms: 25, p95_ms: 30 }
              : spec.id === 'lambda'
                ? { p50_ms: 70, p95_ms: 80 }
                : { p50_ms: 900, p95_ms: 950 },
        })),
      }),
    );
    const harness = createHarness({ config });
    const each =
      (...confidences: number[]): Script =>
      () => ({
        kind: 'answered',
        predictions: confidences.map((confidence) => ({
          kind: 'class',
          label: 'yes',
          confidence,
          top: [],
          truncated: false,
        })),
        computeMs: 1,
      });
    harness.scripts['edge'] = each(0.95, 0.3);
    harness.scripts['lambda'] = each(0.4, 0.97);
    const { body } = await harness.post({
      ...ask,
      input_data: ['one', 'two'],
      priority: 'high',
      latency_requirement: 110,
    });
    expect(harness.calls.map(({ target }) => target)).toEqual(['lambda', 'edge']);
    expect(body.predictions.map(({ accepted }) => accepted)).toEqual([true, true]);
    expect(body.decision.missed).toEqual([]);
    expect(body.decision.reason).not.toContain('best effort');
  });
});

/** Two places of a chat model, the second hedging the first after 20 ms. */
function talking(): Config {
  const place = (id: string, p50Ms: number): TargetSpec => ({
    id,
    region: 'us-east-1',
    enabled: true,
    endpoint: { kind: 'sagemaker', endpoint_name: id, base_url: null, speaks: 'chat_completions' },
    serves: [
      {
        model: 'talk',
        variant: 'only',
        latency_prior: { p50_ms: p50Ms, p95_ms: 2 * p50Ms },
        compute_prior_ms: 1,
      },
    ],
    price: { kind: 'flat', usd_per_request: 0.001 },
    timeout_ms: 5_000,
    max_batch: 1,
    max_payload_bytes: 100_000,
    max_concurrency: 100,
  });
  return testConfig((config) => ({
    ...config,
    models: [...config.models, chatModel],
    targets: [...config.targets, place('near', 10), place('far', 30)],
    routes: [
      ...config.routes,
      {
        name: 'talk',
        model: 'talk',
        policy: { kind: 'cheapest' },
        default_deadline_ms: 10_000,
        deadline_probability: 0.95,
        cache: { ttl_ms: 0, stale_if_error_ms: 0 },
        hedge: { max_extra_ratio: 0.05 },
      },
    ],
  }));
}

const saying =
  (text: string): Script =>
  (call) => {
    call.onText?.(text);
    return {
      kind: 'answered',
      predictions: [
        {
          kind: 'text',
          text,
          finishReason: 'stop',
          tokens: { prompt: 1, completion: 1 },
          confidence: 1,
          truncated: false,
        },
      ],
      computeMs: 1,
    };
  };

describe('a hedged conversation', () => {
  async function earned(): Promise<ReturnType<typeof createHarness>> {
    const harness = createHarness({ config: talking(), clock: { now: () => Date.now() } });
    harness.scripts['near'] = harness.scripts['far'] = saying('earn');
    for (let call = 0; call < 40; call += 1) await harness.post({ model_name: 'talk', input_data: `earn ${call}` });
    harness.calls.length = 0;
    return harness;
  }

  it('is the answer of the place that spoke first, even where the other ends sooner, which is let go', async () => {
    const harness = await earned();
    const { open, holding } = gate();
    let isLetGo = false;
    let farMayEnd = (): void => undefined;
    harness.scripts['near'] = async (call, signal) => {
      await new Promise((resolve) => setTimeout(resolve, 120));
      call.onText?.('near ');
      farMayEnd();
      return holding(saying('speaks'))(call, signal);
    };
    harness.scripts['far'] = async (call, signal) => {
      signal.addEventListener('abort', () => {
        isLetGo = true;
      });
      await new Promise<void>((resolve) => {
        farMayEnd = resolve;
      });
      return saying('far')(call, signal);
    };
    const asked = harness.app.request(
      '/v1/chat/completions',
      {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ model: 'talk', stream: true, messages: [{ role: 'user', content: 'hello' }] }),
      },
      undefined,
      harness.context,
    );
    const response = await asked;
    const text = response.text();
    await settled();
    expect(isLetGo).toBe(true);
    open();
    const whole = await text;
    expect(harness.calls.map(({ target }) => target)).toEqual(['near', 'far']);
    expect(whole).toContain('"content":"near "');
    expect(whole).not.toContain('far');
    const record = harness.records.at(-1);
    expect(record?.attempts.map(({ target, outcome }) => [target, outcome])).toEqual([
      ['far', 'cancelled'],
      ['near', 'accepted'],
    ]);
    expect(harness.services.state.inFlightOf('far') + harness.services.state.inFlightOf('near')).toBe(0);
  });

  it('is not hedged once its first token has come, streamed to the caller or not', async () => {
    const harness = await earned();
    harness.scripts['near'] = async (call, signal) => {
      call.onText?.('one ');
      await new Promise((resolve) => setTimeout(resolve, 150));
      return saying('two')(call, signal);
    };
    const { status } = await harness.post({ model_name: 'talk', input_data: 'hello' });
    expect(status).toBe(200);
    expect(harness.calls.map(({ target }) => target)).toEqual(['near']);
  });
});
