/**
 * The engine models of this isolate by the digest of their file: loaded when first asked for, by one load at a time, kept
 * while the pool has room, left alone for a growing while after a failure. Owns that life cycle; leaves out where bytes
 * come from, what stays loaded (the pool's business) and what a model does.
 */
import type { ColdModel } from '../../shared/decide/facts.ts';
import type { WeightsFile } from '../../shared/schema/weights.ts';
import type { EngineModel } from '../engine/model.ts';
import type { ModelPool } from '../engine/model-pool.ts';
import type { Clock, KeepAlive } from '../ports.ts';

type Held =
  | { readonly kind: 'ready'; readonly model: EngineModel }
  | { readonly kind: 'broken'; readonly code: string; readonly retryAfterMs: number };

export type ModelShelf = {
  /** The model, where it is loaded. Keep no reference: see ModelPool. */
  take(file: WeightsFile): EngineModel | undefined;
  get(file: WeightsFile): Promise<Held>;
  /** Undefined where it is loaded. @param priorMs how long loading takes, before it was seen once */
  cold(file: WeightsFile, priorMs: number | undefined): ColdModel | undefined;
  state(file: WeightsFile): 'not_loaded' | 'loading' | 'loaded' | 'broken';
};

export type ModelShelfOptions = {
  readonly pool: ModelPool;
  readonly read: (file: WeightsFile) => Promise<ArrayBuffer>;
  readonly clock: Clock;
  /** A load belongs to nobody: the request that began it may leave. */
  readonly keepAlive: KeepAlive;
  /** Once for each way a file fails, until it was loaded. */
  readonly onFailure: (failure: LoadFailure) => void;
};

export type LoadFailure = { readonly path: string; readonly code: string; readonly detail: string };

type Load = { readonly startedAtMs: number; readonly held: Promise<Held> };
type Failure = { readonly code: string; readonly retryAtMs: number; readonly pauseMs: number };

const FIRST_PAUSE_MS = 1_000;
const MAX_PAUSE_MS = 60_000;
/** Where the runtime ends a load with its request after all, it never settles. */
const ABANDONED_AFTER_MS = 10_000;
/** What loading costs before it was seen: reading, two digests, laying out. Measured in workerd (npm run bench). */
const LOAD_BASE_MS = 4;
const LOAD_BYTES_PER_MS = 250_000;

export function createModelShelf(options: ModelShelfOptions): ModelShelf {
  const { pool, clock } = options;
  const loads = new Map<string, Load>();
  const failures = new Map<string, Failure>();
  const seenMs = new Map<string, number>();

  async function load(file: WeightsFile, startedAtMs: number): Promise<Held> {
    const key = file.sha256;
    try {
      const model = await pool.get(key, () => options.read(file));
      failures.delete(key);
      seenMs.set(key, clock.now() - startedAtMs);
      return { kind: 'ready', model };
    } catch (error) {
      return broken(file, error);
    } finally {
      if (loads.get(key)?.startedAtMs === startedAtMs) loads.delete(key);
    }
  }

  function broken(file: WeightsFile, error: unknown): Held {
    const before = failures.get(file.sha256);
    const pauseMs = before === undefined ? FIRST_PAUSE_MS : Math.min(2 * before.pauseMs, MAX_PAUSE_MS);
    const code = codeOf(error);
    failures.set(file.sha256, { code, pauseMs, retryAtMs: clock.now() + pauseMs });
    if (before?.code !== code) options.onFailure({ path: file.weights.path, code, detail: detailOf(error) });
    return { kind: 'broken', code, retryAfterMs: pauseMs };
  }

  function begin(file: WeightsFile, nowMs: number): Promise<Held> {
    // Nothing of the load runs before it is written down, so that a reader that fails at once finds it.
    const held = Promise.resolve().then(() => load(file, nowMs));
    loads.set(file.sha256, { startedAtMs: nowMs, held });
    options.keepAlive(held.then(() => undefined));
    return held;
  }

  function running(file: WeightsFile, nowMs: number): Load | undefined {
    const found = loads.get(file.sha256);
    return found !== undefined && nowMs - found.startedAtMs < ABANDONED_AFTER_MS ? found : undefined;
  }

  function resting(file: WeightsFile, nowMs: number): Failure | undefined {
    const failure = failures.get(file.sha256);
    return failure !== undefined && nowMs < failure.retryAtMs ? failure : undefined;
  }

  return {
    take: (file) => pool.take(file.sha256),
    get(file) {
      const model = pool.take(file.sha256);
      if (model !== undefined) return Promise.resolve({ kind: 'ready', model });
      const nowMs = clock.now();
      const begun = running(file, nowMs);
      if (begun !== undefined) return begun.held;
      const failure = resting(file, nowMs);
      if (failure !== undefined) {
        return Promise.resolve({ kind: 'broken', code: failure.code, retryAfterMs: failure.retryAtMs - nowMs });
      }
      pool.forget(file.sha256);
      return begin(file, nowMs);
    },
    cold(file, priorMs) {
      if (pool.has(file.sha256)) return undefined;
      const nowMs = clock.now();
      const failure = resting(file, nowMs);
      if (failure !== undefined) return { kind: 'broken', retryAfterMs: failure.retryAtMs - nowMs };
      const wholeMs = seenMs.get(file.sha256) ?? priorMs ?? LOAD_BASE_MS + file.size_bytes / LOAD_BYTES_PER_MS;
      const begun = running(file, nowMs);
      // One that takes longer than expected is still not there: a quarter more, again and again.
      const leftMs = begun === undefined ? wholeMs : Math.max(wholeMs / 4, wholeMs - (nowMs - begun.startedAtMs));
      return { kind: 'loading', loadMs: leftMs };
    },
    state(file) {
      if (pool.has(file.sha256)) return 'loaded';
      const nowMs = clock.now();
      if (running(file, nowMs) !== undefined) return 'loading';
      return failures.has(file.sha256) ? 'broken' : 'not_loaded';
    },
  };
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'model_failed';
}

function detailOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message}: ${detailOf(error.cause)}`;
}
