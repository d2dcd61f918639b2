// Published values of the two hashes that buckets, draws and shards come from: another result would move every one of them.

import { describe, expect, it } from 'vitest';
import { fmix32 } from '../../../shared/hash/fmix32.ts';
import { fnv1a } from '../../../shared/hash/fnv1a.ts';

describe('FNV-1a', () => {
  it.each([
    ['', 0x811c9dc5],
    ['a', 0xe40c292c],
    ['foobar', 0xbf9cf968],
  ])('of %j is what its authors publish', (text, hash) => {
    expect(fnv1a(text)).toBe(hash);
  });
});

describe('the finaliser of MurmurHash3', () => {
  it.each([
    [0, 0],
    [1, 0x514e28b7],
    [0xffffffff, 0x81f16f39],
  ])('of %d is what the reference gives', (hash, mixed) => {
    expect(fmix32(hash)).toBe(mixed);
  });

  it('does not tell a number from its signed twin', () => {
    expect(fmix32(0x9e3779b1 | 0)).toBe(fmix32(0x9e3779b1));
  });
});
