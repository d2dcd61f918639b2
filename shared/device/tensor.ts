/**
 * A tensor as devices know it: small integers, and the scale and zero point that make numbers of them.
 * value = scale * (integer - zeroPoint). Owns its bytes in a frame, quantizing and dequantizing.
 */
import type { ByteReader } from './byte-reader.ts';
import type { ByteWriter } from './byte-writer.ts';
import { FrameError } from './frame-error.ts';

export type DeviceTensor = {
  readonly scale: number;
  readonly zeroPoint: number;
  /** 1 to 4 dimensions, row-major. */
  readonly shape: readonly number[];
  /** Uint8Array: a text as UTF-8, for models that read text themselves. */
  readonly data: Int8Array | Int16Array | Uint8Array;
};

const I8 = 1;
const I16 = 2;
const TEXT = 3;
const MAX_RANK = 4;
/** More than any frame holds; keeps a lying shape from becoming a large product. */
const MAX_VALUES = 65_536;

/** What writeTensor writes. */
export function tensorBytes({ shape, data }: DeviceTensor): number {
  return 8 + 2 * shape.length + data.byteLength;
}

export function writeTensor(writer: ByteWriter, tensor: DeviceTensor): void {
  const { data, shape } = tensor;
  if (shape.length < 1 || shape.length > MAX_RANK) throw new RangeError(`a tensor of ${shape.length} dimensions`);
  if (data.length !== product(shape)) throw new RangeError('a tensor whose shape does not match its data');
  writer
    .u8(data instanceof Int8Array ? I8 : data instanceof Int16Array ? I16 : TEXT)
    .u8(shape.length)
    .i16(tensor.zeroPoint)
    .f32(tensor.scale);
  for (const length of shape) writer.u16(length);
  if (data instanceof Int16Array) for (const value of data) writer.i16(value);
  else writer.bytes(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
}

export function readTensor(reader: ByteReader): DeviceTensor {
  const kind = reader.u8();
  const rank = reader.u8();
  const zeroPoint = reader.i16();
  const scale = reader.f32();
  if (kind !== I8 && kind !== I16 && kind !== TEXT) throw new FrameError('bad_payload', `tensor kind ${kind}`);
  if (rank < 1 || rank > MAX_RANK) throw new FrameError('bad_payload', `a tensor of ${rank} dimensions`);
  if (scale <= 0) throw new FrameError('bad_payload', 'a tensor whose scale is not above zero');
  const shape = Array.from({ length: rank }, () => reader.u16());
  const count = product(shape);
  if (count < 1 || count > MAX_VALUES) throw new FrameError('bad_payload', `a tensor of ${count} values`);
  if (kind === I16) return { scale, zeroPoint, shape, data: Int16Array.from({ length: count }, () => reader.i16()) };
  const bytes = reader.bytes(count);
  return { scale, zeroPoint, shape, data: kind === I8 ? new Int8Array(bytes.buffer) : bytes };
}

export function dequantize({ data, scale, zeroPoint }: DeviceTensor): Float32Array {
  return Float32Array.from(data, (value) => scale * (value - zeroPoint));
}

/** Grey values of 8 bits survive this unchanged: 0..1 in steps of 1/255. */
export function quantizeUnit(values: ArrayLike<number>, shape: readonly number[]): DeviceTensor {
  const data = Int8Array.from(values, (value) => Math.min(127, Math.max(-128, Math.round(value * 255) - 128)));
  return { scale: 1 / 255, zeroPoint: -128, shape, data };
}

function product(shape: readonly number[]): number {
  return shape.reduce((total, length) => total * length, 1);
}
