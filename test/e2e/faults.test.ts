/** Bad days of the whole stack: every place slow, away, cut, talking nonsense; callers that leave; breakers; stale answers. */
import { request as httpRequest } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Fault } from '../../local/lib/fault.ts';
import { threeSteps } from './three-steps.ts';
import { startStack, type Stack } from '../../local/stack.ts';
import type { Config } from '../../shared/schema/config.ts';
import {
  ask as askUrl,
  chainOf,
  countsOf,
  metricsOf,
  publishAndWait,
  readiness,
  SOON,
  type Reply,
} from './gateway-client.ts';
import { sampleSentences } from './samples.ts';

const LATENCY_MS = 1_000;
/** The way to the worker and back, and a busy machine: whatever is over this is late. */
const MARGIN_MS = 400;
const LONG_MS = 60_000;

/** Faults are told apart here one by one, so a breaker must not step in; those have their own tests below. */
const withoutBreakers = (config: Config): Config => ({
  ...config,
  breaker: { ...config.breaker, minimum_calls: 1_000_000 },
});

let stack: Stack;
let plain: Config;
let text: string;
const lines: string[] = [];

beforeAll(async () => {
  stack = await startStack({
    port: 0,
    configure: (config) => withoutBreakers(threeSteps(config)),
    onWorkerLine: (line) => lines.push(line),
  });
  plain = stack.config;
  const [sentence] = await sampleSentences(1);
  text = sentence?.input ?? '';
  // Warm: first calls of a place are slow for reasons that are not under test.
  for (const complexity of ['medium', 'high', 'medium', 'high']) await ask({ model_complexity: complexity });
});
afterAll(() => stack.close());
afterEach(async () => {
  await Promise.all([stack.lambda.setFault(null), stack.sagemaker.setFault(null), stack.dynamodb.setFault(null)]);
});

function ask(extra: Record<string, unknown> = {}): Promise<Reply> {
  return askUrl(stack.url, {
    model_name: 'intent',
    input_data: text,
    latency_requirement: LATENCY_MS,
    cache: 'bypass',
    ...extra,
  });
}

function expectAnswer(reply: Reply): void {
  expect(reply.body.error).toBeUndefined();
  expect(reply.status).toBe(200);
  expect(reply.body.predictions).toHaveLength(1);
  expect(reply.roundTripMs).toBeLessThan(LATENCY_MS + MARGIN_MS);
}

function expectOneClearError(reply: Reply, status: number, code: string): void {
  expect(reply.status).toBe(status);
  expect(reply.body.error).toEqual({
    code,
    message: expect.stringMatching(/\w+/),
    // Another moment may bring a better answer to all of these.
    retryable: true,
    request_id: reply.headers.get('x-request-id'),
  });
  expect(reply.roundTripMs).toBeLessThan(LATENCY_MS + MARGIN_MS);
}

/** workerd has the same words for a refused connection and one that broke before the answer began. */
const FAULTS: readonly (readonly [string, Fault, RegExp])[] = [
  ['slow', { kind: 'slow', ms: LONG_MS }, /^timeout$/],
  ['refusing connections', { kind: 'refuse' }, /^(connect_failed|cut)$/],
  ['cutting before it answers', { kind: 'cut_before_headers' }, /^cut$/],
  ['silent after its headers', { kind: 'stall_after_headers' }, /^timeout$/],
  ['cutting half way through its answer', { kind: 'cut_mid_body' }, /^cut$/],
  ['talking nonsense', { kind: 'garbage' }, /^(garbage|cut)$/],
  ['answering 429', { kind: 'status', status: 429 }, /^(throttled|not_ready)$/],
  ['answering 500', { kind: 'status', status: 500 }, /^upstream_error$/],
];

/** SageMaker's 429 says that it must start first: it is asked in the background until it answers, and left alone meanwhile. */
async function untilAwake({ kind }: Fault): Promise<void> {
  if (kind !== 'status') return;
  await stack.sagemaker.setFault(null);
  await expect
    .poll(async () => (await ask({ model_complexity: 'high' })).body.target_used.id, { timeout: 15_000, interval: 250 })
    .toBe('sagemaker');
}

