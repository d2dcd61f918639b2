/**
 * Exact cache in two layers: the isolate's own memory, asked before deciding; the shared cache, asked only before an
 * attempt that leaves the isolate, because it costs more than an edge answer does.
 */
import type { Clock, LocalCache, SharedCache } from '../ports.ts';
import { sizeOf, storedFrom, textOf, type CachedAnswer, type StoredAnswer } from './stored-answer.ts';

/** Isolates' clocks differ by seconds at most; what was put later than that from now is of a clock that has gone back. */
const CLOCK_SKEW_MS = 60_000;

function isBetween(stored: StoredAnswer, untilMs: number, nowMs: number): boolean {
  return nowMs < untilMs && nowMs >= stored.putAtMs - CLOCK_SKEW_MS;
}

export type AnswerCache = {
  /** Fresh answers of this isolate. */
  local(key: string): CachedAnswer | undefined;
  /** Fresh answers of other isolates nearby; copied into this one. */
  shared(key: string, mostMs: number): Promise<CachedAnswer | undefined>;
  /** Answers past their freshness, for when everything failed. */
  stale(key: string): Promise<CachedAnswer | undefined>;
  put(
    key: string,
    answer: CachedAnswer,
    lifetime: { ttlMs: number; staleIfErrorMs: number; share: boolean },
  ): Promise<void>;
};

export function createAnswerCache(local: LocalCache<StoredAnswer>, shared: SharedCache, clock: Clock): AnswerCache {
  async function readShared(key: string, mostMs?: number): Promise<StoredAnswer | undefined> {
    const text = await shared.get(key, mostMs);
    return text === undefined ? undefined : storedFrom(text);
  }

  return {
    local(key) {
      const stored = local.get(key);
      return stored !== undefined && isBetween(stored, stored.freshUntilMs, clock.now()) ? stored.answer : undefined;
    },
    async shared(key, mostMs) {
      const stored = await readShared(key, mostMs);
      if (stored === undefined || !isBetween(stored, stored.freshUntilMs, clock.now())) return undefined;
      local.set(key, stored, sizeOf(key, stored));
      return stored.answer;
    },
    async stale(key) {
      const nowMs = clock.now();
      const own = local.get(key);
      if (own !== undefined && isBetween(own, own.staleUntilMs, nowMs)) return own.answer;
      const other = await readShared(key);
      return other !== undefined && isBetween(other, other.staleUntilMs, nowMs) ? other.answer : undefined;
    },
    async put(key, answer, lifetime) {
      const nowMs = clock.now();
      const freshUntilMs = nowMs + lifetime.ttlMs;
      const staleUntilMs = freshUntilMs + lifetime.staleIfErrorMs;
      const stored: StoredAnswer = { answer, putAtMs: nowMs, freshUntilMs, staleUntilMs };
      local.set(key, stored, sizeOf(key, stored));
      if (lifetime.share) await shared.put(key, textOf(stored), lifetime.ttlMs + lifetime.staleIfErrorMs);
    },
  };
}
