// What a loaded model keeps: its own memory, and nothing of the file it came from.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import type { Engine } from '../../../worker/engine/engine.ts';
import type { EngineModel } from '../../../worker/engine/model.ts';
import { encoder } from './encoder-source.ts';
import { engines } from './engines.ts';
import { hybFile } from './hyb-file.ts';

setFlagsFromString('--expose-gc');
const collect: unknown = runInNewContext('gc');

async function collectGarbage(): Promise<void> {
  // What was just awaited is still on the stack of this turn.
  await new Promise((resolve) => setTimeout(resolve, 0));
  if (typeof collect === 'function') collect();
}

const SHAPE = { headSize: 4, heads: 2, hidden: 12, layers: 2, maxTokens: 8, labels: 3, pool: 'mean', seed: 5 };

/** In a function of its own: what the test's own frame names would stay alive. */
async function loaded(engine: Engine): Promise<{ model: EngineModel; file: WeakRef<ArrayBuffer> }> {
  const bytes = hybFile(encoder(SHAPE));
  return { model: await engine.loadModel(bytes), file: new WeakRef(bytes) };
}

describe.each(engines)('a model loaded in $name', ({ engine }) => {
  it('lets go of the file', async () => {
    const { model, file } = await loaded(engine);
    await collectGarbage();
    expect(file.deref() === undefined).toBe(true);
    expect(model.logits({ kind: 'text', text: 'a b word' })).toHaveLength(3);
  });
});
