/** Real devices against the real worker: the C client where this machine has a compiler, else the one in TypeScript. */
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { compileClient } from '../../local/devices/compile-client.ts';
import { LOCAL_POOL } from '../../local/devices/device-pool.ts';
import { DEVICE_MODEL_FILE } from '../../local/devices/start-devices.ts';
import { encodeFrame } from '../../shared/device/frame.ts';
import { readImage, writeImage } from '../../shared/device/model-image.ts';
import { openDeviceStage, type DeviceStage } from './device-stage.ts';
import { runStorm } from './device-storm.ts';
import { ask, SOON } from './gateway-client.ts';

const compiled = compileClient('hybrid-device');
const CLIENT = compiled.kind === 'compiled' ? 'c' : 'typescript';

const golden: { rows: { pixels_base64: string; logits: { micro: number[] } }[] } = JSON.parse(
  readFileSync(new URL('../fixtures/digits-golden.json', import.meta.url), 'utf8'),
);

const STORM_DEVICES = 60;

type ListedDevice = {
  readonly id: string;
  readonly connected: boolean;
  readonly last_seen: string | null;
  readonly model: { readonly sha256: string } | null;
  readonly memory: { readonly model_slot_bytes: number };
  readonly accept_confidence: number;
};

let stage: DeviceStage;
let folder: string;

beforeAll(async () => {
  [stage, folder] = await Promise.all([
    openDeviceStage(STORM_DEVICES + 4, CLIENT),
    mkdtemp(join(tmpdir(), 'hybrid-devices-test-')),
  ]);
});
afterAll(async () => {
  await stage.close();
  await rm(folder, { recursive: true, force: true });
});

async function listed(): Promise<readonly ListedDevice[]> {
  const response = await fetch(`${stage.stack.url}/v1/devices`);
  const { devices } = (await response.json()) as { devices: readonly ListedDevice[] };
  return devices;
}

async function closeCodeOf(id: string, key: string, say: (socket: WebSocket) => void): Promise<number> {
  const url = `${stage.stack.url.replace('http', 'ws')}/v1/devices/${id}/connect`;
  const socket: WebSocket = Reflect.construct(WebSocket, [url, { headers: { authorization: `Bearer ${key}` } }]);
  socket.addEventListener('open', () => say(socket));
  return new Promise((resolve) => {
    socket.addEventListener('close', ({ code }) => resolve(code));
  });
}

const NOTE = compiled.kind === 'compiled' ? 'C' : `TypeScript, because ${compiled.why}`;

