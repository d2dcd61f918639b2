/** The hub of devices: who is let in, who gets which request, what happens when devices leave, lie or repeat themselves. */
import { describe, expect, it, vi } from 'vitest';
import { encodeFrame } from '../../../shared/device/frame.ts';
import { toHex } from '../../../shared/hash/sha256.ts';
import { Hub, type HubOptions } from '../../../worker/devices/hub.ts';
import type { DeviceRecord, HubCall } from '../../../worker/devices/hub-port.ts';
import type { Question } from '../../../worker/devices/questions.ts';
import { modelNamed, NO_PLATFORM } from '../../fakes/device-pool.ts';
import { HubDevice, type HubDeviceOptions } from '../../fakes/hub-device.ts';

const model = modelNamed('dots/micro');
const holding = { modelName: model.name, modelSha256: model.sha256 };

function openHub(change: Partial<HubOptions> = {}): Hub {
  return new Hub({ ...NO_PLATFORM, now: () => 0, pool: async () => ({ threshold: 0.9, model }), ...change });
}

function call(brightness: number, change: Partial<HubCall> = {}): HubCall {
  const inputs = [new Float32Array(6).fill(brightness)];
  return { id: crypto.randomUUID(), pool: 'devices', model: model.name, inputs, timeoutMs: 1_000, ...change };
}

/** Answers with the first value it was sent as a probability: an answer that belongs to its own question only. */
function echoes(device: HubDevice, when: () => Promise<void> = async () => undefined): void {
  device.onFrame = ({ message, request }) => {
    if (message.type !== 'infer') return;
    const first = (message.tensor.data[0] ?? 0) + 128;
    const data = Int16Array.from([first, 255 - first]);
    void when().then(() =>
      device.say(
        { type: 'result', computeUs: 1_000, tensor: { scale: 1 / 255, zeroPoint: 0, shape: [2], data } },
        request,
      ),
    );
  };
}

function echoing(hub: Hub, id: string, change: Partial<HubDeviceOptions> = {}): Promise<HubDevice> {
  return HubDevice.greeted(hub, { id, ...holding, ...change }, echoes);
}

function firstProbability(answer: Awaited<ReturnType<Hub['infer']>>): number | string {
  return answer.kind === 'answered' ? (answer.items[0]?.probabilities[0] ?? NaN) : answer.reason;
}

describe('a device that dials in', () => {
  it('is welcomed with its threshold and a token of its own', async () => {
    const device = await HubDevice.greeted(openHub(), { id: 'a', ...holding });
    const [welcome] = device.messages('welcome');
    expect(welcome).toMatchObject({ resumed: false, threshold: expect.closeTo(0.9, 6) });
    expect(welcome?.token.some((byte) => byte !== 0)).toBe(true);
  });

  it('is refused when it claims the id of another', async () => {
    const hub = openHub();
    const honest = await echoing(hub, 'a');
    const liar = new HubDevice(hub, { id: 'b' });
    await liar.hello({ deviceId: 'a' });
    expect(liar.messages('error')).toMatchObject([{ code: 'wrong_identity' }]);
    expect(liar.closed?.code).toBe(4_003);
    expect(honest.closed).toBeUndefined();
    expect(firstProbability(await hub.infer(call(1)))).toBe(1);
  });

  it('takes the place of its own older connection', async () => {
    const hub = openHub();
    const before = await echoing(hub, 'a');
    const after = await echoing(hub, 'a');
    expect(before.closed?.code).toBe(4_001);
    expect(hub.list()).toHaveLength(1);
    expect(firstProbability(await hub.infer(call(0)))).toBe(0);
    expect(after.messages('infer')).toHaveLength(1);
  });

  it('is told that it resumed when it brings the token of its last connection', async () => {
    const tokens = new Map<string, string>();
    const hub = openHub({
      keep: ({ deviceId }: DeviceRecord, token) => void tokens.set(deviceId, token),
      lastToken: async (id) => tokens.get(id),
    });
    const before = await HubDevice.greeted(hub, { id: 'a', ...holding });
    const token = before.messages('welcome')[0]?.token ?? new Uint8Array(16);
    before.cut();
    const after = await HubDevice.greeted(hub, { id: 'a', ...holding, token });
    expect(after.messages('welcome')).toMatchObject([{ resumed: true }]);
    const other = await HubDevice.greeted(hub, { id: 'b', ...holding, token });
    expect(other.messages('welcome')).toMatchObject([{ resumed: false }]);
  });

  it('says hello first, and once', async () => {
    const hub = openHub();
    const rude = new HubDevice(hub, { id: 'a' });
    await rude.say({ type: 'credit', window: 3 });
    expect(rude.messages('error')).toMatchObject([{ code: 'unexpected' }]);
    const twice = await HubDevice.greeted(hub, { id: 'b', ...holding });
    await twice.hello();
    expect(twice.closed?.code).toBe(4_002);
  });
});

