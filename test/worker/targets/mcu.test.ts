/** Microcontrollers as a target: what it does where its hubs, or their devices, are not as they should be. */
import { describe, expect, it } from 'vitest';
import type { DeviceHubPort, HubAnswer } from '../../../worker/devices/hub-port.ts';
import { createHubs } from '../../../worker/devices/hubs.ts';
import { createMcuTarget } from '../../../worker/targets/mcu.ts';
import type { Target } from '../../../worker/ports.ts';
import { imageCall, sampleTarget } from '../../fakes/sample-call.ts';

const NOBODY: HubAnswer = { kind: 'failed', reason: 'not_ready', detail: 'no device is connected', nobody: true };

function answer(...probabilities: number[]): HubAnswer {
  return { kind: 'answered', items: [{ probabilities: Float32Array.from(probabilities), computeMs: 3 }] };
}

type World = { nowMs: number; readonly asked: string[]; readonly answers: Record<string, HubAnswer | Error> };

function open(shards: number, answers: World['answers']): { target: Target; world: World } {
  const world: World = { nowMs: 0, asked: [], answers };
  const hub = (name: string): DeviceHubPort => ({
    fetch: () => Promise.reject(new Error('nobody dials here')),
    async infer() {
      world.asked.push(name);
      const given = world.answers[name] ?? NOBODY;
      if (given instanceof Error) throw given;
      return given;
    },
    cancel: async () => undefined,
    list: async () => [],
  });
  const hubs = createHubs({ idFromName: (name) => name, get: (name) => hub(String(name)) });
  const spec = sampleTarget('edge', { id: 'mcu', endpoint: { kind: 'mcu', pool: 'factory', shards } });
  return { target: createMcuTarget({ spec, clock: { now: () => world.nowMs }, hubs }), world };
}

const infer = (target: Target) => target.infer(imageCall([1]), new AbortController().signal);

describe('a pool of microcontrollers', () => {
  it('asks one shard after another until one has devices', async () => {
    const { target, world } = open(3, { 'factory/2': answer(0.1, 0.9) });
    expect(await infer(target)).toMatchObject({ kind: 'answered', predictions: [{ label: 'light' }], computeMs: 3 });
    expect(new Set(world.asked).size).toBe(world.asked.length);
    expect(world.asked.at(-1)).toBe('factory/2');
  });

  it('asks another shard where one breaks off', async () => {
    const { target } = open(2, { 'factory/0': new Error('secret'), 'factory/1': answer(1, 0) });
    expect(await infer(target)).toMatchObject({ kind: 'answered', predictions: [{ label: 'dark' }] });
  });

  it('asks each shard once, whatever other requests ask meanwhile', async () => {
    for (const place of ['factory/0', 'factory/1', 'factory/2']) {
      const { target } = open(3, { [place]: answer(1, 0) });
      const results = await Promise.all(Array.from({ length: 7 }, () => infer(target)));
      expect(results.map(({ kind }) => kind)).toEqual(Array.from({ length: 7 }, () => 'answered'));
    }
  });

  it.each<[string, HubAnswer | Error, string]>([
    ['busy', { kind: 'failed', reason: 'throttled', detail: 'every window is full' }, 'throttled'],
    ['broken', new Error('secret'), 'cut'],
  ])('is not said to be empty where one shard is %s and the others have nobody', async (_name, seen, reason) => {
    for (const place of ['factory/0', 'factory/1', 'factory/2']) {
      const { target } = open(3, { [place]: seen });
      expect(await infer(target)).toMatchObject({ kind: 'failed', reason });
      expect(target.unreachable).toBeUndefined();
    }
  });

  it('is left out of plans for a moment where nobody was there', async () => {
    const { target, world } = open(2, {});
    expect(target.unreachable).toBeUndefined();
    expect(await infer(target)).toMatchObject({ kind: 'failed', reason: 'not_ready' });
    expect(target.unreachable).toContain('factory');
    world.nowMs = 2_001;
    expect(target.unreachable).toBeUndefined();
  });

  it('takes no answer that is not one probability a label', async () => {
    for (const wrong of [answer(1), answer(0.2, 0.2, 0.6), answer(NaN, NaN), answer(2, 0), answer()]) {
      expect(await infer(open(1, { 'factory/0': wrong }).target)).toMatchObject({ kind: 'failed', reason: 'garbage' });
    }
  });

  it('says so where the deployment has no Durable Object', async () => {
    const spec = sampleTarget('edge', { id: 'mcu', endpoint: { kind: 'mcu', pool: 'factory', shards: 1 } });
    const target = createMcuTarget({ spec, clock: { now: () => 0 }, hubs: undefined });
    expect(target.unreachable).toContain('DEVICES');
    expect(await infer(target)).toMatchObject({ kind: 'failed', reason: 'connect_failed' });
    expect(await target.check(AbortSignal.timeout(100))).toMatchObject({ ok: false });
  });
});
