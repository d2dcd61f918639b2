// Owns which models stay loaded in this isolate: together within a budget, the least recently used leave first.
// Where a model's bytes come from is the caller's; a model in use when it leaves lives until its answer is given.

import type { Engine } from './engine.ts';
import { EngineMemoryError } from './errors.ts';
import type { EngineModel } from './model.ts';

/** Of the 128 MB of an isolate; the rest is the worker's own. */
const BUDGET_BYTES = 96 * 1024 * 1024;

export type ModelPool = {
  /** The loaded model, or `read` and load it: once, however many ask meanwhile. A failure is not remembered. */
  get(key: string, read: () => Promise<ArrayBuffer>): Promise<EngineModel>;
  /** What is loaded, the least recently used first. */
  loaded(): readonly { readonly key: string; readonly workingBytes: number }[];
};

type Entry = { readonly model: Promise<EngineModel>; workingBytes: number };

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
    const entry: Entry = { workingBytes: 0, model: begin() };
    async function begin(): Promise<EngineModel> {
      const bytes = await read();
      return engine.loadModel(bytes, (workingBytes) => makeRoom(key, entry, workingBytes));
    }
    entry.model.catch(() => {
      if (entries.get(key) === entry) entries.delete(key);
    });
    return entry;
  }

  return {
    get(key, read) {
      const entry = entries.get(key) ?? load(key, read);
      entries.delete(key);
      entries.set(key, entry);
      return entry.model;
    },
    loaded: () =>
      [...entries].flatMap(([key, { workingBytes }]) => (workingBytes === 0 ? [] : [{ key, workingBytes }])),
  };
}
