/**
 * A named tensor, in the terms of the Open Inference Protocol v2: what models that are no classifiers take and give.
 * Owns the type and the sizes of its datatypes; parsing and rendering belong to each protocol.
 */

/** Bytes of one element; BYTES elements have lengths of their own. */
export const DATATYPE_BYTES = {
  BOOL: 1,
  UINT8: 1,
  UINT16: 2,
  UINT32: 4,
  UINT64: 8,
  INT8: 1,
  INT16: 2,
  INT32: 4,
  INT64: 8,
  FP16: 2,
  FP32: 4,
  FP64: 8,
  BYTES: 0,
} as const;

export type Datatype = keyof typeof DATATYPE_BYTES;

export const DATATYPES = [
  'BOOL',
  'UINT8',
  'UINT16',
  'UINT32',
  'UINT64',
  'INT8',
  'INT16',
  'INT32',
  'INT64',
  'FP16',
  'FP32',
  'FP64',
  'BYTES',
] as const satisfies readonly Datatype[];

/** More dimensions than any model here has are an attack on loops. */
export const MAX_RANK = 8;

export type NamedTensor = {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  /**
   * Elements in row-major order. Numeric datatypes: little endian, as on the binary wire (BOOL: one byte, 0 or 1).
   * BYTES: each element behind its length as unsigned 32 bits, little endian.
   */
  readonly bytes: Uint8Array;
};

/** Elements a shape holds; 1 for a scalar. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}
