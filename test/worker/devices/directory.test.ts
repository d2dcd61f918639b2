/** Who may dial in, what the list of devices says, and how a device's question becomes a request. */
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { checkConfig } from '../../../shared/config/check-config.ts';
import { quantizeUnit } from '../../../shared/device/tensor.ts';
import { devicesAnswerSchema } from '../../../shared/schema/answers.ts';
import type { Config } from '../../../shared/schema/config.ts';
import { admissionOf, admitting } from '../../../worker/devices/admission.ts';
import { answeringBy } from '../../../worker/devices/answer-question.ts';
import { createDevices } from '../../../worker/devices/directory.ts';
import type { DeviceRecord } from '../../../worker/devices/hub-port.ts';
import { createHubs } from '../../../worker/devices/hubs.ts';
import { poolSettings, thresholdOf } from '../../../worker/devices/pool-settings.ts';
import { answering, createHarness, failing } from '../harness.ts';
import { testConfig } from '../test-config.ts';

const KEY = 'key-of-one';

function withPool(config: Config): Config {
  const [edge] = config.targets;
  if (edge === undefined) throw new Error('no target to copy');
  const serves = edge.serves.filter(({ model, variant }) => model === 'dots' && variant === 'micro');
  const sha256 = createHash('sha256').update(KEY).digest('hex');
  return {
    ...config,
    targets: [...config.targets, { ...edge, id: 'mcu', endpoint: { kind: 'mcu', pool: 'factory', shards: 2 }, serves }],
    devices: [
      { id: 'one', pool: 'factory', sha256, tenant: 'factory', enabled: true },
      {
        id: 'off',
        pool: 'factory',
        sha256: createHash('sha256').update('other').digest('hex'),
        tenant: 'factory',
        enabled: false,
      },
    ],
  };
}

const config = testConfig(withPool);

function open(records: readonly DeviceRecord[] = []) {
  const dialled: { hub: string; headers: Record<string, string> }[] = [];
  const hubs = createHubs({
    idFromName: (name) => name,
    get: (name) => ({
      fetch: async (_url, { headers }) => {
        dialled.push({ hub: String(name), headers });
        return new Response('connected');
      },
      infer: () => Promise.reject(new Error('nobody asks here')),
      cancel: async () => undefined,
      list: async () => (name === 'factory/0' ? records : []),
    }),
  });
  return { devices: createDevices(hubs), dialled };
}

function upgrade(key?: string): Request {
  const authorization = key === undefined ? {} : { authorization: `Bearer ${key}` };
  // Node's own Request does not let a caller set `upgrade`; what is read is its headers.
  const headers = new Headers({ upgrade: 'websocket', ...authorization });
  return { headers } as Request;
}

describe('a device at the door', () => {
  it('is handed to its hub with the id its key belongs to', async () => {
    const { devices, dialled } = open();
    await devices.connect(upgrade(KEY), 'one', 'request-1', config);
    expect(dialled).toMatchObject([
      {
        hub: expect.stringMatching(/^factory\/[01]$/),
        headers: {
          'x-device-id': 'one',
          'x-device-tenant': 'factory',
          'x-device-admission': admissionOf(config, 'one'),
        },
      },
    ]);
  });

  it('is turned away with no key, another’s key, an unknown id, or switched off', async () => {
    const { devices, dialled } = open();
    for (const [id, key] of [
      ['one', undefined],
      ['one', 'other'],
      ['two', KEY],
      ['off', 'other'],
    ] as const) {
      await expect(devices.connect(upgrade(key), id, 'r', config)).rejects.toMatchObject({ code: 'unauthorized' });
    }
    expect(dialled).toEqual([]);
  });

  it('learns that there is no hub only once its key is known', async () => {
    const devices = createDevices(undefined);
    await expect(devices.connect(upgrade('x'), 'one', 'r', config)).rejects.toMatchObject({ code: 'unauthorized' });
    await expect(devices.connect(upgrade(KEY), 'one', 'r', config)).rejects.toMatchObject({ code: 'not_configured' });
  });
});

