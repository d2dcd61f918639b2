/**
 * Tensors as the native contract writes them, `[{name, datatype, shape, data}]`, against the model's specification.
 */
import { GatewayError } from '../../shared/errors.ts';
import { OpenInferenceError } from '../../shared/open-inference/protocol-error.ts';
import { readTensors } from '../../shared/open-inference/read-tensors.ts';
import type { ModelInputSpec } from '../../shared/schema/card.ts';
import type { TensorsInput } from '../../shared/schema/model-input.ts';
import { checkTensors } from '../../shared/open-inference/check-tensors.ts';

type TensorsSpec = Extract<ModelInputSpec, { kind: 'tensors' }>;

const encoder = new TextEncoder();

export function parseTensors(value: unknown, spec: TensorsSpec, field: string): TensorsInput {
  try {
    const tensors = readTensors(value, new Uint8Array(0), field, (text) => encoder.encode(text));
    checkTensors(tensors, spec.inputs, field);
    return { kind: 'tensors', tensors };
  } catch (error) {
    if (!(error instanceof OpenInferenceError)) throw error;
    throw new GatewayError('invalid_input', `${error.path} ${error.message}.`, { field: error.path });
  }
}