describe('Lambda', () => {
  it.each(FAULTS)('%s: another place answers in time and the chain says why', async (_name, fault, reason) => {
    await stack.lambda.setFault(fault);
    const reply = await ask({ model_complexity: 'medium' });
    expectAnswer(reply);
    const [failed, next] = reply.body.decision.fallback_chain;
    expect(failed).toMatchObject({ target: 'lambda', variant: 'base', why: 'first', outcome: 'failed' });
    expect(failed?.reason).toMatch(reason);
    expect(next?.why).toBe('fallback');
    expect(reply.body.target_used.id).not.toBe('lambda');
    expect(reply.body.decision.reason).toContain(`lambda failed (${failed?.reason}`);
  });

  it('answers again as soon as it is back', async () => {
    await stack.lambda.setFault({ kind: 'refuse' });
    await ask({ model_complexity: 'medium' });
    await stack.lambda.setFault(null);
    expect((await ask({ model_complexity: 'medium' })).body.decision.fallback_chain[0]?.outcome).not.toBe('failed');
  });
});

describe('SageMaker', () => {
  it.each(FAULTS)('%s: another place answers in time and the chain says why', async (_name, fault, reason) => {
    await stack.sagemaker.setFault(fault);
    const reply = await ask({ model_complexity: 'high' });
    expectAnswer(reply);
    const [failed, next] = reply.body.decision.fallback_chain;
    expect(failed).toMatchObject({ target: 'sagemaker', variant: 'large', why: 'first', outcome: 'failed' });
    expect(failed?.reason).toMatch(reason);
    expect(next?.why).toBe('fallback');
    expect(reply.body.target_used.id).not.toBe('sagemaker');
    await untilAwake(fault);
  });
});

describe('Lambda and SageMaker together', () => {
  it.each(FAULTS)(
    '%s: the edge gives what it can, and says that it is not sure enough',
    async (_name, fault, reason) => {
      await Promise.all([stack.lambda.setFault(fault), stack.sagemaker.setFault(fault)]);
      const reply = await ask({ min_accuracy: 1 });
      expectAnswer(reply);
      const [edge, lambda] = reply.body.decision.fallback_chain;
      expect(edge).toMatchObject({ target: 'edge', outcome: 'low_confidence' });
      expect(lambda).toMatchObject({ target: 'lambda', why: 'escalation', outcome: 'failed' });
      expect(lambda?.reason).toMatch(reason);
      expect(reply.body.predictions[0]).toMatchObject({ target: 'edge', accepted: false });
      expect(reply.body.decision.missed).toContain('confidence');
      await untilAwake(fault);
    },
  );

  it('hanging one after the other: there is still time left to ask the edge', async () => {
    await Promise.all([stack.lambda, stack.sagemaker].map((place) => place.setFault({ kind: 'slow', ms: LONG_MS })));
    const reply = await ask({ model_complexity: 'medium' });
    expectAnswer(reply);
    expect(chainOf(reply).slice(0, 2)).toEqual(['lambda failed timeout', 'sagemaker failed timeout']);
    expect(reply.body.target_used.id).toBe('edge');
  });

  it.each([
    ['refusing', { kind: 'refuse' }, 503, 'chain_exhausted'],
    ['slow', { kind: 'slow', ms: LONG_MS }, 504, 'deadline_exceeded'],
  ] as const)('%s, and the edge excluded: one clear error inside the deadline', async (_name, fault, status, code) => {
    await Promise.all([stack.lambda.setFault(fault), stack.sagemaker.setFault(fault)]);
    const reply = await ask({ placement: 'cloud' });
    expectOneClearError(reply, status, code);
    expect(reply.body.error?.message).toContain('lambda');
    expect(reply.body.decision.fallback_chain.every(({ outcome }) => outcome === 'failed')).toBe(true);
  });

  it('away, and the variant pinned to one of them: one clear error, because no other place has that variant', async () => {
    await stack.sagemaker.setFault({ kind: 'status', status: 500 });
    const reply = await ask({ variant: 'large' });
    expectOneClearError(reply, 503, 'chain_exhausted');
    expect(chainOf(reply)).toEqual(['sagemaker failed upstream_error']);
    expect(reply.headers.get('retry-after')).toBe('1');
  });
});

