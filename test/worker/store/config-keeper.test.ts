/** The keeper's promises: something good is always in force, a request is never held up, a store that is away is left alone. */
import { describe, expect, it } from 'vitest';
import type { Config } from '../../../shared/schema/config.ts';
import type { ConfigStore } from '../../../worker/ports.ts';
import { createConfigKeeper } from '../../../worker/store/config-keeper.ts';
import type { ConfigKeeperOptions } from '../../../worker/store/config-keeper.ts';
import { createFakeClock } from '../../fakes/fake-clock.ts';
import { createMemoryConfigStore } from '../../fakes/memory-config-store.ts';
import { testConfig } from '../test-config.ts';

const described = (description: string): Config => testConfig((config) => ({ ...config, description }));
const REFRESH_MS = 10_000;

function open(change: Partial<ConfigKeeperOptions> = {}) {
  const clock = createFakeClock();
  const store = createMemoryConfigStore();
  const background: Promise<void>[] = [];
  const keeper = createConfigKeeper({
    store,
    embedded: described('embedded'),
    clock,
    random: () => 0,
    refreshMs: REFRESH_MS,
    loadTimeoutMs: 50,
    ...change,
  });
  const keepAlive = (work: Promise<void>): void => void background.push(work);
  return { clock, store, keeper, background, keepAlive, settle: () => Promise.all(background) };
}

