/**
 * Exact cache in two layers: the isolate's own memory, asked before deciding; the shared cache, asked only before an
 * attempt that leaves the isolate, because it costs more than an edge answer does.
 */
import type { AnsweredItem, TargetUsed } from '../../shared/schema/infer-result.ts';
import type { Clock, LocalCache, SharedCache } from '../ports.ts';

/** What is kept of an answer. Only whole, accepted answers are kept. */
export type CachedAnswer = {
  readonly items: readonly AnsweredItem[];
  readonly variant: string;
  readonly targetUsed: TargetUsed;
  readonly cloudOnlyCostNanos: number;
};

export type StoredAnswer = {
  readonly answer: CachedAnswer;
  readonly putAtMs: number;
  readonly freshUntilMs: number;
  readonly staleUntilMs: number;
};

/** Isolates' clocks differ by seconds at most; what was put later than that from now is of a clock that has gone back. */
const CLOCK_SKEW_MS = 60_000;

function isBetween(stored: StoredAnswer, untilMs: number, nowMs: number): boolean {
  return nowMs < untilMs && nowMs >= stored.putAtMs - CLOCK_SKEW_MS;
}

export type AnswerCache = {
  /** Fresh answers of this isolate. */
  local(key: string): CachedAnswer | undefined;
  /** Fresh answers of other isolates nearby; copied into this one. */
  shared(key: string): Promise<CachedAnswer | undefined>;
  /** Answers past their freshness, for when everything failed. */
  stale(key: string): Promise<CachedAnswer | undefined>;
  put(
    key: string,
    answer: CachedAnswer,
    lifetime: { ttlMs: number; staleIfErrorMs: number; share: boolean },
  ): Promise<void>;
};

export function createAnswerCache(local: LocalCache<StoredAnswer>, shared: SharedCache, clock: Clock): AnswerCache {
  async function readShared(key: string): Promise<StoredAnswer | undefined> {
    const text = await shared.get(key);
    if (text === undefined) return undefined;
    try {
      const stored: unknown = JSON.parse(text);
      return isStoredAnswer(stored) ? stored : undefined;
    } catch {
      return undefined;
    }
  }

  return {
    local(key) {
      const stored = local.get(key);
      return stored !== undefined && isBetween(stored, stored.freshUntilMs, clock.now()) ? stored.answer : undefined;
    },
    async shared(key) {
      const stored = await readShared(key);
      if (stored === undefined || !isBetween(stored, stored.freshUntilMs, clock.now())) return undefined;
      local.set(key, stored, sizeOf(key, stored));
      return stored.answer;
    },
    async stale(key) {
      const stored = local.get(key) ?? (await readShared(key));
      return stored !== undefined && isBetween(stored, stored.staleUntilMs, clock.now()) ? stored.answer : undefined;
    },
    async put(key, answer, lifetime) {
      const nowMs = clock.now();
      const freshUntilMs = nowMs + lifetime.ttlMs;
      const staleUntilMs = freshUntilMs + lifetime.staleIfErrorMs;
      const stored: StoredAnswer = { answer, putAtMs: nowMs, freshUntilMs, staleUntilMs };
      local.set(key, stored, sizeOf(key, stored));
      if (lifetime.share) await shared.put(key, JSON.stringify(stored), lifetime.ttlMs + lifetime.staleIfErrorMs);
    },
  };
}

/** Written by this code under a key only it can form, so the outline is enough: a cut or foreign value is a miss. */
function isStoredAnswer(value: unknown): value is StoredAnswer {
  if (typeof value !== 'object' || value === null || !('putAtMs' in value) || !('answer' in value)) return false;
  const { answer } = value;
  return typeof answer === 'object' && answer !== null && 'items' in answer && Array.isArray(answer.items);
}

/** Rough bytes in memory: what matters is that large answers count more. */
function sizeOf(key: string, stored: StoredAnswer): number {
  const BYTES_PER_ITEM = 400;
  return 2 * key.length + BYTES_PER_ITEM * (1 + stored.answer.items.length);
}
