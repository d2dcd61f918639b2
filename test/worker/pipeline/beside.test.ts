/** What runs beside an attempt, or behind an answer: hedges, speculation, canaries, shadows, waking a place. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { CHANCE_OF, drawFor } from '../../../shared/decide/chance.ts';
import { breakerVerdict } from '../../../shared/resilience/breaker.ts';
import type { Config, RouteSpec, TargetSpec } from '../../../shared/schema/config.ts';
import { answering, createHarness, failing, type Script } from '../harness.ts';
import { testConfig } from '../test-config.ts';

const ask = { model_name: 'mood', input_data: 'hello' };
const clock = { now: () => Date.now() };

function configWith(route: Partial<RouteSpec>, targets: (spec: TargetSpec) => TargetSpec = (spec) => spec): Config {
  return testConfig((config) => ({
    ...config,
    routes: config.routes.map((one) => (one.name === 'mood' ? { ...one, ...route } : one)),
    targets: config.targets.map(targets),
  }));
}

/** Answers when its caller lets go, as an upstream does whose connection is cut. */
function untilCancelled(seen: { cancelled: boolean }): Script {
  return (_call, signal) =>
    new Promise((resolve) => {
      signal.addEventListener('abort', () => {
        seen.cancelled = true;
        resolve({ kind: 'failed', reason: 'cancelled', detail: 'the caller left', computeMs: null });
      });
    });
}

const large = { kind: 'most_accurate' } as const;
const quick = (spec: TargetSpec): TargetSpec => ({
  ...spec,
  serves: spec.serves.map((served) => ({ ...served, latency_prior: { p50_ms: 5, p95_ms: 20 } })),
});
const hedged = (maxExtra = 0.05): Config => configWith({ policy: large, hedge: { max_extra_ratio: maxExtra } }, quick);

describe('a hedge', () => {
  async function earnToken(harness: ReturnType<typeof createHarness>): Promise<void> {
    for (let call = 0; call < 20; call += 1) await harness.post({ ...ask, input_data: `earn ${call}` });
  }

  it('repeats an attempt that takes longer than its own p95; the loser is cancelled and paid', async () => {
    const harness = createHarness({ config: hedged(), clock });
    await earnToken(harness);
    const seen = { cancelled: false };
    let calls = 0;
    harness.scripts['sagemaker'] = (call, signal) => {
      calls += 1;
      return calls === 1 ? untilCancelled(seen)(call, signal) : answering(0.99)(call, signal);
    };
    const { status, body } = await harness.post({ ...ask, input_data: 'slow' });
    expect(status).toBe(200);
    expect(body.decision.fallback_chain.map(({ target, why, outcome }) => [target, why, outcome])).toEqual([
      ['sagemaker', 'hedge', 'accepted'],
      ['sagemaker', 'first', 'cancelled'],
    ]);
    expect(seen.cancelled).toBe(true);
    const record = harness.records.at(-1);
    expect(record?.attempts.every(({ costNanos }) => costNanos > 0)).toBe(true);
    expect(record?.costNanos).toBeGreaterThan(
      record?.attempts.reduce((sum, one) => sum + one.costNanos, 0) ?? Infinity,
    );
    expect(
      harness.services.state.targetState(targetOf(harness.config, 'sagemaker'), undefined, 'mood', clock.now())
        .inFlight,
    ).toBe(0);
  });

  it('waits for the first where the budget has no token yet', async () => {
    const harness = createHarness({ config: hedged(), clock });
    harness.scripts['sagemaker'] = async (call, signal) => {
      await new Promise((resolve) => setTimeout(resolve, 60));
      return answering(0.99)(call, signal);
    };
    const { body } = await harness.post(ask);
    expect(body.decision.fallback_chain.map(({ why }) => why)).toEqual(['first']);
  });

  it('hears of a caller who left, and lets go of both', async () => {
    const harness = createHarness({ config: hedged(), clock });
    await earnToken(harness);
    const seen = [{ cancelled: false }, { cancelled: false }];
    let calls = 0;
    const left = new AbortController();
    harness.scripts['sagemaker'] = (call, signal) => {
      const which = seen[calls] ?? { cancelled: false };
      calls += 1;
      if (calls === 2) setTimeout(() => left.abort(), 5);
      return untilCancelled(which)(call, signal);
    };
    const request = new Request('http://gateway/v1/infer', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ ...ask, input_data: 'left' }),
      signal: left.signal,
    });
    const response = await harness.app.request(request, undefined, undefined, harness.context);
    expect(response.status).toBe(499);
    expect(seen).toEqual([{ cancelled: true }, { cancelled: true }]);
    expect(harness.services.state.inFlight).toBe(0);
  });
});

