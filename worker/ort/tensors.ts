/**
 * Between the Open Inference Protocol's tensors and ONNX Runtime's. Owns datatypes and byte layout.
 */
import { Tensor } from 'onnxruntime-web/wasm';
import { DATATYPE_BYTES, elementCount } from '../../shared/schema/tensor.ts';
import type { Datatype, NamedTensor } from '../../shared/schema/tensor.ts';

/** The caller's tensors do not fit the model. Its message is public. */
export class InputError extends Error {}

/** The model is not what the configuration takes it for. Its message is public. */
export class MisfitError extends Error {}

type Numeric = Exclude<Datatype, 'BYTES' | 'FP16'>;

const TYPES = {
  BOOL: 'bool',
  UINT8: 'uint8',
  UINT16: 'uint16',
  UINT32: 'uint32',
  UINT64: 'uint64',
  INT8: 'int8',
  INT16: 'int16',
  INT32: 'int32',
  INT64: 'int64',
  FP32: 'float32',
  FP64: 'float64',
} as const satisfies Record<Numeric, Tensor.Type>;

export function fromNamedTensor({ name, datatype, shape, bytes }: NamedTensor): Tensor {
  if (datatype === 'BYTES' || datatype === 'FP16')
    throw new InputError(`${name}: ONNX Runtime takes no ${datatype} here`);
  if (bytes.byteLength !== elementCount(shape) * DATATYPE_BYTES[datatype])
    throw new InputError(`${name}: ${bytes.byteLength} bytes do not fill its shape`);
  // A copy of its own: the bytes may begin at any address.
  return new Tensor(TYPES[datatype], elementsOf(datatype, bytes.slice().buffer), [...shape]);
}

export function toNamedTensor(name: string, tensor: Tensor | undefined): NamedTensor {
  const found = Object.entries(TYPES).find(([, type]) => type === tensor?.type);
  if (tensor === undefined || found === undefined || !ArrayBuffer.isView(tensor.data))
    throw new MisfitError(`the output ${name} is of a type that cannot be sent`);
  const { buffer, byteOffset, byteLength } = tensor.data;
  const bytes = new Uint8Array(buffer, byteOffset, byteLength).slice();
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the keys of TYPES
  return { name, datatype: found[0] as Numeric, shape: [...tensor.dims], bytes };
}

function elementsOf(datatype: Numeric, buffer: ArrayBuffer): Tensor.DataType {
  switch (datatype) {
    case 'BOOL':
    case 'UINT8':
      return new Uint8Array(buffer);
    case 'UINT16':
      return new Uint16Array(buffer);
    case 'UINT32':
      return new Uint32Array(buffer);
    case 'UINT64':
      return new BigUint64Array(buffer);
    case 'INT8':
      return new Int8Array(buffer);
    case 'INT16':
      return new Int16Array(buffer);
    case 'INT32':
      return new Int32Array(buffer);
    case 'INT64':
      return new BigInt64Array(buffer);
    case 'FP32':
      return new Float32Array(buffer);
    case 'FP64':
      return new Float64Array(buffer);
  }
}