describe('what a device was let in by', () => {
  const [one] = config.devices ?? [];
  const admitted = (change: object): string | undefined =>
    admissionOf({ ...config, devices: one === undefined ? [] : [{ ...one, ...change }] }, 'one');

  it('is another once its key, its tenant or its hub is, and none where it is let in no more', () => {
    const shards = { kind: 'mcu' as const, pool: 'factory', shards: 3 };
    const moved = config.targets.map((target) => (target.id === 'mcu' ? { ...target, endpoint: shards } : target));
    const all = [
      admitted({}),
      admitted({ sha256: 'b'.repeat(64) }),
      admitted({ tenant: 'another' }),
      admissionOf({ ...config, targets: moved }, 'one'),
    ];
    expect(new Set(all).size).toBe(4);
    expect(all).not.toContain(undefined);
    expect([admitted({ enabled: false }), admitted({ pool: 'nowhere' }), admissionOf(config, 'two')]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  it('stands while the stored configuration is not known: nobody is sent away by the embedded one', async () => {
    const harness = createHarness({ config });
    const { config: keeper } = harness.services;
    const admissionBy = (source: 'embedded' | 'dynamodb', change: Partial<Config> = {}) => {
      const inForce = { ...keeper.current(() => undefined), config: { ...config, ...change }, source };
      return admitting({ ...harness.services, config: { ...keeper, ready: async () => inForce } }, () => undefined);
    };
    const held = admissionOf(config, 'one') ?? '';
    expect(await admissionBy('dynamodb')('one', held)).toBe(held);
    expect(await admissionBy('dynamodb', { devices: [] })('one', held)).toBeUndefined();
    expect(await admissionBy('embedded', { devices: [] })('one', held)).toBe(held);
  });
});

describe('a hub that is away', () => {
  const hubs = createHubs({
    idFromName: (name) => name,
    get: () => ({
      fetch: () => Promise.reject(new Error('the object was reset')),
      infer: () => Promise.reject(new Error('the object was reset')),
      cancel: async () => undefined,
      list: () => Promise.reject(new Error('the object was reset')),
    }),
  });

  it('is no failure of ours: it may be there again in a moment', async () => {
    const devices = createDevices(hubs);
    const away = { code: 'target_unavailable', retryAfterMs: 1_000 };
    await expect(devices.list(config)).rejects.toMatchObject(away);
    await expect(devices.connect(upgrade(KEY), 'one', 'r', config)).rejects.toMatchObject(away);
  });
});

describe('the list of devices', () => {
  it('names every device of the configuration, and what is known of it', async () => {
    const record: DeviceRecord = {
      deviceId: 'one',
      pool: 'factory',
      connected: true,
      firmware: 'test 1',
      modelName: 'dots/micro',
      modelSha256: 'ab',
      slotBytes: 1,
      ramBytes: 2,
      load: { queued: 0, busyPercent: 5, freeRamBytes: 2, uptimeS: 3, answered: 4, asked: 5 },
      inFlight: 1,
      threshold: 0.9,
      lastSeenMs: 1_700_000_000_000,
    };
    const devices = await open([record]).devices.list(config);
    expect(devicesAnswerSchema.safeParse({ devices }).error?.issues ?? []).toEqual([]);
    expect(devices).toMatchObject([
      {
        id: 'one',
        connected: true,
        last_seen: '2023-11-14T22:13:20.000Z',
        model: { name: 'dots/micro' },
        load: { asked: 5 },
      },
      { id: 'off', enabled: false, connected: false, last_seen: null },
    ]);
    expect(await createDevices(undefined).list(config)).toHaveLength(2);
  });
});

describe('the configuration of devices', () => {
  it('is checked as a whole', () => {
    expect(checkConfig(config)).toEqual([]);
    const [one] = config.devices ?? [];
    if (one === undefined) throw new Error('no device');
    const paths = (change: Partial<Config>): string[] => checkConfig({ ...config, ...change }).map(({ path }) => path);
    expect(paths({ devices: [{ ...one, pool: 'nowhere' }] })).toEqual(['devices[0].pool']);
    expect(paths({ devices: [one, one] })).toEqual(['devices[1].id', 'devices[1].sha256']);
    expect(paths({ targets: [...config.targets, ...config.targets.slice(-1)] })).toContain('targets[4].endpoint.pool');
  });

  it('gives a pool its model’s route and the threshold of its step', () => {
    const settings = poolSettings(config, 'factory');
    expect(settings).toMatchObject({ model: { name: 'dots' }, variant: 'micro' });
    expect(settings && thresholdOf(settings, [])).toBe(0.8);
    expect(poolSettings(config, 'nowhere')).toBeUndefined();
  });
});

describe('a device’s question', () => {
  const question = {
    deviceId: 'one',
    pool: 'factory',
    tenant: 'factory',
    request: 7,
    deadlineMs: 2_000,
    tensor: quantizeUnit([1, 1, 1, 1, 1, 1], [2, 3, 1]),
  };

  it('is a request of its tenant, beginning above the step that the device took', async () => {
    const harness = createHarness({ config });
    harness.scripts['lambda'] = answering(0.95, 'light');
    const ask = answeringBy(harness.services, () => undefined);
    expect(await ask(question)).toEqual({ label: 1, confidence: 0.95 });
    expect(harness.records).toMatchObject([{ tenant: 'factory', protocol: 'device', model: 'dots' }]);
    expect(harness.calls.map(({ target }) => target)).toEqual(['lambda']);
  });

  it('has no answer where no place has one, and where its input is not the model’s', async () => {
    const harness = createHarness({ config });
    for (const id of ['edge', 'lambda', 'sagemaker']) harness.scripts[id] = failing('upstream_error');
    const ask = answeringBy(harness.services, () => undefined);
    expect(await ask(question)).toBeUndefined();
    expect(await ask({ ...question, tensor: quantizeUnit([1], [1]) })).toBeUndefined();
    expect(await ask({ ...question, pool: 'nowhere' })).toBeUndefined();
  });
});
