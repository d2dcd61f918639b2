// Owns reading one TensorProto into a constant: every element type that weights, shapes and scales come in.

import type { BinaryReader } from '@bufbuild/protobuf/wire';
import type { Constant, ElementType, Values } from './constant.ts';
import { sizeOf } from './constant.ts';
import { corrupt, OnnxError, unsupported } from './onnx-error.ts';
import { readFields, repeated } from './wire.ts';

const FLOAT = 1;
const UINT8 = 2;
const INT8 = 3;
const INT32 = 6;
const INT64 = 7;
const STRING = 8;
const BOOL = 9;
const FLOAT16 = 10;
const DOUBLE = 11;
const UINT32 = 12;
const BFLOAT16 = 16;
const MAX_RANK = 16;

export function readTensor(reader: BinaryReader): [string, Constant] {
  let [name, dataType] = ['', 0];
  const dims: number[] = [];
  const listed: number[] = [];
  const texts: string[] = [];
  let raw: Uint8Array | null = null;
  readFields(reader, (number, wire) => {
    if (number === 1) repeated(reader, wire, (from) => dims.push(Number(from.int64())));
    else if (number === 2) dataType = reader.int32();
    else if (number === 4) repeated(reader, wire, (from) => listed.push(from.float()));
    else if (number === 5) repeated(reader, wire, (from) => listed.push(from.int32()));
    else if (number === 7) repeated(reader, wire, (from) => listed.push(Number(from.int64())));
    else if (number === 6) texts.push(reader.string());
    else if (number === 8) name = reader.string();
    else if (number === 9) raw = reader.bytes();
    else if (number === 10) repeated(reader, wire, (from) => listed.push(from.double()));
    else if (number === 13 || (number === 14 && reader.int32() === 1)) {
      throw new OnnxError('onnx_external', `tensor ${name} lies in another file: export with all weights in one`);
    } else return number === 14;
    return true;
  });
  if (dims.length > MAX_RANK || dims.some((n) => !Number.isSafeInteger(n) || n < 0)) {
    throw corrupt(`tensor ${name} has shape ${dims.slice(0, MAX_RANK).join('x')}`);
  }
  if (dataType === STRING) return [name, { type: 'integer', dims: [0], values: new Float64Array(0), texts }];
  const size = sizeOf(dims);
  const values = raw === null ? fromList(dataType, listed, name) : fromRaw(dataType, raw, name);
  if (values.length !== size) throw corrupt(`tensor ${name} has ${values.length} values for ${dims.join('x')}`);
  return [name, { type: typeOf(dataType), dims, values }];
}

function typeOf(dataType: number): ElementType {
  if (dataType === BOOL) return 'bool';
  return [FLOAT, FLOAT16, DOUBLE, BFLOAT16].includes(dataType) ? 'float' : 'integer';
}

function fromList(dataType: number, list: readonly number[], name: string): Values {
  switch (dataType) {
    case FLOAT:
    case DOUBLE:
      return Float32Array.from(list);
    case FLOAT16:
      return Float32Array.from(list, halfToNumber);
    case INT8:
      return Int8Array.from(list);
    case UINT8:
      return Uint8Array.from(list);
    case INT32:
      return Int32Array.from(list);
    case INT64:
    case UINT32:
    case BOOL:
      return Float64Array.from(list);
    default:
      throw unsupported(`tensor ${name} has element type ${dataType}`);
  }
}

/** Little endian by definition, and unaligned. */
function fromRaw(dataType: number, raw: Uint8Array, name: string): Values {
  const bytes = raw.slice();
  const view = new DataView(bytes.buffer);
  const width =
    { [FLOAT]: 4, [INT32]: 4, [UINT32]: 4, [INT64]: 8, [DOUBLE]: 8, [FLOAT16]: 2, [BFLOAT16]: 2 }[dataType] ?? 1;
  if (bytes.length % width !== 0) throw corrupt(`tensor ${name} ends within a value`);
  const each = (read: (at: number) => number): Float64Array =>
    Float64Array.from({ length: bytes.length / width }, (_, i) => read(i * width));
  switch (dataType) {
    case FLOAT:
      return Float32Array.from(new Float32Array(bytes.buffer));
    case DOUBLE:
      return Float32Array.from(each((at) => view.getFloat64(at, true)));
    case FLOAT16:
      return Float32Array.from(each((at) => halfToNumber(view.getUint16(at, true))));
    case BFLOAT16:
      return Float32Array.from(each((at) => bfloatToNumber(view.getUint16(at, true))));
    case INT8:
      return new Int8Array(bytes.buffer);
    case UINT8:
      return bytes;
    case INT32:
      return new Int32Array(bytes.buffer);
    case UINT32:
      return each((at) => view.getUint32(at, true));
    case INT64:
      return each((at) => Number(view.getBigInt64(at, true)));
    case BOOL:
      return each((at) => (view.getUint8(at) === 0 ? 0 : 1));
    default:
      throw unsupported(`tensor ${name} has element type ${dataType}`);
  }
}

function bfloatToNumber(bits: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, (bits << 16) >>> 0);
  return view.getFloat32(0);
}

function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = (bits & 1023) / 1024;
  if (exponent === 0) return sign * fraction * 2 ** -14;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction) * 2 ** (exponent - 15);
}
