import { describe, expect, it } from 'vitest';
import { addRecord, emptyMetrics, encodeMetrics } from '../../../shared/measure/metrics.ts';
import type { RequestRecord } from '../../../shared/schema/record.ts';
import type { MetricsStore, PackedWindow } from '../../../worker/ports.ts';
import { createHarness, failing, type Harness } from '../harness.ts';
import { testConfig } from '../test-config.ts';

const ask = { model_name: 'mood', input_data: 'hello' };
const context = { waitUntil: () => undefined, passThroughOnException: () => undefined, props: {} };

async function get(harness: Harness, path: string, headers: Record<string, string> = {}) {
  const response = await harness.app.request(path, { headers }, undefined, context);
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.startsWith('application/json') === true;
  return { status: response.status, headers: response.headers, text, body: isJson ? JSON.parse(text) : undefined };
}

function storeOf(windows: readonly PackedWindow[] | Error): MetricsStore {
  return {
    put: async () => undefined,
    read: async () => {
      if (windows instanceof Error) throw windows;
      return windows;
    },
    readRollups: async () => [],
  };
}

function windowWith(requests: number, change: Partial<PackedWindow> = {}): PackedWindow {
  const metrics = emptyMetrics();
  const record: RequestRecord = {
    requestId: 'r',
    tenant: 't',
    route: 'mood',
    model: 'mood',
    protocol: 'native',
    priority: 'normal',
    startedAtMs: 1_700_000_000_000,
    latencyMs: 12,
    cache: 'miss',
    attempts: [],
    items: 1,
    edgeItems: 1,
    outcome: 'ok',
    errorCode: null,
    costNanos: 300,
    cloudOnlyCostNanos: 1_300,
    missed: [],
    configVersion: '1',
  };
  for (let index = 0; index < requests; index += 1) addRecord(metrics, record);
  return { minute: 28_333_333, isolateId: 'other', sequence: 0, body: encodeMetrics(metrics), ...change };
}

describe('GET /v1/models', () => {
  it('lists models with variants, accuracy and where each is served', async () => {
    const { body } = await get(createHarness(), '/v1/models');
    expect(body.models.map(({ name }: { name: string }) => name)).toEqual(['mood', 'dots']);
    expect(body.models[0]).toMatchObject({ reference_variant: 'large', label_count: 3, out_of_scope_label: 'oos' });
    expect(body.models[0].variants[0]).toMatchObject({ name: 'micro', accuracy: 0.9, served_by: ['edge'] });
  });

  it('describes one model with its labels and route', async () => {
    const { body } = await get(createHarness(), '/v1/models/mood');
    expect(body).toMatchObject({ labels: ['yes', 'no', 'oos'], route: { name: 'mood', policy: { kind: 'cascade' } } });
  });

  it('knows no other model', async () => {
    const { status, body } = await get(createHarness(), '/v1/models/nobody');
    expect([status, body.error.code]).toEqual([404, 'model_unknown']);
  });
});

describe('GET /healthz and /readyz', () => {
  it('says alive', async () => {
    expect((await get(createHarness(), '/healthz')).body).toEqual({ status: 'alive' });
  });

  it('says what it can reach, which configuration is in force since when, and that it is open', async () => {
    const harness = createHarness();
    harness.scripts['lambda'] = failing('upstream_error');
    for (let index = 0; index < 6; index += 1) await harness.post({ ...ask, variant: 'base', cache: 'bypass' });
    const { status, body } = await get(harness, '/readyz');
    expect(status).toBe(200);
    expect(body).toMatchObject({
      ready: true,
      config: { version: '7', source: 'dynamodb', in_force_since: '2023-11-14T22:13:19.000Z' },
    });
    expect(body.authentication).toContain('open');
    expect(body.targets.map(({ id, breaker }: { id: string; breaker: string }) => [id, breaker])).toEqual([
      ['edge', 'closed'],
      ['lambda', 'open'],
      ['sagemaker', 'closed'],
    ]);
  });

  const key = { id: 'k', sha256: 'a'.repeat(64), tenant: 't', scopes: ['infer' as const], enabled: true };
  it.each([
    ['where the configuration has keys', {}, [key], 'api_key'],
    ['where the deployment has one', { deploymentKeySha256: Promise.resolve('b'.repeat(64)) }, [], 'api_key'],
    ['where it is open', {}, [], 'open: the configuration has no API keys'],
  ])('says whether keys are asked for %s, as callers find', async (_where, access, api_keys, said) => {
    const harness = createHarness({
      config: testConfig((config) => ({ ...config, api_keys })),
      access: { deploymentKeySha256: undefined, waitForStoredConfig: false, ...access },
    });
    expect((await get(harness, '/readyz')).body.authentication).toBe(said);
    expect((await harness.post(ask)).status).toBe(said === 'api_key' ? 401 : 200);
  });

  it('says that nobody is let in before the stored configuration is known', async () => {
    const first = createHarness();
    const { config } = first.services;
    const unknown = { ...config.current(() => undefined), source: 'embedded' as const };
    const harness = createHarness({
      keeper: { ...config, ready: async () => unknown, status: () => ({ ...config.status(), ...unknown }) },
      access: { deploymentKeySha256: undefined, waitForStoredConfig: true },
    });
    expect((await harness.post(ask)).status).toBe(503);
    expect((await get(harness, '/readyz')).body.authentication).toContain('closed');
  });

  it('looks once a second at most where keys are asked for, however many strangers ask', async () => {
    let looks = 0;
    const { config } = createHarness({ config: testConfig((made) => ({ ...made, api_keys: [key] })) }).services;
    const refresh = async (): Promise<void> => void (looks += 1);
    const checked: string[] = [];
    const harness = createHarness({
      keeper: { ...config, refresh },
      open: (spec) => ({
        spec,
        unreachable: undefined,
        infer: () => Promise.reject(new Error('nobody asks here')),
        check: async () => {
          checked.push(spec.id);
          return { ok: true, detail: `look ${looks}` };
        },
      }),
    });
    const ask20 = () => Promise.all(Array.from({ length: 20 }, () => get(harness, '/readyz')));
    await get(harness, '/readyz');
    harness.nowMs += 999;
    await ask20();
    expect([looks, checked.length]).toEqual([1, 3]);
    harness.nowMs += 1;
    expect(new Set((await ask20()).map(({ status }) => status))).toEqual(new Set([200]));
    expect([looks, checked.length]).toEqual([2, 6]);
    expect((await get(harness, '/readyz')).body.targets[0].detail).toBe('look 2');
    harness.nowMs -= 3_600_000;
    await get(harness, '/readyz');
    expect(looks).toBe(3);
  });

  it('is not ready when nothing that is enabled can be reached', async () => {
    const harness = createHarness({
      config: testConfig((config) => ({
        ...config,
        targets: config.targets.map((target) => ({ ...target, enabled: false })),
      })),
    });
    expect((await get(harness, '/readyz')).status).toBe(503);
  });
});

