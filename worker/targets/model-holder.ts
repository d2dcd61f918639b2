/**
 * One engine model of this isolate: loaded on first use, by one loader at a time, left alone for a while after a
 * failure. Owns that life cycle; leaves out what the model does.
 */
import type { EngineModel } from '../engine/model.ts';
import type { Clock } from '../ports.ts';

/** What a target needs of an engine model. */
export type EdgeModel = Pick<EngineModel, 'classify'>;

export type EdgeModelLoader = () => Promise<EdgeModel>;

type Held =
  | { readonly kind: 'ready'; readonly model: EdgeModel }
  | { readonly kind: 'broken'; readonly retryAfterMs: number };

export type ModelHolder = {
  get(): Promise<Held>;
  /** The model, where it is there already. */
  loaded(): EdgeModel | undefined;
  state(): 'not_loaded' | 'loading' | 'loaded' | 'broken';
};

type State =
  | { readonly kind: 'not_loaded' }
  | { readonly kind: 'loading'; readonly startedAtMs: number; readonly held: Promise<Held> }
  | { readonly kind: 'loaded'; readonly model: EdgeModel }
  | { readonly kind: 'broken'; readonly retryAtMs: number };

/** A load belongs to the request that began it; when workerd ends that request the load may never settle. */
const ABANDONED_AFTER_MS = 10_000;

export function createModelHolder(load: EdgeModelLoader, clock: Clock, reloadPauseMs: number): ModelHolder {
  let state: State = { kind: 'not_loaded' };

  async function loadOnce(): Promise<Held> {
    // Let the caller store the loading state first, so that a loader that settles at once is not overwritten by it.
    await Promise.resolve();
    try {
      const model = await load();
      state = { kind: 'loaded', model };
      return { kind: 'ready', model };
    } catch {
      state = { kind: 'broken', retryAtMs: clock.now() + reloadPauseMs };
      return { kind: 'broken', retryAfterMs: reloadPauseMs };
    }
  }

  function start(nowMs: number): Promise<Held> {
    const held = loadOnce();
    state = { kind: 'loading', startedAtMs: nowMs, held };
    return held;
  }

  return {
    get() {
      if (state.kind === 'loaded') return Promise.resolve({ kind: 'ready', model: state.model });
      const nowMs = clock.now();
      if (state.kind === 'loading') return nowMs - state.startedAtMs < ABANDONED_AFTER_MS ? state.held : start(nowMs);
      if (state.kind === 'broken' && nowMs < state.retryAtMs) {
        return Promise.resolve({ kind: 'broken', retryAfterMs: state.retryAtMs - nowMs });
      }
      return start(nowMs);
    },
    loaded: () => (state.kind === 'loaded' ? state.model : undefined),
    state: () => state.kind,
  };
}