describe('DynamoDB', () => {
  const SAYS: Readonly<Record<Fault['kind'], RegExp>> = {
    slow: /did not answer/,
    refuse: /cannot be reached/,
    cut_before_headers: /cannot be reached/,
    stall_after_headers: /did not answer/,
    cut_mid_body: /cannot be reached|not whole JSON/,
    garbage: /not whole JSON/,
    status: /DynamoDB refused GetItem: (ProvisionedThroughputExceededException|InternalServerError)/,
  };

  it.each(FAULTS)(
    '%s: requests go on with the last good configuration, and readiness says why',
    async (_name, fault) => {
      const { version } = (await readiness(stack.url)).config;
      await stack.dynamodb.setFault(fault);
      const looking = readiness(stack.url);
      const replies = [await ask(), await ask({ model_complexity: 'medium' }), await ask({ model_complexity: 'high' })];
      for (const reply of replies) {
        expectAnswer(reply);
        expect(reply.body.decision.config_version).toBe(version);
        expect(reply.body.decision.fallback_chain.every(({ outcome }) => outcome !== 'failed')).toBe(true);
      }
      const { ready, config } = await looking;
      expect(ready).toBe(true);
      expect(config).toMatchObject({
        version,
        source: 'dynamodb',
        last_error: expect.stringMatching(SAYS[fault.kind]),
      });
      await stack.dynamodb.setFault(null);
      expect((await readiness(stack.url)).config.last_error).toBeNull();
    },
  );
});

describe('credentials', () => {
  /** What STS gave the worker. The stand-ins look keys up per request, and this is the object they find. */
  const workers = () => stack.sts.issued().at(-1) ?? {};
  let right: object = {};
  beforeAll(() => {
    right = { ...workers() };
  });
  afterEach(() => {
    Object.assign(workers(), right);
  });

  it.each([
    ['that AWS no longer knows by this secret', { secretAccessKey: 'rotated' }, 'InvalidSignatureException'],
    ['that have expired', { expiresAtMs: 1 }, 'ExpiredTokenException'],
  ] as const)(
    '%s close every cloud place at once; the edge answers and everything says so',
    async (_name, change, name) => {
      Object.assign(workers(), change);
      const reply = await ask({ model_complexity: 'medium' });
      expectAnswer(reply);
      expect(chainOf(reply).slice(0, 2)).toEqual(['lambda failed credentials', 'sagemaker failed credentials']);
      expect(reply.body.target_used.id).toBe('edge');
      const { ready, config } = await readiness(stack.url);
      expect(ready).toBe(true);
      expect(config.last_error).toBe(`DynamoDB refused GetItem: ${name}.`);
    },
  );

  it.each([
    ['lambda', 'medium'],
    ['sagemaker', 'high'],
  ])('signed for a region that is not that of %s: it alone is refused', async (id, complexity) => {
    await publishAndWait(stack, {
      ...plain,
      targets: plain.targets.map((target) => (target.id === id ? { ...target, region: 'eu-west-1' } : target)),
    });
    const reply = await ask({ model_complexity: complexity });
    await publishAndWait(stack, plain);
    expectAnswer(reply);
    expect(chainOf(reply)[0]).toBe(`${id} failed credentials`);
    expect(chainOf(reply)).toHaveLength(2);
  });
});

