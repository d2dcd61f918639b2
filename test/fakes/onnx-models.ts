/** ONNX files that answer as sample-call.ts says, and calls whose model says where they are. */
import { toHex } from '../../shared/hash/sha256.ts';
import type { ModelSpec } from '../../shared/schema/config.ts';
import type { OnnxSpec, WeightsFile } from '../../shared/schema/weights.ts';
import { onnxFile } from '../cli/onnx/onnx-file.ts';
import type { NodeSource, TensorSource } from '../cli/onnx/onnx-file.ts';

const INT64 = 7;

export const MOOD_VOCABULARY = '[PAD]\n[UNK]\n[CLS]\n[SEP]\nyes\nno\n';

/** `probabilities` of yes, no and oos by the first piece after [CLS]. */
export function moodFile(): Uint8Array {
  const nodes: NodeSource[] = [
    { op: 'Gather', inputs: ['input_ids', 'first'], outputs: ['piece'], attributes: { axis: 1 } },
    { op: 'Gather', inputs: ['table', 'piece'], outputs: ['probabilities'] },
  ];
  const [other, yes, no] = [
    [0.125, 0.125, 0.75],
    [0.75, 0.125, 0.125],
    [0.125, 0.75, 0.125],
  ];
  const table = [other, other, other, other, yes, no].flat().map((value) => value ?? 0);
  const constants: Record<string, TensorSource> = {
    first: { dims: [], values: [1], type: 'int64' },
    table: { dims: [6, 3], values: table },
  };
  const inputs = [{ name: 'input_ids', dims: [1, 0], elementType: INT64 }];
  return onnxFile({ nodes, constants, inputs, outputs: ['probabilities'] });
}

/** `probabilities` of dark and light by the first pixel. */
export function dotsFile(): Uint8Array {
  const nodes: NodeSource[] = [
    { op: 'Flatten', inputs: ['image'], outputs: ['flat'] },
    { op: 'Gather', inputs: ['flat', 'first'], outputs: ['pixel'], attributes: { axis: 1 } },
    { op: 'Greater', inputs: ['pixel', 'half'], outputs: ['light'] },
    { op: 'Cast', inputs: ['light'], outputs: ['row'], attributes: { to: INT64 } },
    { op: 'Gather', inputs: ['table', 'row'], outputs: ['probabilities'] },
  ];
  const constants: Record<string, TensorSource> = {
    first: { dims: [], values: [0], type: 'int64' },
    half: { dims: [], values: [0.5] },
    table: { dims: [2, 2], values: [0.75, 0.25, 0.25, 0.75] },
  };
  return onnxFile({ nodes, constants, inputs: [{ name: 'image', dims: [1, 1, 2, 3] }], outputs: ['probabilities'] });
}

/** `wide`: each of its numbers 4,096 times. A small input makes a large answer. */
export function wideningFile(): Uint8Array {
  const nodes: NodeSource[] = [{ op: 'MatMul', inputs: ['numbers', 'ones'], outputs: ['wide'] }];
  const constants: Record<string, TensorSource> = {
    ones: { dims: [1, 4_096], values: Array.from({ length: 4_096 }, () => 1) },
  };
  return onnxFile({ nodes, constants, inputs: [{ name: 'numbers', dims: [0, 1] }], outputs: ['wide'] });
}

export async function fileInR2(path: string, bytes: Uint8Array | ArrayBuffer): Promise<WeightsFile> {
  const copy = new Uint8Array(bytes).slice();
  const sha256 = toHex(new Uint8Array(await crypto.subtle.digest('SHA-256', copy)));
  return { weights: { kind: 'r2', path }, size_bytes: copy.byteLength, sha256 };
}

/** The model, its variant `micro` being this file. */
export function servedFrom(model: ModelSpec, file: WeightsFile, onnx: OnnxSpec): ModelSpec {
  return {
    ...model,
    variants: model.variants.map((variant) => (variant.name === 'micro' ? { ...variant, ...file, onnx } : variant)),
  };
}
