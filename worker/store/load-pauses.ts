/**
 * Files that could not be loaded: left alone for a growing while, named once for each way they fail. Owns that memory;
 * leaves out loading.
 */
import type { Clock } from '../ports.ts';

export type LoadFailure = { readonly path: string; readonly code: string; readonly detail: string };

/** Why a file is not tried, and for how much longer. */
export type LoadPause = { readonly code: string; readonly retryAfterMs: number };

export type LoadPauses = {
  /** Undefined where it may be tried now. */
  of(key: string): LoadPause | undefined;
  /** Whether its last load failed, paused or not. */
  hasFailed(key: string): boolean;
  failed(key: string, path: string, error: unknown): LoadPause;
  loaded(key: string): void;
};

type Failure = { readonly code: string; readonly retryAtMs: number; readonly pauseMs: number };

const FIRST_PAUSE_MS = 1_000;
const MAX_PAUSE_MS = 60_000;

/** @param onFailure once for each way a file fails, until it was loaded */
export function createLoadPauses(clock: Clock, onFailure: (failure: LoadFailure) => void): LoadPauses {
  const failures = new Map<string, Failure>();
  return {
    of(key) {
      const failure = failures.get(key);
      if (failure === undefined) return undefined;
      const leftMs = failure.retryAtMs - clock.now();
      return leftMs > 0 ? { code: failure.code, retryAfterMs: leftMs } : undefined;
    },
    hasFailed: (key) => failures.has(key),
    failed(key, path, error) {
      const before = failures.get(key);
      const pauseMs = before === undefined ? FIRST_PAUSE_MS : Math.min(2 * before.pauseMs, MAX_PAUSE_MS);
      const code = codeOf(error);
      failures.set(key, { code, pauseMs, retryAtMs: clock.now() + pauseMs });
      if (before?.code !== code) onFailure({ path, code, detail: detailOf(error) });
      return { code, retryAfterMs: pauseMs };
    },
    loaded: (key) => void failures.delete(key),
  };
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'model_failed';
}

function detailOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message}: ${detailOf(error.cause)}`;
}
