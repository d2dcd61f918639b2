/**
 * The tensors of a request -> the model's own kind of input. Shapes and datatypes are checked against its metadata.
 */
import { OpenInferenceError } from './protocol-error.ts';
import type { ModelInputSpec } from '../schema/card.ts';
import type { ModelInput } from '../schema/model-input.ts';
import type { NamedTensor } from '../schema/tensor.ts';
import { splitBytes } from '../schema/tensor-elements.ts';
import { checkTensors } from './check-tensors.ts';

const FIELD = 'inputs';

/** UTF-8, which the language's own library lacks; undefined where the bytes are none. */
type Decode = (bytes: Uint8Array) => string | undefined;

/** @throws OpenInferenceError */
export function inputFromTensors(tensors: readonly NamedTensor[], spec: ModelInputSpec, decode: Decode): ModelInput {
  switch (spec.kind) {
    case 'text':
      return { kind: 'text', texts: texts(only(tensors, 'text', 'BYTES'), decode) };
    case 'image': {
      const { height, width, channels } = spec;
      const images = rows(only(tensors, 'image', 'FP32'), height * width * channels);
      checkPixels(images);
      return { kind: 'image', height, width, channels, images };
    }
    case 'numbers': {
      const found = rows(only(tensors, 'features', 'FP32'), spec.size);
      if (found.some((row) => !row.every((value) => Number.isFinite(value))))
        throw new OpenInferenceError(`${FIELD}[0]`, 'must be finite numbers');
      return { kind: 'numbers', size: spec.size, rows: found };
    }
    case 'tensors':
      checkTensors(tensors, spec.inputs, FIELD);
      return { kind: 'tensors', tensors };
    case 'chat': {
      const [content, ...more] = texts(only(tensors, 'prompt', 'BYTES'), decode);
      if (content === undefined || more.length > 0) throw new OpenInferenceError(`${FIELD}[0]`, 'must be one prompt');
      if (content.length > spec.max_chars)
        throw new OpenInferenceError(
          `${FIELD}[0]`,
          `has ${content.length} characters; this model takes ${spec.max_chars}`,
        );
      return {
        kind: 'chat',
        messages: [{ role: 'user', content }],
        maxTokens: undefined,
        temperature: undefined,
        topP: undefined,
        stop: [],
        seed: undefined,
      };
    }
  }
}

function only(tensors: readonly NamedTensor[], name: string, datatype: NamedTensor['datatype']): NamedTensor {
  const [tensor] = tensors;
  if (tensor?.name !== name || tensors.length > 1)
    throw new OpenInferenceError(FIELD, `must be one tensor named ${name}; the model's metadata says so`);
  if (tensor.datatype !== datatype) throw new OpenInferenceError(`${FIELD}[0].datatype`, `must be ${datatype}`);
  return tensor;
}

/** [n] or [n, 1]. */
function texts({ shape, bytes }: NamedTensor, decode: Decode): string[] {
  if (shape.length !== 1 && !(shape.length === 2 && shape[1] === 1))
    throw new OpenInferenceError(`${FIELD}[0].shape`, 'must be [n] or [n, 1]');
  return (splitBytes(bytes) ?? []).map((element, index) => {
    const text = decode(element);
    if (text === undefined) throw new OpenInferenceError(`${FIELD}[0].data[${index}]`, 'is not UTF-8');
    if (text.trim() === '') throw new OpenInferenceError(`${FIELD}[0].data[${index}]`, 'is empty');
    return text;
  });
}

/** The first dimension counts inputs; the others may be written with or without those of length 1. */
function rows({ shape, bytes }: NamedTensor, size: number): Float32Array[] {
  const [count = 0, ...rest] = shape;
  if (shape.length < 2 || rest.reduce((product, length) => product * length, 1) !== size)
    throw new OpenInferenceError(`${FIELD}[0].shape`, `must be a number of inputs and then ${size} values each`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: count }, (_, row) =>
    Float32Array.from({ length: size }, (_value, at) => view.getFloat32(4 * (row * size + at), true)),
  );
}

function checkPixels(images: readonly Float32Array[]): void {
  if (images.some((image) => !image.every((value) => value >= 0 && value <= 1)))
    throw new OpenInferenceError(`${FIELD}[0]`, 'must hold values from 0 to 1');
}
