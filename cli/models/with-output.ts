/**
 * An ONNX file with one more output. onnxruntime-node cannot hand out the maps that scikit-learn's exports end in, so their scores are
 * asked for under the name they have before.
 */

const [GRAPH, OUTPUT, NAME, TYPE, TENSOR] = [7, 12, 1, 2, 1];
const FLOAT_ELEMENTS = [0x08, 0x01];

/** Protocol buffers add up: a second `graph` in the file is merged into the first. */
export function withOutput(onnx: Uint8Array, name: string): Uint8Array {
  const type = field(TYPE, field(TENSOR, FLOAT_ELEMENTS));
  const output = field(OUTPUT, [...field(NAME, [...Buffer.from(name, 'utf8')]), ...type]);
  return Buffer.concat([onnx, Uint8Array.from(field(GRAPH, output))]);
}

/** Length-delimited. */
function field(number: number, bytes: readonly number[]): number[] {
  return [(number << 3) | 2, ...varint(bytes.length), ...bytes];
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...varint(value >>> 7)];
}
