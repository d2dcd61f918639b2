import { describe, expect, it } from 'vitest';
import { createLruCache } from '../../../worker/store/lru-cache.ts';

describe("the isolate's cache", () => {
  it('stays within its bytes and drops what was used longest ago', () => {
    const cache = createLruCache<string>(100);
    cache.set('a', 'A', 40);
    cache.set('b', 'B', 40);
    expect(cache.get('a')).toBe('A');
    cache.set('c', 'C', 40);
    expect(cache.get('b')).toBeUndefined();
    expect([cache.get('a'), cache.get('c')]).toEqual(['A', 'C']);
    expect(cache.sizeBytes).toBe(80);
    expect(cache.count).toBe(2);
  });

  it('does not keep a value larger than itself, and keeps the others', () => {
    const cache = createLruCache<string>(100);
    cache.set('a', 'A', 40);
    cache.set('huge', 'H', 101);
    expect(cache.get('huge')).toBeUndefined();
    expect(cache.get('a')).toBe('A');
  });

  it('counts a replaced value once, and takes any size', () => {
    const cache = createLruCache<{ n: number }>(100);
    cache.set('a', { n: 1 }, 40);
    cache.set('a', { n: 2 }, 10.5);
    cache.set('b', { n: 3 }, 0);
    expect(cache.get('a')).toEqual({ n: 2 });
    expect(cache.sizeBytes).toBe(12);
    cache.delete('a');
    expect(cache.get('a')).toBeUndefined();
  });
});
