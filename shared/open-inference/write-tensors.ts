/**
 * NamedTensor -> a v2 body's list of tensors, each as JSON or in the binary part.
 */
import type { NamedTensor } from '../schema/tensor.ts';
import { decodeElements } from '../schema/tensor-elements.ts';

export type WrittenTensors = {
  readonly list: readonly Record<string, unknown>[];
  /** Bytes of those that are binary, in order. */
  readonly binary: readonly Uint8Array[];
};

/** @param decode UTF-8, which the language's own library lacks */
export function writeTensors(
  tensors: readonly NamedTensor[],
  isBinary: (tensor: NamedTensor) => boolean,
  decode: (bytes: Uint8Array) => string,
): WrittenTensors {
  const binary: Uint8Array[] = [];
  const list = tensors.map((tensor) => {
    const { name, datatype, shape, bytes } = tensor;
    if (!isBinary(tensor)) return { name, datatype, shape, data: decodeElements(tensor, decode) };
    binary.push(bytes);
    return { name, datatype, shape, parameters: { binary_data_size: bytes.byteLength } };
  });
  return { list, binary };
}
