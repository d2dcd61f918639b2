/**
 * The SharedCache port over the platform's Cache API. Owns turning a key into a synthetic URL and a lifetime into
 * Cache-Control; any trouble is a miss. Leaves out what a value means.
 */
import { toHex } from '../../shared/hash/sha256.ts';
import type { SharedCache } from '../ports.ts';

/** The part of the platform's `Cache` that is used. */
export type HttpCache = {
  match(url: string): Promise<Response | undefined>;
  put(url: string, response: Response): Promise<void>;
};

export type CacheApiOptions = {
  /** The platform's cache, or undefined where it has none. Called once, on first use. */
  readonly open: () => HttpCache | undefined | Promise<HttpCache | undefined>;
  readonly maxValueBytes?: number;
  /** A look-up that takes longer is a miss. */
  readonly timeoutMs?: number;
};

/** Nothing is ever fetched from it: the name only has to be nobody's. */
const ORIGIN = 'https://answers.cache.invalid/';
const MAX_VALUE_BYTES = 262_144;
/** It stands in front of an attempt that leaves the isolate, so it must not eat that attempt's time. */
const TIMEOUT_MS = 40;

export function createCacheApi(options: CacheApiOptions): SharedCache {
  const maxValueBytes = options.maxValueBytes ?? MAX_VALUE_BYTES;
  const timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
  let off = false;
  let hasWorked = false;

  /** Undefined for every kind of trouble. Where the platform has no cache each call would fail alike: so one is enough. */
  async function withCache<T>(use: (cache: HttpCache) => Promise<T>, mostMs = timeoutMs): Promise<T | undefined> {
    if (off) return undefined;
    try {
      const cache = await options.open();
      if (cache !== undefined) {
        const found = await within(use(cache), Math.min(timeoutMs, mostMs));
        hasWorked = true;
        return found;
      }
    } catch {
      // Not configured, or a bad moment of one that is.
    }
    off = !hasWorked;
    return undefined;
  }

  return {
    async get(key, mostMs) {
      if (off) return undefined;
      const url = await urlOf(key);
      return withCache(async (cache) => {
        const response = await cache.match(url);
        return response === undefined || !response.ok ? undefined : response.text();
      }, mostMs);
    },
    async put(key, value, ttlMs) {
      const ttlSeconds = Math.floor(ttlMs / 1000);
      if (off || ttlSeconds < 1 || value.length > maxValueBytes) return;
      const url = await urlOf(key);
      const headers = { 'cache-control': `max-age=${ttlSeconds}`, 'content-type': 'application/json' };
      await withCache((cache) => cache.put(url, new Response(value, { headers })));
    },
  };
}

const URL_SAFE_KEY = /^[A-Za-z0-9_-]{1,200}$/;

/** Keys that are already a hash stay as they are; anything else is hashed, so that no input ends up in a URL. */
async function urlOf(key: string): Promise<string> {
  if (URL_SAFE_KEY.test(key)) return `${ORIGIN}${key}`;
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(key));
  return `${ORIGIN}~${toHex(new Uint8Array(digest))}`;
}

function within<T>(work: Promise<T>, timeoutMs: number): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => resolve(undefined), timeoutMs);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
