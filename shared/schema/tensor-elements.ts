/**
 * JSON elements of a tensor <-> its bytes. Owns every datatype's range and form; flat, row-major. Pure.
 */
import { DATATYPE_BYTES, MAX_RANK, type Datatype, type NamedTensor } from './tensor.ts';

/** What is wrong with an element, and which. */
export class TensorElementError extends Error {
  readonly index: number;

  constructor(index: number, problem: string) {
    super(problem);
    this.name = 'TensorElementError';
    this.index = index;
  }
}

type Write = (view: DataView, offset: number, value: number) => void;

const INTEGER_RANGE: Partial<Record<Datatype, readonly [number, number]>> = {
  UINT8: [0, 0xff],
  UINT16: [0, 0xffff],
  UINT32: [0, 0xffff_ffff],
  UINT64: [0, Number.MAX_SAFE_INTEGER],
  INT8: [-0x80, 0x7f],
  INT16: [-0x8000, 0x7fff],
  INT32: [-0x8000_0000, 0x7fff_ffff],
  INT64: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
};

const WRITE: Readonly<Record<Exclude<Datatype, 'BYTES' | 'BOOL'>, Write>> = {
  UINT8: (view, offset, value) => view.setUint8(offset, value),
  UINT16: (view, offset, value) => view.setUint16(offset, value, true),
  UINT32: (view, offset, value) => view.setUint32(offset, value, true),
  UINT64: (view, offset, value) => view.setBigUint64(offset, BigInt(value), true),
  INT8: (view, offset, value) => view.setInt8(offset, value),
  INT16: (view, offset, value) => view.setInt16(offset, value, true),
  INT32: (view, offset, value) => view.setInt32(offset, value, true),
  INT64: (view, offset, value) => view.setBigInt64(offset, BigInt(value), true),
  FP16: (view, offset, value) => view.setUint16(offset, halfFromNumber(value), true),
  FP32: (view, offset, value) => view.setFloat32(offset, value, true),
  FP64: (view, offset, value) => view.setFloat64(offset, value, true),
};

/**
 * @param encode UTF-8, which the language's own library lacks
 * @throws TensorElementError naming the first element that does not fit the datatype
 */
export function encodeElements(
  datatype: Datatype,
  elements: readonly unknown[],
  encode: (text: string) => Uint8Array,
): Uint8Array {
  if (datatype === 'BYTES') return encodeTexts(elements, encode);
  const bytes = new Uint8Array(elements.length * DATATYPE_BYTES[datatype]);
  const view = new DataView(bytes.buffer);
  for (const [index, element] of elements.entries()) {
    const offset = index * DATATYPE_BYTES[datatype];
    if (datatype === 'BOOL') view.setUint8(offset, bit(element, index));
    else WRITE[datatype](view, offset, numberOf(datatype, element, index));
  }
  return bytes;
}

/** Every element in the form JSON has for it. Integers beyond 2^53 lose their last digits, as in any JSON reader. */
export function decodeElements(
  tensor: NamedTensor,
  decode: (bytes: Uint8Array) => string,
): (number | boolean | string)[] {
  const { datatype, bytes } = tensor;
  if (datatype === 'BYTES') return splitBytes(bytes)?.map((element) => decode(element)) ?? [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const size = DATATYPE_BYTES[datatype];
  return Array.from({ length: Math.floor(bytes.byteLength / size) }, (_, index) => read(view, index * size, datatype));
}

/** Nested lists row by row, or undefined where they are nested deeper than any shape. */
export function flattenElements(data: readonly unknown[], depth = 1): unknown[] | undefined {
  if (!data.some((value) => Array.isArray(value))) return [...data];
  if (depth === MAX_RANK) return undefined;
  const flat: unknown[] = [];
  for (const value of data) {
    if (!Array.isArray(value)) {
      flat.push(value);
      continue;
    }
    const inner = flattenElements(value, depth + 1);
    if (inner === undefined) return undefined;
    for (const element of inner) flat.push(element);
  }
  return flat;
}

/** The elements of a BYTES tensor, or undefined where a length runs past the end. */
export function splitBytes(bytes: Uint8Array): Uint8Array[] | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const elements: Uint8Array[] = [];
  for (let offset = 0; offset < bytes.byteLength;) {
    if (offset + 4 > bytes.byteLength) return undefined;
    const end = offset + 4 + view.getUint32(offset, true);
    if (end > bytes.byteLength) return undefined;
    elements.push(bytes.subarray(offset + 4, end));
    offset = end;
  }
  return elements;
}

function encodeTexts(elements: readonly unknown[], encode: (text: string) => Uint8Array): Uint8Array {
  const parts = elements.map((element, index) => {
    if (typeof element !== 'string') throw new TensorElementError(index, 'must be a text');
    return encode(element);
  });
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + 4 + part.length, 0));
  const view = new DataView(bytes.buffer);
  let offset = 0;
  for (const part of parts) {
    view.setUint32(offset, part.length, true);
    bytes.set(part, offset + 4);
    offset += 4 + part.length;
  }
  return bytes;
}

function bit(element: unknown, index: number): number {
  if (element === true || element === 1) return 1;
  if (element === false || element === 0) return 0;
  throw new TensorElementError(index, 'must be true or false');
}

function numberOf(datatype: Datatype, element: unknown, index: number): number {
  if (typeof element !== 'number' || !Number.isFinite(element))
    throw new TensorElementError(index, 'must be a finite number');
  const range = INTEGER_RANGE[datatype];
  if (range === undefined) {
    const kept =
      datatype === 'FP32'
        ? Math.fround(element)
        : datatype === 'FP16'
          ? numberFromHalf(halfFromNumber(element))
          : element;
    if (!Number.isFinite(kept)) throw new TensorElementError(index, `is beyond ${datatype}`);
    return element;
  }
  if (!Number.isInteger(element)) throw new TensorElementError(index, 'must be a whole number');
  if (element < range[0] || element > range[1]) throw new TensorElementError(index, `is beyond ${datatype}`);
  return element;
}

function read(view: DataView, offset: number, datatype: Exclude<Datatype, 'BYTES'>): number | boolean {
  switch (datatype) {
    case 'BOOL':
      return view.getUint8(offset) !== 0;
    case 'UINT8':
      return view.getUint8(offset);
    case 'UINT16':
      return view.getUint16(offset, true);
    case 'UINT32':
      return view.getUint32(offset, true);
    case 'UINT64':
      return Number(view.getBigUint64(offset, true));
    case 'INT8':
      return view.getInt8(offset);
    case 'INT16':
      return view.getInt16(offset, true);
    case 'INT32':
      return view.getInt32(offset, true);
    case 'INT64':
      return Number(view.getBigInt64(offset, true));
    case 'FP16':
      return numberFromHalf(view.getUint16(offset, true));
    case 'FP32':
      return view.getFloat32(offset, true);
    case 'FP64':
      return view.getFloat64(offset, true);
  }
}

/** IEEE 754 binary16, round to nearest, ties to even. */
function halfFromNumber(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  if (Number.isNaN(size)) return 0x7e00;
  if (size >= 65_520) return sign | 0x7c00;
  const exponent = Math.max(-14, Math.floor(Math.log2(size || 2 ** -24)));
  const step = 2 ** (exponent - 10);
  const units = roundHalfEven(size / step);
  // A subnormal has no hidden bit; a carry out of the fraction moves into the exponent by itself.
  return sign | (size < 2 ** -14 ? units : ((exponent + 15) << 10) + (units - 1024));
}

function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

function numberFromHalf(bits: number): number {
  const sign = (bits & 0x8000) === 0 ? 1 : -1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : Number.NaN;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}