describe('frames that are not what they should be', () => {
  it('end the connection they came over and no other', async () => {
    const hub = openHub();
    const honest = await echoing(hub, 'honest');
    const credit = { request: 0, deadlineMs: 0, message: { type: 'credit' as const, window: 1 } };
    const torn = encodeFrame({ sequence: 2, ...credit });
    torn[12] = 9;
    const cases = {
      bad_checksum: torn,
      replayed: encodeFrame({ sequence: 1, ...credit }),
      bad_length: new Uint8Array(3),
      bad_version: new Uint8Array(40),
    };
    for (const [code, bytes] of Object.entries(cases)) {
      const device = await HubDevice.greeted(hub, { id: code, ...holding });
      await device.send(bytes);
      expect(device.messages('error')).toMatchObject([{ code }]);
      expect(device.closed?.code).toBe(4_002);
    }
    expect(honest.closed).toBeUndefined();
    expect(firstProbability(await hub.infer(call(1)))).toBe(1);
  });

  it('are refused when they are the gateway’s own words', async () => {
    const hub = openHub();
    const device = await HubDevice.greeted(hub, { id: 'a', ...holding });
    await device.say({ type: 'threshold', threshold: 0 });
    expect(device.messages('error')).toMatchObject([{ code: 'unexpected' }]);
  });
});

