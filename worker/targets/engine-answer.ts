/**
 * Between the gateway's inputs and answers and the engine's. Owns the translation only.
 */
import type { ModelSpec } from '../../shared/schema/config.ts';
import type { ModelInput } from '../../shared/schema/model-input.ts';
import type { Prediction } from '../../shared/schema/prediction.ts';
import { TOP_COUNT } from '../../shared/schema/prediction.ts';
import type { EngineModel, ModelInput as EngineInput } from '../engine/model.ts';
import { top } from '../engine/top.ts';

/** Undefined where the engine takes no such input. */
export function toEngineInputs(input: ModelInput): readonly EngineInput[] | undefined {
  switch (input.kind) {
    case 'text':
      return input.texts.map((text) => ({ kind: 'text', text }));
    case 'image':
      return input.images.map((pixels) => ({ kind: 'image', pixels }));
    case 'numbers':
    case 'tensors':
    case 'chat':
      return undefined;
  }
}

export function predict(model: EngineModel, input: EngineInput, spec: ModelSpec): Prediction {
  if (spec.task === 'sentence_embedding') {
    const { vector, truncated } = model.embed(input);
    return { kind: 'embedding', embedding: Array.from(vector), confidence: 1, truncated };
  }
  const { label, confidence, probabilities, truncated } = model.classify(input);
  return { kind: 'class', label, confidence, top: top(probabilities, spec.labels, TOP_COUNT), truncated };
}
