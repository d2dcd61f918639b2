/** The shared cache in memory, forgetting by the given clock. */
import type { Clock, SharedCache } from '../../worker/ports.ts';

export function createMemorySharedCache(clock: Clock): SharedCache {
  const held = new Map<string, { value: string; untilMs: number }>();
  return {
    async get(key) {
      const entry = held.get(key);
      return entry !== undefined && clock.now() < entry.untilMs ? entry.value : undefined;
    },
    async put(key, value, ttlMs) {
      if (ttlMs >= 1_000) held.set(key, { value, untilMs: clock.now() + ttlMs });
    },
  };
}