describe('work for devices', () => {
  it('goes to the least loaded device that holds the model, within each window', async () => {
    const hub = openHub();
    const silent = [
      await HubDevice.greeted(hub, { id: 'a', ...holding, window: 2 }),
      await HubDevice.greeted(hub, { id: 'b', ...holding, window: 2 }),
      await HubDevice.greeted(hub, { id: 'c', ...holding, modelSha256: 'cd'.repeat(32), window: 2 }),
    ];
    const pending = Array.from({ length: 6 }, (_unused, index) => hub.infer(call(index / 255, { timeoutMs: 80 })));
    await Promise.resolve();
    expect(silent.map((device) => device.messages('infer').length)).toEqual([2, 2, 0]);
    expect(await Promise.all(pending.map(async (answer) => firstProbability(await answer)))).toEqual(
      pending.map(() => 'timeout'),
    );
  });

  it('is answered by its own answer when fifty requests cross and devices leave', async () => {
    const hub = openHub();
    let dice = 7;
    const random = (): number => (dice = (dice * 16_807) % 2_147_483_647) / 2_147_483_647;
    const slowly = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 30 * random()));
    const join = (id: string): Promise<HubDevice> =>
      HubDevice.greeted(hub, { id, ...holding, window: 3 }, (device) => echoes(device, slowly));
    const devices = await Promise.all(['a', 'b', 'c', 'd', 'e'].map(join));
    const asked = Array.from({ length: 50 }, (_unused, index) => ({ index, answer: hub.infer(call(index / 255)) }));
    for (const [index, device] of devices.slice(0, 3).entries()) {
      await slowly();
      device.cut();
      await join(['a', 'b', 'f'][index] ?? 'g');
    }
    for (const { index, answer } of asked) expect(firstProbability(await answer)).toBeCloseTo(index / 255, 6);
  });

  it('of a device that left waits for it to come back, and is sent once more', async () => {
    const hub = openHub();
    const device = await HubDevice.greeted(hub, { id: 'a', ...holding });
    const answer = hub.infer(call(0.2));
    await vi.waitFor(() => expect(device.messages('infer')).toHaveLength(1));
    device.cut();
    const back = await echoing(hub, 'a');
    expect(back.messages('infer')).toEqual(device.messages('infer'));
    expect(firstProbability(await answer)).toBeCloseTo(0.2, 6);
  });

  it('takes the first answer and no answer to what a device was not asked', async () => {
    const hub = openHub();
    const device = await HubDevice.greeted(hub, { id: 'a', ...holding });
    const answer = hub.infer(call(0));
    await vi.waitFor(() => expect(device.messages('infer')).toHaveLength(1));
    const request = device.received.find(({ message }) => message.type === 'infer')?.request ?? 0;
    const result = (share: number) =>
      ({
        type: 'result',
        computeUs: 1,
        tensor: { scale: 1 / 100, zeroPoint: 0, shape: [2], data: Int16Array.of(share, 100 - share) },
      }) as const;
    await device.say(result(11), request + 1);
    await device.say(result(22), request);
    await device.say(result(33), request);
    expect(firstProbability(await answer)).toBeCloseTo(0.22, 6);
  });

  it('fails at once where nobody is connected, and says so where models are still under way', async () => {
    const hub = openHub();
    expect(await hub.infer(call(1))).toMatchObject({ reason: 'not_ready', nobody: true });
    await HubDevice.greeted(hub, { id: 'a' });
    expect(await hub.infer(call(1))).toMatchObject({ reason: 'not_ready', detail: expect.stringContaining('model') });
  });

  it('is turned away when too much of it waits', async () => {
    const hub = openHub();
    await HubDevice.greeted(hub, { id: 'a', ...holding });
    const inputs = Array.from({ length: 100 }, () => new Float32Array(6));
    expect(await hub.infer(call(1, { inputs, timeoutMs: 50 }))).toMatchObject({ reason: 'throttled' });
  });

  it.each([
    ['a frame can be', 20_000],
    ['a text’s length can say', 70_000],
    ['any of its devices takes', 1_200],
  ])('that is larger than %s is refused, and spoils nothing for what comes after it', async (_what, bytes) => {
    const hub = openHub();
    const device = await echoing(hub, 'a', { window: 2 });
    const refused = await hub.infer(call(0, { inputs: ['x'.repeat(bytes)] }));
    expect(refused).toMatchObject({ kind: 'failed', reason: 'rejected' });
    expect(firstProbability(await hub.infer(call(1)))).toBe(1);
    expect(device.received.map(({ sequence }) => sequence)).toEqual(device.received.map((_frame, at) => at + 1));
  });

  it('goes to the device that takes frames of its size', async () => {
    const hub = openHub();
    const small = await HubDevice.greeted(hub, { id: 'a', ...holding, maxFrameBytes: 64 });
    const large = await HubDevice.greeted(hub, { id: 'b', ...holding });
    const answer = hub.infer(call(0, { inputs: ['x'.repeat(100)], timeoutMs: 20 }));
    await vi.waitFor(() => expect(large.messages('infer')).toHaveLength(1));
    expect(small.messages('infer')).toEqual([]);
    expect((await answer).kind).toBe('failed');
  });

  it('is not sent to a device that fell silent', async () => {
    let nowMs = 0;
    const hub = openHub({ now: () => nowMs });
    const device = await echoing(hub, 'a');
    nowMs = 51_000;
    expect(await hub.infer(call(1))).toMatchObject({ reason: 'not_ready' });
    device.heartbeatAtMs = 40_000;
    expect(firstProbability(await hub.infer(call(1)))).toBe(1);
    nowMs = 200_000;
    await hub.tick();
    expect(device.closed?.code).toBe(4_008);
  });

  it('stops for a device that closes its window, and goes on when it opens', async () => {
    const hub = openHub();
    const device = await echoing(hub, 'a');
    await device.say({ type: 'credit', window: 0 });
    const answer = hub.infer(call(1));
    await Promise.resolve();
    expect(device.messages('infer')).toHaveLength(0);
    await device.say({ type: 'credit', window: 1 });
    expect(firstProbability(await answer)).toBe(1);
  });
});