describe('everything in the cloud', () => {
  it.each(FAULTS.filter(([, { kind }]) => kind === 'refuse' || kind === 'slow' || kind === 'garbage'))(
    '%s: the edge answers at once what it is sure of',
    async (_name, fault) => {
      const places = [stack.lambda, stack.sagemaker, stack.dynamodb];
      await Promise.all(places.map((place) => place.setFault(fault)));
      const replies = await Promise.all(Array.from({ length: 10 }, () => ask({ model_complexity: 'low' })));
      for (const reply of replies) {
        expectAnswer(reply);
        expect(chainOf(reply)).toEqual(['edge accepted']);
      }
    },
  );
});

describe('escalation and fallback', () => {
  it('are counted apart', async () => {
    const before = countsOf(await metricsOf(stack.url));
    await ask({ min_accuracy: 1 });
    await ask({ min_accuracy: 1 });
    await stack.lambda.setFault({ kind: 'status', status: 500 });
    await ask({ model_complexity: 'medium' });
    await ask({ model_complexity: 'medium' });
    await ask({ model_complexity: 'medium' });
    // Both at once: the edge was not sure, then Lambda failed.
    await ask({ min_accuracy: 1 });
    await ask({ variant: 'base' });
    await expect
      .poll(async () => {
        const after = countsOf(await metricsOf(stack.url));
        return {
          requests: after.requests - before.requests,
          errors: after.errors - before.errors,
          escalations: after.escalations - before.escalations,
          fallbacks: after.fallbacks - before.fallbacks,
        };
      }, SOON)
      .toEqual({ requests: 7, errors: 1, escalations: 3, fallbacks: 4 });
  });
});

describe('a caller that leaves', () => {
  const places = [
    ['lambda', 'medium', () => stack.lambda, () => stack.lambda.counts().functionUrl],
    ['sagemaker', 'high', () => stack.sagemaker, () => stack.sagemaker.counts()],
  ] as const;
  const whens = [
    ['before it answers', { kind: 'slow', ms: LONG_MS }],
    ['in the middle of its answer', { kind: 'stall_after_headers' }],
  ] as const;

  it.each(
    places.flatMap(([id, complexity, place, counts]) =>
      whens.map(([when, fault]) => [id, when, complexity, place, counts, fault] as const),
    ),
  )('takes its call of %s along, %s, and is logged as such', async (id, when, complexity, place, counts, fault) => {
    await place().setFault(fault);
    const before = counts();
    const requestId = `leaves-${id}-${when.replaceAll(' ', '-')}`;
    const caller = callAndHold(
      { model_name: 'intent', input_data: text, cache: 'bypass', model_complexity: complexity },
      requestId,
    );
    await expect.poll(() => counts().received, SOON).toBe(before.received + 1);
    expect(counts().abandoned).toBe(before.abandoned);
    caller.leave();
    await expect.poll(() => counts().abandoned, SOON).toBe(before.abandoned + 1);
    await expect
      .poll(() => logged(requestId), SOON)
      .toMatchObject([
        { outcome: 'error', error_code: 'client_closed_request', attempts: [{ target: id, reason: 'cancelled' }] },
      ]);
    await expect.poll(async () => (await metricsOf(stack.url)).queue_depth, SOON).toBe(0);
  });
});

/**
 * Leaves with a reset. workerd takes a connection that is only closed for one that still listens, as TCP allows, and
 * would notice no sooner than it answers.
 */
function callAndHold(body: Record<string, unknown>, requestId: string): { leave(): void } {
  const call = httpRequest(`${stack.url}/v1/infer`, {
    method: 'POST',
    agent: false,
    headers: { 'content-type': 'application/json', 'x-request-id': requestId },
  });
  call.on('error', () => undefined);
  call.end(JSON.stringify(body));
  return { leave: () => call.socket?.resetAndDestroy() };
}

function logged(requestId: string): unknown[] {
  return lines
    .filter((line) => line.includes(`"request_id":"${requestId}"`))
    .map((line) => JSON.parse(line) as unknown);
}