function targetOf(config: Config, id: string): TargetSpec {
  const spec = config.targets.find((target) => target.id === id);
  if (spec === undefined) throw new Error(`no target ${id}`);
  return spec;
}

describe('speculation', () => {
  /** Time for the edge or for Lambda, not for both: their needs are 60 and 100 ms. */
  const config = configWith({ speculation: { priorities: ['high'] } }, (spec) => ({
    ...spec,
    serves: spec.serves.map((served) => ({
      ...served,
      latency_prior:
        spec.id === 'edge'
          ? { p50_ms: 50, p95_ms: 60 }
          : spec.id === 'lambda'
            ? { p50_ms: 80, p95_ms: 100 }
            : { p50_ms: 900, p95_ms: 950 },
    })),
  }));
  const hurried = { ...ask, priority: 'high', latency_requirement: 120 };

  it('uses the answer begun early where the edge is not sure, and counts that as an escalation', async () => {
    const harness = createHarness({ config });
    harness.scripts['edge'] = answering(0.3);
    harness.scripts['lambda'] = answering(0.95, 'no');
    const { body } = await harness.post(hurried);
    expect(body.decision.fallback_chain.map(({ target, why, outcome }) => [target, why, outcome])).toEqual(
      expect.arrayContaining([
        ['lambda', 'speculation', 'accepted'],
        ['edge', 'first', 'low_confidence'],
      ]),
    );
    expect(body.predictions[0]).toMatchObject({ label: 'no', accepted: true });
    expect(harness.calls.map(({ target }) => target)).toEqual(['lambda', 'edge']);
  });

  it('drops it where the edge is sure, and pays for it', async () => {
    const harness = createHarness({ config });
    const seen = { cancelled: false };
    harness.scripts['lambda'] = untilCancelled(seen);
    const { body } = await harness.post(hurried);
    expect(body.variant).toBe('micro');
    expect(seen.cancelled).toBe(true);
    expect(body.decision.fallback_chain.map(({ target, outcome }) => [target, outcome])).toEqual([
      ['edge', 'accepted'],
      ['lambda', 'cancelled'],
    ]);
    expect(harness.records[0]?.attempts[1]?.costNanos).toBeGreaterThan(0);
  });

  it('keeps the better variant of two answers that nobody is sure of, whichever came last', async () => {
    const harness = createHarness({
      config: {
        ...config,
        routes: config.routes.map((one) => ({
          ...one,
          policy: {
            kind: 'cascade',
            steps: [
              { variant: 'micro', accept_confidence: 0.9 },
              { variant: 'base', accept_confidence: 0.9 },
              { variant: 'large', accept_confidence: 0 },
            ],
          },
        })),
      },
    });
    harness.scripts['lambda'] = answering(0.4, 'no');
    harness.scripts['edge'] = async (call, signal) => {
      await new Promise((resolve) => setTimeout(resolve, 10));
      return answering(0.5)(call, signal);
    };
    const { body } = await harness.post(hurried);
    expect(body.predictions[0]).toMatchObject({ label: 'no', variant: 'base', accepted: false });
  });
});

describe('a canary', () => {
  const config = configWith({
    policy: {
      kind: 'canary',
      share: 1,
      base: { name: 'old', policy: { kind: 'cheapest' } },
      canary: { name: 'new', policy: { kind: 'cheapest' }, targets: ['lambda', 'sagemaker'] },
      stop: { failure_ratio: 0.5, minimum_requests: 4, window_ms: 60_000, hold_ms: 1_000 },
    },
  });

  it('stops by itself when its requests go wrong, and one tries it again when its time is over', async () => {
    const harness = createHarness({ config });
    harness.scripts['lambda'] = failing('rejected');
    const placesOf = async (text: string): Promise<string> => {
      const { body } = await harness.post({ ...ask, input_data: text });
      return body.decision.fallback_chain.map(({ target }) => target).join(' ');
    };
    for (let call = 0; call < 4; call += 1) expect(await placesOf(`new ${call}`)).toBe('lambda sagemaker');
    expect(await placesOf('stopped')).toBe('edge');
    harness.nowMs += 1_001;
    harness.scripts['lambda'] = answering(0.99);
    expect(await placesOf('probe')).toBe('lambda');
    expect(await placesOf('well')).toBe('lambda');
  });

  it('says in the decision which arm it was', async () => {
    const harness = createHarness({ config });
    expect((await harness.post(ask)).body.decision).toMatchObject({ policy: 'canary new: cheapest' });
  });
});