describe(`devices in ${NOTE}`, () => {
  it('answer, each request with its own answer, while a tenth of them is cut off', async () => {
    const devices = stage.pool.slice(0, STORM_DEVICES);
    const running = await stage.start(devices);
    await vi.waitFor(() => {
      for (const { id } of devices) expect(stage.events.of(id, 'welcome')).not.toEqual([]);
    }, SOON);
    const report = await runStorm({
      url: stage.stack.url,
      proxy: stage.proxy,
      events: stage.events,
      requestsPerS: 30,
      seconds: 4,
      cuts: devices.filter((_device, index) => index % 10 === 0).map(({ id }) => id),
      deadlineMs: 3_000,
      seed: 11,
    });
    expect(report).toMatchObject({ sent: 120, swapped: 0, late: 0, notReconnected: [] });
    expect(report.answered + Object.values(report.failed).reduce((sum, count) => sum + count, 0)).toBe(120);
    expect(report.answered).toBeGreaterThan(60);
    const devicesNow = await listed();
    expect(devicesNow.filter(({ connected }) => connected)).toHaveLength(STORM_DEVICES);
    expect(devicesNow[0]).toMatchObject({ id: 'device-1', memory: { model_slot_bytes: 65_472 } });
    await running.close();
    await vi.waitFor(async () => expect((await listed()).filter(({ connected }) => connected)).toEqual([]), SOON);
    expect((await listed())[0]?.last_seen).not.toBeNull();
  });

  it('are still there, and known, after their hub has slept', async () => {
    const [device = fail()] = stage.pool;
    const running = await stage.start([device]);
    const isConnected = async (): Promise<boolean | undefined> =>
      (await listed()).find(({ id }) => id === device.id)?.connected;
    await vi.waitFor(async () => expect(await isConnected()).toBe(true), SOON);
    const before = stage.events.of(device.id, 'lost').length;
    const [row = fail()] = golden.rows;
    const request = { model_name: 'digits', input_data: row.pixels_base64, variant: 'micro', cache: 'bypass' };
    for (let round = 0; round < 3; round += 1) {
      await stage.stack.worker.putHubToSleep(`${LOCAL_POOL}/0`);
      const { body } = await ask(stage.stack.url, request);
      expect(body.predictions?.[0]).toMatchObject({ target: 'mcu', label: '8' });
    }
    await stage.stack.worker.putHubToSleep(`${LOCAL_POOL}/0`);
    expect(await isConnected()).toBe(true);
    expect(stage.events.of(device.id, 'lost')).toHaveLength(before);
    await running.close();
  });

  it('take a new model in pieces over a network that keeps breaking, switch once, and answer with it', async () => {
    const [device = stage.pool[0] ?? fail()] = stage.pool.slice(-1);
    const shipped = readImage(new Uint8Array(readFileSync(DEVICE_MODEL_FILE)));
    const oldFile = join(folder, 'old.hymc');
    // Another model than the gateway has: the same, less sure of everything.
    await writeFile(oldFile, writeImage({ ...shipped, temperature: 4 }));
    stage.proxy.loseAfter(9_000);
    const running = await stage.start([device], { modelFile: oldFile });
    await vi.waitFor(() => expect(stage.events.of(device.id, 'model')).toHaveLength(1), {
      timeout: 30_000,
      interval: 50,
    });
    stage.proxy.loseAfter(null);
    expect(stage.events.of(device.id, 'lost').length).toBeGreaterThanOrEqual(3);
    const models = stage.events.all.filter((event) => event.device === device.id).map(({ model }) => model);
    // The old one until the switch, the new one from then on, and nothing between.
    expect([...new Set(models)]).toHaveLength(2);
    expect(models.lastIndexOf(models[0])).toBeLessThan(models.indexOf(stage.events.of(device.id, 'model')[0]?.model));
    await vi.waitFor(async () => {
      const [row] = golden.rows;
      const reply = await ask(stage.stack.url, {
        model_name: 'digits',
        input_data: row?.pixels_base64,
        variant: 'micro',
        cache: 'bypass',
      });
      expect(reply.body.predictions?.[0]).toMatchObject({ target: 'mcu', label: '8' });
      expect(reply.body.predictions?.[0]?.confidence).toBeGreaterThan(0.99);
    }, SOON);
    await running.close();
  });

  it('answer what they are sure of themselves, ask the gateway the rest, and hear of a new threshold', async () => {
    const [device = fail()] = stage.pool.slice(-2, -1);
    const byMargin = golden.rows.toSorted((left, right) => marginOf(left) - marginOf(right));
    const rows = [...byMargin.slice(0, 4), ...byMargin.slice(-8)];
    const images = Uint8Array.from(rows.flatMap(({ pixels_base64: pixels }) => [...Buffer.from(pixels, 'base64')]));
    const running = await stage.start([device], { images });
    await vi.waitFor(() => expect(stage.events.of(device.id, 'answer')).toHaveLength(rows.length), {
      timeout: 20_000,
      interval: 50,
    });
    const answers = stage.events.of(device.id, 'answer');
    expect(answers.map(({ status }) => status)).toEqual(rows.map(() => 0));
    for (const answer of answers.filter(({ by }) => by === 'device'))
      expect(answer.confidence).toBeGreaterThanOrEqual(0.9);
    expect(answers.some(({ by }) => by === 'gateway')).toBe(true);
    const { config } = stage.stack;
    const routes = config.routes.map((route) =>
      route.model === 'digits' && route.policy.kind === 'cascade'
        ? {
            ...route,
            policy: {
              ...route.policy,
              steps: route.policy.steps.map((step) =>
                step.variant === 'micro' ? { ...step, accept_confidence: 0.55 } : step,
              ),
            },
          }
        : route,
    );
    await stage.stack.publish({ ...config, routes });
    await vi.waitFor(async () => {
      await listed();
      expect(stage.events.of(device.id, 'threshold').at(-1)?.threshold).toBeCloseTo(0.55, 5);
    }, SOON);
    await running.close();
  });

  it('get in with their own key and id only', async () => {
    const [one = fail(), other = fail()] = stage.pool;
    const connect = (id: string, key: string): Promise<Response> =>
      fetch(`${stage.stack.url}/v1/devices/${id}/connect`, { headers: { authorization: `Bearer ${key}` } });
    expect((await connect(one.id, other.key)).status).toBe(401);
    expect((await connect('device-that-is-not', one.key)).status).toBe(401);
    expect((await connect(one.id, one.key)).status).toBe(400);
    const hello = {
      type: 'hello',
      deviceId: other.id,
      firmware: '',
      modelName: '',
      modelHash: new Uint8Array(32),
      window: 1,
      maxFrameBytes: 1_200,
      slotBytes: 0,
      ramBytes: 0,
      token: new Uint8Array(16),
    } as const;
    const frame = encodeFrame({ sequence: 1, request: 0, deadlineMs: 0, message: hello });
    expect(await closeCodeOf(one.id, one.key, (socket) => socket.send(frame))).toBe(4_003);
  });

  it('that send junk are put out, and nobody else is', async () => {
    const [one = fail(), other = fail()] = stage.pool;
    const running = await stage.start([other]);
    await vi.waitFor(async () => {
      expect((await listed()).find(({ id }) => id === other.id)?.connected).toBe(true);
    }, SOON);
    const torn = encodeFrame({ sequence: 1, request: 0, deadlineMs: 0, message: { type: 'credit', window: 1 } });
    torn[5] = 77;
    for (const junk of [new Uint8Array(0), new Uint8Array(40).fill(0xd1), torn, new Uint8Array(100_000)]) {
      expect(await closeCodeOf(one.id, one.key, (socket) => socket.send(junk))).toBe(4_002);
    }
    expect(await closeCodeOf(one.id, one.key, (socket) => socket.send('a text'))).toBe(4_002);
    expect((await listed()).find(({ id }) => id === other.id)?.connected).toBe(true);
    await running.close();
  });

  it.skipIf(CLIENT !== 'c')('keep the model they had when power fails in the middle of an update', async () => {
    const [device = fail()] = stage.pool.slice(-3, -2);
    const shipped = readImage(new Uint8Array(readFileSync(DEVICE_MODEL_FILE)));
    const oldFile = join(folder, 'older.hymc');
    await writeFile(oldFile, writeImage({ ...shipped, temperature: 3 }));
    const options = { modelFile: oldFile, flashFolder: folder };
    const modelBefore = (): string | undefined => stage.events.all.find((event) => event.device === device.id)?.model;
    stage.proxy.loseAfter(20_000);
    const first = await stage.start([device], options);
    await vi.waitFor(() => expect(stage.events.of(device.id, 'lost')).not.toEqual([]), SOON);
    await first.kill();
    const eventsBefore = stage.events.all.length;
    stage.proxy.loseAfter(null);
    const second = await stage.start([device], options);
    await vi.waitFor(() => expect(stage.events.of(device.id, 'model')).toHaveLength(1), SOON);
    const again = stage.events.all.slice(eventsBefore).filter((event) => event.device === device.id);
    expect(again[0]?.model).toBe(modelBefore());
    expect(again.at(-1)?.model).not.toBe(modelBefore());
    await second.close();
    const third = await stage.start([device], options);
    await vi.waitFor(
      () => expect(stage.events.all.at(-1)).toMatchObject({ device: device.id, model: again.at(-1)?.model }),
      SOON,
    );
    await third.close();
  });
});

/** How far the small model's first choice is ahead of its second. */
function marginOf({ logits }: { logits: { micro: number[] } }): number {
  const [first = 0, second = 0] = logits.micro.toSorted((left, right) => right - left);
  return first - second;
}

function fail(): never {
  throw new Error('what the test needs is not there');
}
