import { describe, expect, it } from 'vitest';
import { createCacheApi } from '../../../worker/store/cache-api.ts';
import type { HttpCache } from '../../../worker/store/cache-api.ts';
import { createFakeClock } from '../../fakes/fake-clock.ts';
import { createMemoryHttpCache } from '../../fakes/memory-http-cache.ts';

describe('the Cache API adapter', () => {
  it('lets no input show in a URL, and leaves a hash as it is', async () => {
    const memory = createMemoryHttpCache(createFakeClock());
    const cache = createCacheApi({ open: () => memory });
    await cache.put('tenant/my private words', 'v', 60_000);
    await cache.put('0123abcdef', 'v', 60_000);
    expect(memory.urls[0]).toMatch(/^https:\/\/answers\.cache\.invalid\/~[0-9a-f]{64}$/);
    expect(memory.urls[1]).toBe('https://answers.cache.invalid/0123abcdef');
  });

  it.each<[string, () => HttpCache | undefined | Promise<HttpCache>]>([
    ['has no cache', () => undefined],
    [
      'throws when asked for one',
      () => {
        throw new ReferenceError('caches is not defined');
      },
    ],
    ['rejects', () => Promise.reject(new Error('No Cache was configured'))],
    [
      'refuses each call',
      () => ({
        match: () => Promise.reject(new Error('No Cache was configured')),
        put: () => Promise.reject(new Error('no')),
      }),
    ],
  ])('misses once and stays off where the platform %s', async (_name, open) => {
    let asked = 0;
    const cache = createCacheApi({
      open: () => {
        asked += 1;
        return open();
      },
    });
    for (let call = 0; call < 3; call += 1) {
      expect(await cache.get('key')).toBeUndefined();
      await cache.put('key', 'value', 60_000);
    }
    expect(asked).toBe(1);
  });

  it.each(['match', 'put'] as const)(
    'goes on after one %s that fails, where the platform has a cache',
    async (call) => {
      const memory = createMemoryHttpCache(createFakeClock());
      let isBad = false;
      const bad = () => Promise.reject(new Error('a bad moment'));
      const cache = createCacheApi({
        open: () => ({
          match: (url) => (isBad && call === 'match' ? bad() : memory.match(url)),
          put: (url, response) => (isBad && call === 'put' ? bad() : memory.put(url, response)),
        }),
      });
      await cache.put('key', 'value', 60_000);
      isBad = true;
      await cache.put('other', 'value', 60_000);
      await cache.get('key');
      isBad = false;
      expect(await cache.get('key')).toBe('value');
    },
  );

  it('takes a look-up that does not end for a miss', async () => {
    const cache = createCacheApi({
      open: () => ({ match: () => new Promise(() => undefined), put: () => new Promise(() => undefined) }),
      timeoutMs: 20,
    });
    expect(await cache.get('key')).toBeUndefined();
    await cache.put('key', 'value', 60_000);
  });

  it('looks no longer than its caller can wait', async () => {
    const cache = createCacheApi({
      open: () => ({ match: () => new Promise(() => undefined), put: () => new Promise(() => undefined) }),
      timeoutMs: 60_000,
    });
    expect(await cache.get('key', 5)).toBeUndefined();
  });

  it('keeps nothing too large, and takes nothing that is not a 200', async () => {
    const memory = createMemoryHttpCache(createFakeClock());
    const cache = createCacheApi({ open: () => memory, maxValueBytes: 10 });
    await cache.put('key', 'x'.repeat(11), 60_000);
    expect(memory.urls).toEqual([]);
    const failing = createCacheApi({
      open: () => ({ match: async () => new Response('oops', { status: 504 }), put: async () => undefined }),
    });
    expect(await failing.get('key')).toBeUndefined();
  });
});
