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
import { createLoadPauses } from '../store/load-pauses.ts';
import type { LoadFailure, LoadPause } from '../store/load-pauses.ts';

type Held = { readonly kind: 'ready'; readonly model: EngineModel } | (LoadPause & { readonly kind: 'broken' });

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

type Load = { readonly startedAtMs: number; readonly held: Promise<Held> };

/** Where the runtime ends a load with its request after all, it never settles. */
const ABANDONED_AFTER_MS = 10_000;
/** What loading costs before it was seen: reading, two digests, laying out. Measured in workerd (npm run bench). */
const LOAD_BASE_MS = 4;
const LOAD_BYTES_PER_MS = 250_000;

export function createModelShelf(options: ModelShelfOptions): ModelShelf {
  const { pool, clock } = options;
  const loads = new Map<string, Load>();
  const pauses = createLoadPauses(clock, options.onFailure);
  const seenMs = new Map<string, number>();

  async function load(file: WeightsFile, startedAtMs: number): Promise<Held> {
    const key = file.sha256;
    try {
      const model = await pool.get(key, () => options.read(file));
      pauses.loaded(key);
      seenMs.set(key, clock.now() - startedAtMs);
      return { kind: 'ready', model };
    } catch (error) {
      return { kind: 'broken', ...pauses.failed(key, file.weights.path, error) };
    } finally {
      if (loads.get(key)?.startedAtMs === startedAtMs) loads.delete(key);
    }
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

  return {
    take: (file) => pool.take(file.sha256),
    get(file) {
      const model = pool.take(file.sha256);
      if (model !== undefined) return Promise.resolve({ kind: 'ready', model });
      const nowMs = clock.now();
      const begun = running(file, nowMs);
      if (begun !== undefined) return begun.held;
      const pause = pauses.of(file.sha256);
      if (pause !== undefined) return Promise.resolve({ kind: 'broken', ...pause });
      pool.forget(file.sha256);
      return begin(file, nowMs);
    },
    cold(file, priorMs) {
      if (pool.has(file.sha256)) return undefined;
      const nowMs = clock.now();
      const pause = pauses.of(file.sha256);
      if (pause !== undefined) return { kind: 'broken', retryAfterMs: pause.retryAfterMs };
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
      return pauses.hasFailed(file.sha256) ? 'broken' : 'not_loaded';
    },
  };
}
