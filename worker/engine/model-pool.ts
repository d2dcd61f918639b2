// Owns which models stay loaded in this isolate: together within a budget, the least recently used leave first.
// Where a model's bytes come from is the caller's; a model in use when it leaves lives until its answer is given.

import type { Engine } from './engine.ts';
import { EngineMemoryError } from './errors.ts';
import type { EngineModel } from './model.ts';

/** Of the 128 MB of an isolate; the rest is the worker's own. */
const BUDGET_BYTES = 96 * 1024 * 1024;

export type ModelPool = {
  /** The model, where it is loaded. Ask before every use and keep no reference: what left would go on taking memory. */
  take(key: string): EngineModel | undefined;
  /** Whether it is loaded; unlike `take` no use of it. */
  has(key: string): boolean;
  /** The loaded model, or `read` and load it: once, however many ask meanwhile. A failure is not remembered. */
  get(key: string, read: () => Promise<ArrayBuffer>): Promise<EngineModel>;
  /** The next `get` reads again. For a load that may never settle, as workerd leaves one whose request ended. */
  forget(key: string): void;
  /** What is loaded, the least recently used first. */
  loaded(): readonly { readonly key: string; readonly workingBytes: number }[];
};

type Entry = { readonly model: Promise<EngineModel>; ready: EngineModel | undefined; workingBytes: number };

export function createModelPool(engine: Engine, budgetBytes = BUDGET_BYTES): ModelPool {
  // In the order of last use, as a Map keeps what is put back at its end.
  const entries = new Map<string, Entry>();

  /** Called when the size is known and nothing is allocated yet, so that the old and the new are never there together. */
  function makeRoom(key: string, entry: Entry, workingBytes: number): void {
    if (workingBytes > budgetBytes) throw new EngineMemoryError(key, workingBytes, budgetBytes);
    let used = workingBytes;
    for (const other of entries.values()) used += other.workingBytes;
    for (const [old, other] of entries) {
      if (used <= budgetBytes) break;
      // What has no size yet is still being read: removing it would free nothing.
      if (other.workingBytes === 0) continue;
      entries.delete(old);
      used -= other.workingBytes;
    }
    entry.workingBytes = workingBytes;
  }

  function load(key: string, read: () => Promise<ArrayBuffer>): Entry {
    const entry: Entry = { workingBytes: 0, ready: undefined, model: begin() };
    async function begin(): Promise<EngineModel> {
      const bytes = await read();
      entry.ready = await engine.loadModel(bytes, (workingBytes) => makeRoom(key, entry, workingBytes));
      return entry.ready;
    }
    entry.model.catch(() => {
      if (entries.get(key) === entry) entries.delete(key);
    });
    return entry;
  }

  function touched(key: string, entry: Entry): Entry {
    entries.delete(key);
    entries.set(key, entry);
    return entry;
  }

  return {
    take(key) {
      const entry = entries.get(key);
      return entry?.ready === undefined ? undefined : touched(key, entry).ready;
    },
    has: (key) => entries.get(key)?.ready !== undefined,
    get: (key, read) => touched(key, entries.get(key) ?? load(key, read)).model,
    forget(key) {
      entries.delete(key);
    },
    loaded: () =>
      [...entries].flatMap(([key, { workingBytes }]) => (workingBytes === 0 ? [] : [{ key, workingBytes }])),
  };
}