describe('a hub that slept', () => {
  it('goes on with the sockets it had, sequence numbers included', async () => {
    const device = await HubDevice.greeted(openHub(), { id: 'a', ...holding });
    const woken = openHub();
    const state = structuredClone(device.saved ?? fail());
    woken.opened(device.socket, state);
    expect(woken.list()).toMatchObject([{ deviceId: 'a', modelSha256: model.sha256, connected: true }]);
    expect(state.sequenceIn).toBe(1);
    await woken.received(
      device.socket,
      encodeFrame({ sequence: 2, request: 0, deadlineMs: 0, message: { type: 'credit', window: 2 } }),
    );
    expect(device.closed).toBeUndefined();
    await woken.received(
      device.socket,
      encodeFrame({ sequence: 2, request: 0, deadlineMs: 0, message: { type: 'credit', window: 2 } }),
    );
    expect(device.messages('error')).toMatchObject([{ code: 'replayed' }]);
  });
});

describe('what devices ask', () => {
  const tensor = { scale: 1 / 255, zeroPoint: -128, shape: [2, 3, 1], data: new Int8Array(6) };

  it('is answered over the connection the device has by then, and once', async () => {
    const asked: Question[] = [];
    let release: (() => void) | undefined;
    const tokens = new Map<string, string>();
    const hub = openHub({
      keep: ({ deviceId }, token) => void tokens.set(deviceId, token),
      lastToken: async (id) => tokens.get(id),
      answer: async (question) => {
        asked.push(question);
        await new Promise<void>((resolve) => (release = resolve));
        return { label: 1, confidence: 0.75 };
      },
    });
    const before = await HubDevice.greeted(hub, { id: 'a', ...holding });
    const first = before.say({ type: 'ask', label: 0, confidence: 0.4, tensor }, 77, 5_000);
    before.cut();
    const token = before.messages('welcome')[0]?.token ?? fail();
    const after = await HubDevice.greeted(hub, { id: 'a', ...holding, token });
    const second = after.say({ type: 'ask', label: 0, confidence: 0.4, tensor }, 77, 5_000);
    await vi.waitFor(() => expect(release).toBeDefined());
    release?.();
    await Promise.all([first, second]);
    expect(asked).toMatchObject([{ deviceId: 'a', tenant: 'factory', request: 77, deadlineMs: 5_000 }]);
    expect(after.messages('answer')[0]).toEqual({ type: 'answer', label: 1, confidence: expect.closeTo(0.75, 4) });
    expect(before.messages('answer')).toEqual([]);
  });

  it('is asked anew where there was no answer: a failure is not kept', async () => {
    const tokens = new Map<string, string>();
    const answers = [undefined, { label: 1, confidence: 0.75 }];
    const hub = openHub({
      keep: ({ deviceId }, token) => void tokens.set(deviceId, token),
      lastToken: async (id) => tokens.get(id),
      answer: async () => answers.shift(),
    });
    const before = await HubDevice.greeted(hub, { id: 'a', ...holding });
    const asked = before.say({ type: 'ask', label: 0, confidence: 0.4, tensor }, 77, 5_000);
    before.cut();
    await asked;
    const token = before.messages('welcome')[0]?.token ?? fail();
    const after = await HubDevice.greeted(hub, { id: 'a', ...holding, token });
    await after.say({ type: 'ask', label: 0, confidence: 0.4, tensor }, 77, 5_000);
    expect(after.messages('answer')).toMatchObject([{ label: 1 }]);
    expect(after.messages('error')).toEqual([]);
  });

  it('gets an error when there is no answer, and when too much is asked at once', async () => {
    const releases: (() => void)[] = [];
    const hub = openHub({
      answer: () => new Promise((resolve) => releases.push(() => resolve(undefined))),
    });
    const device = await HubDevice.greeted(hub, { id: 'a', ...holding });
    const asking = [1, 2, 3, 4, 5].map((request) =>
      device.say({ type: 'ask', label: 0, confidence: 0, tensor }, request),
    );
    await asking[4];
    expect(device.messages('error')).toMatchObject([{ code: 'window_exceeded' }]);
    for (const release of releases) release();
    await Promise.all(asking);
    expect(device.messages('error').slice(1)).toMatchObject(Array.from({ length: 4 }, () => ({ code: 'no_answer' })));
    expect(device.closed).toBeUndefined();
  });
});

