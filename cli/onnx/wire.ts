// Owns walking through one protocol buffer message: field by field, nested messages, lists packed or not.

import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { corrupt } from './onnx-error.ts';

/** Calls `field` for each; what it does not read, by returning false, is skipped. */
export function readFields(reader: BinaryReader, field: (number: number, wire: WireType) => boolean): void {
  while (reader.pos < reader.len) {
    const [number, wire] = reader.tag();
    if (!field(number, wire)) reader.skip(wire, number);
  }
}

export function nested(reader: BinaryReader, wire: WireType): BinaryReader {
  if (wire !== WireType.LengthDelimited) throw corrupt('a message that is none');
  return new BinaryReader(reader.bytes());
}

/** Packed or one by one, as writers like it. */
export function repeated(reader: BinaryReader, wire: WireType, read: (from: BinaryReader) => void): void {
  if (wire !== WireType.LengthDelimited) {
    read(reader);
    return;
  }
  const packed = nested(reader, wire);
  while (packed.pos < packed.len) read(packed);
}