describe('GET /v1/metrics', () => {
  it('counts this isolate alone where there is no table, and says so', async () => {
    const harness = createHarness();
    await harness.post(ask);
    await harness.post(ask);
    await harness.post({ ...ask, input_data: '' });
    const { body } = await get(harness, '/v1/metrics');
    expect(body).toMatchObject({
      source: 'isolate',
      request_count: 3,
      error_count: 1,
      cache_hit_count: 1,
      queue_depth: 0,
    });
    expect(body.error_rate).toBeCloseTo(1 / 3);
    expect(body.by_target[0]).toMatchObject({ target: 'edge', variant: 'micro', attempt_count: 1 });
  });

  it('adds the windows of all isolates, and counts those it cannot read', async () => {
    const metricsStore = storeOf([
      windowWith(3),
      windowWith(4, { sequence: 1 }),
      windowWith(1, { sequence: 2, body: '{"v":' }),
    ]);
    const harness = createHarness({ metricsStore });
    await harness.post(ask);
    const { body } = await get(harness, '/v1/metrics?minutes=2');
    expect(body).toMatchObject({ source: 'table', minutes: 2, request_count: 8, unreadable_windows: 1 });
    expect(body.response_time_ms.p50).toBeCloseTo(12, 0);
  });

  it('falls back to this isolate where the table cannot be read', async () => {
    const harness = createHarness({ metricsStore: storeOf(new Error('the table is away')) });
    await harness.post(ask);
    const { body } = await get(harness, '/v1/metrics');
    expect(body).toMatchObject({ source: 'isolate', request_count: 1 });
    expect(harness.lines.join('\n')).toContain('the table is away');
  });

  it.each(['0', '1441', '1.5', 'x', ''])('refuses minutes=%s', async (minutes) => {
    const { status, body } = await get(createHarness(), `/v1/metrics?minutes=${minutes}`);
    expect([status, body.error.code, body.error.field]).toEqual([400, 'invalid_request', 'minutes']);
  });

  it('speaks Prometheus’ text format, asked by query or by header', async () => {
    const harness = createHarness();
    await harness.post(ask);
    const byQuery = await get(harness, '/v1/metrics?format=prometheus');
    const byHeader = await get(harness, '/v1/metrics', { accept: 'text/plain' });
    expect(byQuery.headers.get('content-type')).toContain('text/plain; version=0.0.4');
    expect(byHeader.text).toBe(byQuery.text);
    expect(byQuery.text).toMatch(/^hybrid_inference_request_count\{route="mood"\} 1$/m);
    expect(byQuery.text).toMatch(/^hybrid_inference_response_time_ms\{route="mood",quantile="0.95"\} 0$/m);
    expect(byQuery.text).toMatch(/^hybrid_inference_attempt_count\{target="edge",model="mood",variant="micro"\} 1$/m);
    const scraped = await get(harness, '/v1/metrics', {
      accept:
        'application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,' +
        'text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1',
    });
    expect(scraped.text).toBe(byQuery.text);
    for (const accept of ['*/*', 'application/json, text/plain, */*', 'text/html'])
      expect((await get(harness, '/v1/metrics', { accept })).headers.get('content-type')).toBe('application/json');
    for (const line of byQuery.text.trim().split('\n'))
      expect(line).toMatch(/^(# (HELP|TYPE) .+|[a-z_]+(\{.*\})? [-\d.e+]+)$/);
  });
});