describe('the configuration keeper', () => {
  it('has the embedded configuration in force at once and the published one after its first look', async () => {
    const { store, keeper, keepAlive, settle, clock } = open();
    store.publish(described('published'));
    expect(keeper.current(keepAlive)).toMatchObject({ version: 'embedded', source: 'embedded' });
    clock.advance(5);
    await settle();
    expect(keeper.current(keepAlive)).toMatchObject({
      version: '1',
      source: 'dynamodb',
      inForceSinceMs: clock.now(),
      config: { description: 'published' },
    });
    expect(keeper.status()).toMatchObject({ lastCheckedMs: clock.now(), lastError: null });
  });

  it('looks again no sooner than it was told, once however many ask', async () => {
    const { store, keeper, keepAlive, settle, clock } = open();
    store.publish(described('first'));
    for (let request = 0; request < 10; request += 1) keeper.current(keepAlive);
    await settle();
    expect(store.loads).toBe(1);
    store.publish(described('second'));
    clock.advance(REFRESH_MS - 1);
    keeper.current(keepAlive);
    await settle();
    expect(store.loads).toBe(1);
    clock.advance(1);
    keeper.current(keepAlive);
    keeper.current(keepAlive);
    await settle();
    expect(store.loads).toBe(2);
    expect(keeper.current(keepAlive).config.description).toBe('second');
  });

  it('keeps the moment since when a version is in force while nothing new is published', async () => {
    const { store, keeper, keepAlive, settle, clock } = open();
    store.publish(described('first'));
    keeper.current(keepAlive);
    await settle();
    const { inForceSinceMs } = keeper.status();
    clock.advance(REFRESH_MS);
    keeper.current(keepAlive);
    await settle();
    expect(keeper.status()).toMatchObject({ inForceSinceMs, lastCheckedMs: clock.now() });
  });

  it('keeps the last good version when the store goes away, says why without secrets, and looks less often, but soon enough to be back in time', async () => {
    const failures: unknown[] = [];
    const { store, keeper, keepAlive, settle, clock } = open({ onFailure: (error) => failures.push(error) });
    store.publish(described('good'));
    keeper.current(keepAlive);
    await settle();
    store.misbehave('fail');
    const looksAtMs: number[] = [];
    for (let second = 0; second < 2_000; second += 1) {
      const before = store.loads;
      expect(keeper.current(keepAlive).config.description).toBe('good');
      await settle();
      if (store.loads > before) looksAtMs.push(clock.now());
      clock.advance(1_000);
    }
    const gaps = looksAtMs.slice(1).map((at, index) => at - (looksAtMs[index] ?? 0));
    expect(gaps.slice(0, 3)).toEqual([15_000, 15_000, 15_000]);
    expect(keeper.status()).toMatchObject({ version: '1', lastError: 'The store is away.' });
    expect(JSON.stringify(keeper.status())).not.toContain('secret');
    expect(failures.length).toBe(looksAtMs.length);
    store.misbehave(undefined);
    store.publish(described('back'));
    await keeper.refresh();
    expect(keeper.status()).toMatchObject({ version: '2', lastError: null });
  });

  it('lets the first request wait for the first look, a bounded while, and no other request', async () => {
    const { store, keeper, keepAlive, settle } = open();
    store.publish(described('published'));
    expect(await keeper.ready(keepAlive)).toMatchObject({ version: '1' });
    await settle();

    const slow = open({ firstLoadWaitMs: 15, loadTimeoutMs: 5_000 });
    slow.store.misbehave('hang');
    const startMs = performance.now();
    expect(await slow.keeper.ready(slow.keepAlive)).toMatchObject({ version: 'embedded' });
    expect(performance.now() - startMs).toBeLessThan(2_000);

    const proud = open({ firstLoadWaitMs: 0 });
    proud.store.misbehave('hang');
    expect(await proud.keeper.ready(proud.keepAlive)).toMatchObject({ version: 'embedded' });
  });

  it('does not wait again once a first look has failed', async () => {
    const { store, keeper, keepAlive } = open();
    store.misbehave('fail');
    await keeper.ready(keepAlive);
    expect(await keeper.ready(keepAlive)).toMatchObject({ version: 'embedded' });
    expect(store.loads).toBe(1);
  });

  it('ends a look by itself where the store ignores its signal', async () => {
    const deaf: ConfigStore = { load: () => new Promise(() => undefined) };
    const { keeper } = open({ store: deaf, loadTimeoutMs: 20 });
    await keeper.refresh();
    expect(keeper.status().lastError).toMatch(/did not answer within 20 ms/);
  });

  it('starts over when a look died with the request that began it', async () => {
    const clock = createFakeClock();
    let loads = 0;
    const store: ConfigStore = {
      load: () => {
        loads += 1;
        return loads === 1
          ? new Promise(() => undefined)
          : Promise.resolve({ config: described('late'), version: '9' });
      },
    };
    const { keeper } = open({ store, clock, loadTimeoutMs: 60_000 });
    void keeper.refresh();
    clock.advance(120_000);
    await keeper.refresh();
    expect(keeper.status()).toMatchObject({ version: '9' });
  });

  it('survives a store that throws before its first await', async () => {
    const store: ConfigStore = {
      load: () => {
        throw new Error('private words');
      },
    };
    const { keeper } = open({ store });
    await keeper.refresh();
    await keeper.refresh();
    expect(keeper.status().lastError).toBe('the configuration could not be loaded');
  });

  it('serves the embedded configuration for ever where there is no store, and says so', async () => {
    const { keeper, keepAlive, background } = open({ store: undefined });
    expect(keeper.current(keepAlive).source).toBe('embedded');
    expect(await keeper.ready(keepAlive)).toMatchObject({ source: 'embedded' });
    expect(background).toEqual([]);
    expect(keeper.status()).toMatchObject({ lastCheckedMs: null, lastError: 'no DynamoDB table is configured' });
  });

  it('tells after each look that succeeded what is in force and whether it changed', async () => {
    const looks: [string, boolean][] = [];
    const { store, keeper } = open({
      afterLook: async (config, isChanged) => void looks.push([config.description, isChanged]),
    });
    store.publish(described('first'));
    await keeper.refresh();
    await keeper.refresh();
    store.misbehave('fail');
    await keeper.refresh();
    store.misbehave(undefined);
    store.publish(described('second'));
    await keeper.refresh();
    expect(looks).toEqual([
      ['first', true],
      ['first', false],
      ['second', true],
    ]);
  });
});