describe('a shadow', () => {
  const shadowed = (shadow: Partial<NonNullable<RouteSpec['shadow']>> = {}): Config =>
    configWith({ shadow: { share: 1, variant: 'large', max_per_minute: 2, ...shadow } });

  it('is asked behind the answer, which it neither delays nor changes, and says whether it agreed', async () => {
    const harness = createHarness({ config: shadowed() });
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    harness.scripts['sagemaker'] = async (call, signal) => {
      await held;
      return answering(0.99, 'no')(call, signal);
    };
    const { body } = await harness.post(ask);
    expect(body.predictions[0]?.label).toBe('yes');
    expect(body.decision.fallback_chain.map(({ target }) => target)).toEqual(['edge']);
    release();
    await Promise.all(harness.background);
    const line = harness.lines
      .map((text) => JSON.parse(text) as Record<string, unknown>)
      .find(({ message }) => message === 'shadow');
    expect(line).toMatchObject({
      route: 'mood',
      variant: 'large',
      target: 'sagemaker',
      items: 1,
      answered: 1,
      agreed: 0,
    });
    expect(JSON.stringify(harness.lines)).not.toContain('hello');
    expect(harness.records).toHaveLength(1);
  });

  it('is bounded by the minute', async () => {
    const harness = createHarness({ config: shadowed() });
    for (let call = 0; call < 5; call += 1) await harness.post({ ...ask, input_data: `text ${call}` });
    await Promise.all(harness.background);
    expect(harness.calls.filter(({ target }) => target === 'sagemaker')).toHaveLength(2);
    harness.nowMs += 30_000;
    await harness.post({ ...ask, input_data: 'later' });
    await Promise.all(harness.background);
    expect(harness.calls.filter(({ target }) => target === 'sagemaker')).toHaveLength(3);
  });

  it('copies its share, and never what must stay at the edge', async () => {
    const harness = createHarness({ config: shadowed({ share: 0.5, max_per_minute: 6_000 }) });
    for (let call = 0; call < 100; call += 1) {
      harness.random = call / 100;
      await harness.post({ ...ask, input_data: `text ${call}`, placement: call < 50 ? 'any' : 'edge' });
    }
    await Promise.all(harness.background);
    const drawn = Array.from({ length: 50 }, (_, call) => drawFor(call / 100, CHANCE_OF.shadow)).filter(
      (draw) => draw < 0.5,
    ).length;
    expect(harness.calls.filter(({ target }) => target === 'sagemaker')).toHaveLength(drawn);
  });
});

describe('a place that scales to zero', () => {
  afterEach(() => void vi.useRealTimers());

  it('is asked on in the background until it answers; its breaker knows nothing of it', async () => {
    vi.useFakeTimers();
    const harness = createHarness({ config: configWith({ policy: large }), clock });
    harness.scripts['sagemaker'] = failing('not_ready');
    const { body } = await harness.post({ ...ask, input_data: ['wake up', 'please'] });
    expect(body.decision.fallback_chain.map(({ target, reason }) => [target, reason])).toEqual([
      ['sagemaker', 'not_ready'],
      ['lambda', null],
    ]);
    await harness.post({ ...ask, input_data: 'another' });
    await vi.advanceTimersByTimeAsync(4_000);
    harness.scripts['sagemaker'] = answering(0.99);
    const before = harness.calls.filter(({ target }) => target === 'sagemaker').length;
    await vi.advanceTimersByTimeAsync(30_000);
    const after = harness.calls.filter(({ target }) => target === 'sagemaker');
    expect(after.length).toBe(before + 1);
    expect(after.at(-1)?.call.input).toEqual({ kind: 'text', texts: ['wake up'] });
    expect(breakerVerdict(harness.services.state.breakerOf('sagemaker'), clock.now())).toBe('closed');
    expect((await harness.post({ ...ask, input_data: 'up again' })).body.target_used.id).toBe('sagemaker');
  });

  it('is left alone after a while, and by a failure of another kind', async () => {
    vi.useFakeTimers();
    for (const reason of ['not_ready', 'upstream_error'] as const) {
      const harness = createHarness({ config: configWith({ policy: large }), clock });
      harness.scripts['sagemaker'] = failing('not_ready');
      await harness.post(ask);
      harness.scripts['sagemaker'] = failing(reason);
      await vi.advanceTimersByTimeAsync(120_000);
      await Promise.all(harness.background);
      const asked = harness.calls.filter(({ target }) => target === 'sagemaker').length;
      expect(asked).toBe(reason === 'not_ready' ? 6 : 2);
    }
  });
});

