/**
 * Tensors against a model's specification: every input once, of the datatype and shape it says; nothing else.
 */
import { OpenInferenceError } from './protocol-error.ts';
import type { TensorSpec } from '../schema/card.ts';
import type { NamedTensor } from '../schema/tensor.ts';

/** @throws OpenInferenceError naming the first tensor that does not fit */
export function checkTensors(tensors: readonly NamedTensor[], specs: readonly TensorSpec[], field: string): void {
  const seen = new Set<string>();
  for (const [index, tensor] of tensors.entries()) {
    const path = `${field}[${index}]`;
    const spec = specs.find(({ name }) => name === tensor.name);
    if (spec === undefined) {
      const known = specs.map(({ name }) => name).join(', ');
      throw new OpenInferenceError(`${path}.name`, `names no input of the model, which has ${known}`);
    }
    if (seen.has(tensor.name)) throw new OpenInferenceError(`${path}.name`, 'is given twice');
    seen.add(tensor.name);
    if (spec.datatype !== tensor.datatype) throw new OpenInferenceError(`${path}.datatype`, `must be ${spec.datatype}`);
    if (!fits(tensor.shape, spec.shape)) {
      throw new OpenInferenceError(`${path}.shape`, `must be [${spec.shape.join(', ')}], -1 standing for any length`);
    }
  }
  const missing = specs.find(({ name }) => !seen.has(name));
  if (missing !== undefined) throw new OpenInferenceError(field, `lack the input ${missing.name}`);
}

function fits(shape: readonly number[], spec: readonly number[]): boolean {
  return shape.length === spec.length && spec.every((length, index) => length === -1 || length === shape[index]);
}
