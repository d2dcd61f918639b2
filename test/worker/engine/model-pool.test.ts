// Models sharing one isolate: what is loaded, what leaves, and what happens to those who ask meanwhile.

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Engine } from '../../../worker/engine/engine.ts';
import { createEngine } from '../../../worker/engine/engine.ts';
import { EngineMemoryError, ModelFormatError } from '../../../worker/engine/errors.ts';
import { createModelPool } from '../../../worker/engine/model-pool.ts';
import { hybFile, tinyText } from './hyb-file.ts';

const FILE = hybFile(tinyText());
const ONE = (await createEngine().loadModel(FILE)).info.workingBytes;

function keysOf(pool: ReturnType<typeof createModelPool>): string[] {
  return pool.loaded().map(({ key }) => key);
}

describe('the pool', () => {
  it('loads a model once for all who ask at the same time, and keeps it', async () => {
    let reads = 0;
    const pool = createModelPool(createEngine());
    const read = async (): Promise<ArrayBuffer> => {
      reads += 1;
      return FILE;
    };
    const [a, b] = await Promise.all([pool.get('a', read), pool.get('a', read)]);
    expect(await pool.get('a', read)).toBe(a);
    expect(a).toBe(b);
    expect(reads).toBe(1);
    expect(pool.loaded()).toEqual([{ key: 'a', workingBytes: ONE }]);
  });

  it('lets the least recently used leave, before the memory of the new one is taken', async () => {
    const taken: string[][] = [];
    const inner = createEngine();
    const engine: Engine = {
      loadModel: (bytes, admit) =>
        inner.loadModel(bytes, (workingBytes) => {
          admit?.(workingBytes);
          taken.push(keysOf(pool));
        }),
    };
    const pool = createModelPool(engine, 2 * ONE);
    const read = async (): Promise<ArrayBuffer> => FILE;
    await pool.get('a', read);
    await pool.get('b', read);
    await pool.get('a', read);
    await pool.get('c', read);
    expect(keysOf(pool)).toEqual(['a', 'c']);
    expect(taken.at(-1)).toEqual(['a', 'c']);
  });

  it('hands out what is loaded at once, and counts that as a use', async () => {
    const pool = createModelPool(createEngine(), 2 * ONE);
    expect(pool.take('a')).toBeUndefined();
    const loading = pool.get('a', async () => FILE);
    expect(pool.take('a')).toBeUndefined();
    const first = await loading;
    await pool.get('b', async () => FILE);
    expect(pool.take('a')).toBe(first);
    await pool.get('c', async () => FILE);
    expect(keysOf(pool)).toEqual(['a', 'c']);
    expect(pool.take('b')).toBeUndefined();
  });

  it('begins again after a load that never settles was forgotten', async () => {
    const pool = createModelPool(createEngine());
    void pool.get('a', () => new Promise<ArrayBuffer>(() => {}));
    pool.forget('a');
    expect((await pool.get('a', async () => FILE)).info.model).toBe('tiny');
  });

  it('answers from a model that left while it was in use', async () => {
    const pool = createModelPool(createEngine(), ONE);
    const first = await pool.get('a', async () => FILE);
    await pool.get('b', async () => FILE);
    expect(keysOf(pool)).toEqual(['b']);
    expect(first.classify({ kind: 'text', text: 'hello' }).confidence).toBeGreaterThan(0);
  });

  it('refuses what does not fit even alone, and keeps the others', async () => {
    const pool = createModelPool(createEngine(), ONE);
    await pool.get('a', async () => FILE);
    const huge: Engine = createEngine();
    const large = createModelPool(huge, ONE - 1);
    await expect(large.get('a', async () => FILE)).rejects.toThrow(EngineMemoryError);
    expect(keysOf(large)).toEqual([]);
    expect(keysOf(pool)).toEqual(['a']);
  });

  it('does not remember a failure: the next who asks reads again', async () => {
    const pool = createModelPool(createEngine());
    await expect(pool.get('a', async () => new ArrayBuffer(3))).rejects.toThrow(ModelFormatError);
    await expect(
      pool.get('a', async () => {
        throw new Error('not found');
      }),
    ).rejects.toThrow('not found');
    expect((await pool.get('a', async () => FILE)).info.model).toBe('tiny');
  });

  it('never holds more than its budget, whatever is asked in whatever order', async () => {
    const asked = fc.array(fc.nat({ max: 6 }), { maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(asked, fc.integer({ min: 1, max: 4 }), fc.boolean(), async (keys, room, together) => {
        const pool = createModelPool(createEngine(), room * ONE);
        const asking = keys.map((key) => () => pool.get(`model-${key}`, async () => FILE));
        if (together) await Promise.all(asking.map((ask) => ask()));
        else for (const ask of asking) await ask();
        const used = pool.loaded().reduce((sum, { workingBytes }) => sum + workingBytes, 0);
        expect(used).toBeLessThanOrEqual(room * ONE);
        expect(pool.loaded()).toHaveLength(Math.min(new Set(keys).size, room));
        if (!together) expect(keysOf(pool).at(-1)).toBe(keys.length === 0 ? undefined : `model-${keys.at(-1)}`);
      }),
      { numRuns: 60 },
    );
  });
});