describe('the budget of a route', () => {
  it('is spent as attempts are, says when to come back, and trickles in again', async () => {
    const harness = createHarness({
      config: configWith({ policy: large, budget: { usd_per_hour: 0.036, burst_usd: 0.000_02 } }),
    });
    const spend = (text: string) => harness.post({ ...ask, input_data: text, placement: 'cloud' });
    let refused = await spend('first');
    for (let call = 0; call < 20 && refused.status === 200; call += 1) refused = await spend(`text ${call}`);
    expect([refused.status, refused.body.error.code]).toEqual([429, 'budget_exhausted']);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    expect((await harness.post({ ...ask, input_data: 'vital', priority: 'critical' })).status).toBe(200);
    harness.nowMs += 3_600_000;
    expect((await spend('later')).status).toBe(200);
  });
});

describe('the retry budget', () => {
  it('bounds fallbacks into the cloud, never those into the isolate', async () => {
    const config = { ...configWith({ policy: large }), retry_budget: { ratio: 0, burst: 2 } };
    const harness = createHarness({ config });
    harness.scripts['sagemaker'] = failing('rejected');
    const next = async (text: string) =>
      (await harness.post({ ...ask, input_data: text })).body.decision.fallback_chain.at(-1)?.target;
    expect([await next('a'), await next('b'), await next('c')]).toEqual(['lambda', 'lambda', 'edge']);
  });
});

describe('a rule on metadata', () => {
  const config = configWith({
    rules: [{ name: 'gold', when: { metadata: { plan: ['gold'] } }, policy: { kind: 'most_accurate' } }],
  });

  it('chooses the policy, and keeps answers apart in the cache', async () => {
    const harness = createHarness({ config });
    const plain = await harness.post(ask);
    const gold = await harness.post({ ...ask, metadata: { plan: 'gold' } });
    expect([plain, gold].map(({ body }) => [body.variant, body.cache])).toEqual([
      ['micro', 'miss'],
      ['large', 'miss'],
    ]);
    expect((await harness.post({ ...ask, metadata: { plan: 'gold', region: 'eu' } })).body).toMatchObject({
      cache: 'hit',
      variant: 'large',
    });
    expect((await harness.post({ ...ask, metadata: { plan: 'free' } })).body).toMatchObject({
      cache: 'hit',
      variant: 'micro',
    });
  });

  it.each([
    [{ Plan: 'gold' }, 'metadata.Plan'],
    [{ plan: 1 }, 'metadata.plan'],
    [{ plan: 'x'.repeat(257) }, 'metadata.plan'],
    [Object.fromEntries(Array.from({ length: 17 }, (_, index) => [`k${index}`, 'v'])), 'metadata'],
    ['gold', 'metadata'],
    [['gold'], 'metadata'],
  ])('is refused where it cannot be metadata: %j', async (metadata, field) => {
    const { status, body } = await createHarness({ config }).post({ ...ask, metadata });
    expect([status, body.error.code, body.error.field]).toEqual([400, 'invalid_request', field]);
  });

  it('is never logged and never sent on', async () => {
    const harness = createHarness({ config });
    await harness.post({ ...ask, metadata: { plan: 'gold', secret: 'canary-value' } });
    expect(
      JSON.stringify([harness.lines, harness.calls.map(({ call }) => ({ ...call, model: undefined }))]),
    ).not.toContain('canary-value');
  });
});
