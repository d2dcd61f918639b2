import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { ApiKeySpec } from '../../../shared/schema/config.ts';
import { createHarness } from '../harness.ts';
import { testConfig } from '../test-config.ts';

const ask = { model_name: 'mood', input_data: 'hello' };
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const key = (change: Partial<ApiKeySpec> & { secret: string }): ApiKeySpec => {
  const { secret, ...rest } = change;
  return { id: 'key-1', sha256: sha256(secret), tenant: 'acme', scopes: ['infer', 'read'], enabled: true, ...rest };
};
const guarded = () =>
  createHarness({
    config: testConfig((config) => ({
      ...config,
      api_keys: [
        key({ secret: 'alpha' }),
        key({ id: 'key-2', secret: 'beta', tenant: 'umbrella', scopes: ['infer'] }),
        key({ id: 'key-3', secret: 'gamma', enabled: false }),
        key({ id: 'key-4', secret: 'delta', scopes: ['read'] }),
      ],
    })),
  });

describe('API keys', () => {
  it('lets everybody in where the configuration has none', async () => {
    const harness = createHarness();
    expect((await harness.post(ask)).status).toBe(200);
    expect(harness.records[0]?.tenant).toBe('open');
  });

  it.each([
    ['no key', {}, 401, 'unauthorized'],
    ['an unknown key', { authorization: 'Bearer nobody' }, 401, 'unauthorized'],
    ['a disabled key', { authorization: 'Bearer gamma' }, 401, 'unauthorized'],
    ['a key without the scope', { authorization: 'Bearer delta' }, 403, 'forbidden'],
    ['the digest in place of the key', { authorization: `Bearer ${sha256('alpha')}` }, 401, 'unauthorized'],
  ])('refuses %s', async (_, headers, status, code) => {
    const harness = guarded();
    const answer = await harness.post(ask, headers);
    expect([answer.status, answer.body.error.code]).toEqual([status, code]);
    expect(harness.calls).toEqual([]);
  });

  it.each([[{ authorization: 'Bearer alpha' }], [{ authorization: 'bearer alpha' }], [{ 'x-api-key': 'alpha' }]])(
    'takes the key of %o',
    async (headers) => {
      const harness = guarded();
      expect((await harness.post(ask, headers)).status).toBe(200);
      expect(harness.records[0]?.tenant).toBe('acme');
    },
  );

  it('says nothing about models to a caller it does not know', async () => {
    const answer = await guarded().post({ model_name: 'nobody', input_data: '' });
    expect(answer.body.error.code).toBe('unauthorized');
  });

  it('never serves one tenant the cached answer of another', async () => {
    const harness = guarded();
    await harness.post(ask, { authorization: 'Bearer alpha' });
    expect((await harness.post(ask, { authorization: 'Bearer beta' })).body.cache).toBe('miss');
    expect((await harness.post(ask, { authorization: 'Bearer alpha' })).body.cache).toBe('hit');
  });

  it('asks for the scope read at the endpoints that read', async () => {
    const { app } = guarded();
    const context = { waitUntil: () => undefined, passThroughOnException: () => undefined, props: {} };
    for (const path of ['/v1/models', '/v1/models/mood', '/v1/metrics']) {
      const asked = (secret: string) =>
        app.request(path, { headers: { authorization: `Bearer ${secret}` } }, undefined, context);
      expect([path, (await asked('beta')).status, (await asked('delta')).status]).toEqual([path, 403, 200]);
    }
  });

  it('takes the key of the deployment beside those of the configuration', async () => {
    const harness = createHarness({
      access: { deploymentKeySha256: Promise.resolve(sha256('omega')), waitForStoredConfig: false },
    });
    expect((await harness.post(ask)).status).toBe(401);
    expect((await harness.post(ask, { authorization: 'Bearer omega' })).status).toBe(200);
  });

  it('lets nobody in before the stored configuration, and with it its keys, has been loaded', async () => {
    const harness = createHarness({ access: { deploymentKeySha256: undefined, waitForStoredConfig: true } });
    const embedded = { ...harness.services.config.current(() => undefined), source: 'embedded' as const };
    const services = { ...harness.services.config, ready: async () => embedded };
    Object.assign(harness.services, { config: services });
    const answer = await harness.post(ask);
    expect([answer.status, answer.body.error.code]).toEqual([503, 'not_configured']);
  });

  it('never lets a key into a log line', async () => {
    const harness = guarded();
    await harness.post(ask, { authorization: 'Bearer alpha' });
    await harness.post(ask, { authorization: 'Bearer canary-9c1' });
    expect(harness.lines.join('\n')).not.toMatch(/alpha|canary-9c1/);
  });
});
