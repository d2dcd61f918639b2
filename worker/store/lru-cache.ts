/**
 * The isolate's own cache: least recently used out first, bounded in bytes. Owns eviction only; how long a value is
 * good for is part of the value, because time here comes from the injected clock.
 */
import { LRUCache } from 'lru-cache';

export type LruCache<V> = {
  get(key: string): V | undefined;
  /** A value larger than the whole cache is not kept. */
  set(key: string, value: V, sizeBytes: number): void;
  delete(key: string): void;
  readonly sizeBytes: number;
  readonly count: number;
};

export function createLruCache<V extends object | string>(maxSizeBytes: number): LruCache<V> {
  const held = new LRUCache<string, V>({ maxSize: maxSizeBytes, maxEntrySize: maxSizeBytes });
  return {
    get: (key) => held.get(key),
    set(key, value, sizeBytes) {
      held.set(key, value, { size: Math.max(1, Math.ceil(sizeBytes)) });
    },
    delete(key) {
      held.delete(key);
    },
    get sizeBytes() {
      return held.calculatedSize;
    },
    get count() {
      return held.size;
    },
  };
}
