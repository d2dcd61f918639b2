/** Engine models that tests write themselves, on the real shelf and pool: what is loaded, when and how often is the real thing. */
import type { WeightsFile } from '../../shared/schema/weights.ts';
import { EngineInputError } from '../../worker/engine/errors.ts';
import type { EngineModel } from '../../worker/engine/model.ts';
import { createModelPool } from '../../worker/engine/model-pool.ts';
import type { Clock } from '../../worker/ports.ts';
import { createModelShelf } from '../../worker/targets/model-shelf.ts';
import type { LoadFailure } from '../../worker/store/load-pauses.ts';
import type { ModelShelf } from '../../worker/targets/model-shelf.ts';

export type Load = (file: WeightsFile) => Promise<EngineModel>;

export function fakeModel(labels: readonly string[], classify: EngineModel['classify']): EngineModel {
  const info = {
    model: 'fake',
    variant: 'micro',
    version: '1',
    sizeBytes: 1,
    workingBytes: 1,
    outOfScopeLabel: null,
    outputs: 1,
  };
  return {
    info: { ...info, task: 'text_classification', labels },
    classify,
    embed() {
      throw new EngineInputError('gives labels, not vectors');
    },
    logits: (input) => classify(input).probabilities,
  };
}

export function shelfOf(
  load: Load,
  clock: Clock,
  onFailure: (failure: LoadFailure) => void = () => undefined,
): ModelShelf {
  const files = new WeakMap<ArrayBuffer, WeightsFile>();
  return createModelShelf({
    pool: createModelPool({
      async loadModel(bytes) {
        const file = files.get(bytes);
        if (file === undefined) throw new Error('the pool loads what was not read');
        return load(file);
      },
    }),
    async read(file) {
      const bytes = new ArrayBuffer(1);
      files.set(bytes, file);
      return bytes;
    },
    clock,
    keepAlive: () => undefined,
    onFailure,
  });
}