describe('a device that is let in no more', () => {
  it.each([
    ['switched off or taken out', undefined],
    ['given another key, tenant or hub', 'otherwise'],
  ])('is let go once it was %s, and its work goes to others', async (_what, now) => {
    let admission: string | undefined = 'as dialled';
    const hub = openHub({ admission: async (deviceId) => (deviceId === 'revoked' ? admission : 'as dialled') });
    const revoked = await HubDevice.greeted(hub, { id: 'revoked', ...holding });
    const silent = new HubDevice(hub, { id: 'revoked' });
    const answer = hub.infer(call(1));
    await vi.waitFor(() => expect(revoked.messages('infer')).toHaveLength(1));
    const other = await echoing(hub, 'other');
    await hub.tick();
    expect([revoked.closed, silent.closed, other.closed]).toEqual([undefined, undefined, undefined]);
    admission = now;
    await hub.tick();
    expect([revoked.closed?.code, silent.closed?.code, other.closed]).toEqual([4_003, 4_003, undefined]);
    expect(firstProbability(await answer)).toBe(1);
    expect(hub.list().map(({ deviceId }) => deviceId)).toEqual(['other']);
  });
});

describe('models and thresholds of devices', () => {
  it('follow the configuration: offer, chunks as asked, commit, then work', async () => {
    const hub = openHub();
    const device = await HubDevice.greeted(hub, { id: 'a' });
    const [offer] = device.messages('model_offer');
    expect(offer).toMatchObject({ sizeBytes: model.bytes.length, modelName: model.name });
    const got = new Uint8Array(model.bytes.length);
    const modelHashPrefix = (offer?.modelHash ?? fail()).slice(0, 4);
    for (let nextOffset = 0; nextOffset < got.length;) {
      await device.say({ type: 'model_ack', modelHashPrefix, state: 'wants', nextOffset });
      const chunk = device.messages('model_chunk').at(-1) ?? fail();
      expect(chunk.offset).toBe(nextOffset);
      got.set(chunk.bytes, chunk.offset);
      nextOffset += chunk.bytes.length;
    }
    expect(got).toEqual(model.bytes);
    await device.say({ type: 'model_ack', modelHashPrefix, state: 'complete', nextOffset: got.length });
    expect(toHex(Uint8Array.from(device.messages('model_commit')[0]?.modelHash ?? []))).toBe(model.sha256);
    expect((await hub.infer(call(1))).kind).toBe('failed');
    await device.say({ type: 'model_ack', modelHashPrefix, state: 'committed', nextOffset: got.length });
    echoes(device);
    expect(firstProbability(await hub.infer(call(1)))).toBe(1);
  });

  it('are pushed when they change, and only then', async () => {
    const inForce = { threshold: 0.9, model };
    const hub = openHub({ pool: async () => inForce });
    const device = await HubDevice.greeted(hub, { id: 'a', ...holding });
    await hub.tick();
    expect(device.messages('threshold')).toEqual([]);
    inForce.threshold = 0.6;
    inForce.model = modelNamed('dots/micro', 'ef'.repeat(32));
    await hub.tick();
    await hub.tick();
    expect(device.messages('threshold')).toMatchObject([{ threshold: expect.closeTo(0.6, 6) }]);
    expect(device.messages('model_offer')).toHaveLength(1);
  });

  it('are not read past their end, whatever the device asks for', async () => {
    const device = await HubDevice.greeted(openHub(), { id: 'a' });
    const modelHashPrefix = (device.messages('model_offer')[0]?.modelHash ?? fail()).slice(0, 4);
    await device.say({ type: 'model_ack', modelHashPrefix, state: 'wants', nextOffset: 0xffffffff });
    expect(device.messages('error')).toMatchObject([{ code: 'bad_payload' }]);
  });
});

function fail(): never {
  throw new Error('what the test needs is not there');
}
