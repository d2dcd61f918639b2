/**
 * What each kind of model looks like as named tensors: inputs and outputs of its metadata, and of its requests.
 */
import type { ModelInputSpec, TensorSpec } from '../schema/card.ts';
import { isClassification, type Task } from '../schema/task.ts';

type Described = { readonly task: Task; readonly input: ModelInputSpec };

export function inputTensors({ input }: Described): readonly TensorSpec[] {
  switch (input.kind) {
    case 'text':
      return [{ name: 'text', datatype: 'BYTES', shape: [-1] }];
    case 'image':
      return [{ name: 'image', datatype: 'FP32', shape: [-1, input.height, input.width, input.channels] }];
    case 'numbers':
      return [{ name: 'features', datatype: 'FP32', shape: [-1, input.size] }];
    case 'tensors':
      return input.inputs;
    case 'chat':
      return [{ name: 'prompt', datatype: 'BYTES', shape: [1] }];
  }
}

export function outputTensors(model: Described): readonly TensorSpec[] {
  if (model.input.kind === 'tensors') return model.input.outputs;
  if (isClassification(model.task)) {
    return [
      { name: 'label', datatype: 'BYTES', shape: [-1] },
      { name: 'confidence', datatype: 'FP32', shape: [-1] },
    ];
  }
  return model.task === 'sentence_embedding'
    ? [{ name: 'embedding', datatype: 'FP32', shape: [-1, -1] }]
    : [{ name: 'text', datatype: 'BYTES', shape: [1] }];
}
