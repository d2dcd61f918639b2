/**
 * Whether a place can take a model's inputs at all, by how it is asked. Owns that table; which inputs fit which task is
 * check-config.ts. Adapters refuse what they do not take, but then every request would find out.
 */
import type { ModelSpec, TargetSpec } from '../schema/config.ts';

type InputKind = ModelSpec['input']['kind'];
type Endpoint = TargetSpec['endpoint'];

/** Undefined where it can, else what the place takes. */
export function inputsTakenInstead(endpoint: Endpoint, kind: InputKind): readonly InputKind[] | undefined {
  const taken = inputsTaken(endpoint);
  return taken.includes(kind) ? undefined : taken;
}

function inputsTaken(endpoint: Endpoint): readonly InputKind[] {
  switch (endpoint.kind) {
    case 'edge':
      return endpoint.runtime === 'onnx' ? ['text', 'image', 'numbers', 'tensors'] : ['text', 'image'];
    case 'lambda':
      return MODEL_SERVER;
    case 'sagemaker':
      return endpoint.speaks === 'chat_completions' ? ['chat'] : MODEL_SERVER;
    case 'gpu':
      return ['text', 'image', 'numbers', 'tensors'];
    case 'mcu':
      return ['text', 'image', 'numbers'];
  }
}

const MODEL_SERVER: readonly InputKind[] = ['text', 'image', 'numbers'];