describe('a stale answer', () => {
  afterAll(() => publishAndWait(stack, plain));

  it('stands in when everything failed, marked as such, and only where it once was an accepted answer', async () => {
    await publishAndWait(stack, {
      ...plain,
      routes: plain.routes.map((route) => ({ ...route, cache: { ttl_ms: 150, stale_if_error_ms: 600_000 } })),
    });
    const request = { placement: 'cloud', model_complexity: 'high', cache: 'default' };
    const fresh = await ask(request);
    expect(fresh.body.cache).toBe('miss');
    await Promise.all([stack.lambda.setFault({ kind: 'refuse' }), stack.sagemaker.setFault({ kind: 'refuse' })]);
    await expect.poll(async () => (await ask(request)).body.cache, SOON).toBe('stale');

    const stale = await ask(request);
    expectAnswer(stale);
    expect(stale.headers.get('x-cache')).toBe('stale');
    expect(stale.body.predictions).toEqual(fresh.body.predictions);
    expect(chainOf(stale)).toHaveLength(2);
    expect(stale.body.decision.reason).toContain('stale cached answer stands in');
    await expect.poll(async () => (await metricsOf(stack.url)).stale_count, SOON).toBeGreaterThan(0);

    const neverAsked = await ask({ ...request, input_data: 'nobody has ever asked for this' });
    expectOneClearError(neverAsked, 503, 'chain_exhausted');
  });
});

describe('a breaker', () => {
  const OPEN_MS = 2_000;
  beforeAll(() =>
    publishAndWait(stack, {
      ...plain,
      breaker: { failure_ratio: 0.5, minimum_calls: 3, window_ms: 2_000, open_ms: OPEN_MS, max_open_ms: OPEN_MS },
    }),
  );

  const breakerOf = async (id: string) =>
    (await readiness(stack.url)).targets.find((target) => target.id === id)?.breaker;

  it('opens after some failures, lets requests pass the place by, and closes when a probe is answered', async () => {
    await stack.lambda.setFault({ kind: 'status', status: 500 });
    await expect
      .poll(async () => (await ask({ model_complexity: 'medium', explain: true })).body.decision.refused, SOON)
      .toContainEqual(expect.objectContaining({ target: 'lambda', reason: 'breaker_open' }));

    const { received } = stack.lambda.counts().functionUrl;
    const passing = await ask({ model_complexity: 'medium' });
    expectAnswer(passing);
    expect(passing.body.decision.fallback_chain[0]).toMatchObject({ target: 'sagemaker', why: 'first' });
    expect(stack.lambda.counts().functionUrl.received).toBe(received);
    expect(await breakerOf('lambda')).toBe('open');
    // One place alone: its neighbours go on.
    expect(await breakerOf('sagemaker')).toBe('closed');

    await stack.lambda.setFault(null);
    await expect
      .poll(async () => (await ask({ model_complexity: 'medium' })).body.decision.fallback_chain[0]?.target, {
        timeout: 10 * OPEN_MS,
      })
      .toBe('lambda');
    expect(await breakerOf('lambda')).toBe('closed');
  });

  it('of every cloud place is open: the edge answers without asking anyone', async () => {
    await Promise.all([stack.lambda.setFault({ kind: 'refuse' }), stack.sagemaker.setFault({ kind: 'refuse' })]);
    let reply = await ask({ model_complexity: 'high', explain: true });
    await expect
      .poll(async () => {
        reply = await ask({ model_complexity: 'high', explain: true });
        return reply.body.decision.refused?.map(({ target, reason }) => `${target} ${reason}`);
      }, SOON)
      .toEqual(['lambda breaker_open', 'sagemaker breaker_open']);
    expectAnswer(reply);
    expect(chainOf(reply)).toEqual(['edge accepted']);
    expect(reply.body.decision.missed).toContain('model_complexity');
    const alone = await ask({ placement: 'cloud' });
    expectOneClearError(alone, 503, 'target_unavailable');
    expect(alone.body.error?.message).toContain('lambda/base: breaker_open');
  });
});
