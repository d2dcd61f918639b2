/** What every SharedCache promises. */
import { describe, expect, it } from 'vitest';
import type { SharedCache } from '../../worker/ports.ts';
import type { FakeClock } from '../fakes/fake-clock.ts';
import { createFakeClock } from '../fakes/fake-clock.ts';

export function describeSharedCacheContract(name: string, open: (clock: FakeClock) => SharedCache): void {
  describe(`the shared cache contract: ${name}`, () => {
    it('gives back what was put, exactly', async () => {
      const cache = open(createFakeClock());
      const value = JSON.stringify({ text: 'caf\u00e9 \u{1F600} \n "x"' });
      await cache.put('key', value, 60_000);
      expect(await cache.get('key')).toBe(value);
    });

    it('misses what was never put', async () => {
      expect(await open(createFakeClock()).get('key')).toBeUndefined();
    });

    it('forgets after the time it was given', async () => {
      const clock = createFakeClock();
      const cache = open(clock);
      await cache.put('key', 'value', 60_000);
      clock.advance(59_000);
      expect(await cache.get('key')).toBe('value');
      clock.advance(2_000);
      expect(await cache.get('key')).toBeUndefined();
    });

    it('keeps nothing that has no time', async () => {
      const cache = open(createFakeClock());
      await cache.put('key', 'value', 0);
      expect(await cache.get('key')).toBeUndefined();
    });

    it('gives the newest value of a key', async () => {
      const cache = open(createFakeClock());
      await cache.put('key', 'old', 60_000);
      await cache.put('key', 'new', 60_000);
      expect(await cache.get('key')).toBe('new');
    });

    it('keeps keys apart that differ in anything', async () => {
      const cache = open(createFakeClock());
      const keys = [
        'a',
        'A',
        'a ',
        'a/b',
        'a%2Fb',
        'a/../b',
        'b',
        '?a',
        '#a',
        '\u00e9',
        'e\u0301',
        'x'.repeat(5_000),
        `${'x'.repeat(5_000)}y`,
        '',
      ];
      for (const key of keys) await cache.put(key, `value of ${key}`, 60_000);
      for (const key of keys) expect(await cache.get(key)).toBe(`value of ${key}`);
    });
  });
}
