/** The platform's Cache API in memory, as far as an adapter relies on it: responses by URL, gone after their max-age. */
import type { Clock } from '../../worker/ports.ts';
import type { HttpCache } from '../../worker/store/cache-api.ts';

export type MemoryHttpCache = HttpCache & { readonly urls: readonly string[] };

export function createMemoryHttpCache(clock: Clock): MemoryHttpCache {
  const held = new Map<string, { body: string; headers: Headers; untilMs: number }>();
  return {
    get urls() {
      return [...held.keys()];
    },
    async match(url) {
      const entry = held.get(new URL(url).href);
      return entry === undefined || clock.now() >= entry.untilMs
        ? undefined
        : new Response(entry.body, { headers: entry.headers });
    },
    async put(url, response) {
      const maxAge = /max-age=(\d+)/.exec(response.headers.get('cache-control') ?? '')?.[1];
      if (maxAge === undefined) throw new TypeError('this cache keeps only what says how long');
      held.set(new URL(url).href, {
        body: await response.text(),
        headers: response.headers,
        untilMs: clock.now() + Number(maxAge) * 1_000,
      });
    },
  };
}
