// Owns writing small ONNX files for tests, right ones and wrong ones.

import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

export type TensorSource = { dims: number[]; values: number[]; type?: 'float' | 'int64' | 'int8' | 'external' };
type AttributeSource = number | number[] | string | { float: number } | { tensor: TensorSource };
export type NodeSource = {
  op: string;
  inputs: string[];
  outputs: string[];
  name?: string;
  domain?: string;
  attributes?: Record<string, AttributeSource>;
};
export type GraphSource = {
  opset?: number;
  nodes: NodeSource[];
  constants?: Record<string, TensorSource>;
  inputs?: { name: string; dims: number[]; elementType?: number }[];
  outputs?: string[];
};

const TYPES = { float: 1, int8: 3, int64: 7, external: 1 };

export function onnxFile({ opset = 17, nodes, constants = {}, inputs, outputs }: GraphSource): Uint8Array {
  const model = new BinaryWriter();
  model.tag(1, WireType.Varint).int64(8);
  nested(model, 8, (entry) => entry.tag(2, WireType.Varint).int64(opset));
  nested(model, 7, (graph) => {
    graph.tag(2, WireType.LengthDelimited).string('graph');
    for (const node of nodes) nested(graph, 1, (writer) => writeNode(writer, node));
    for (const [name, tensor] of Object.entries(constants))
      nested(graph, 5, (writer) => writeTensor(writer, tensor, name));
    for (const { name, dims, elementType = 1 } of inputs ?? [{ name: 'x', dims: [0, 4] }]) {
      nested(graph, 11, (writer) => writeInfo(writer, name, dims, elementType));
    }
    for (const name of outputs ?? ['y'])
      nested(graph, 12, (writer) => writer.tag(1, WireType.LengthDelimited).string(name));
  });
  return model.finish();
}

function nested(writer: BinaryWriter, field: number, write: (inner: BinaryWriter) => unknown): void {
  writer.tag(field, WireType.LengthDelimited).fork();
  write(writer);
  writer.join();
}

function writeNode(
  writer: BinaryWriter,
  { op, inputs, outputs, name = '', domain = '', attributes = {} }: NodeSource,
): void {
  for (const input of inputs) writer.tag(1, WireType.LengthDelimited).string(input);
  for (const output of outputs) writer.tag(2, WireType.LengthDelimited).string(output);
  writer.tag(3, WireType.LengthDelimited).string(name);
  writer.tag(4, WireType.LengthDelimited).string(op);
  writer.tag(7, WireType.LengthDelimited).string(domain);
  for (const [key, value] of Object.entries(attributes))
    nested(writer, 5, (inner) => writeAttribute(inner, key, value));
}

function writeAttribute(writer: BinaryWriter, name: string, value: AttributeSource): void {
  writer.tag(1, WireType.LengthDelimited).string(name);
  writer.tag(20, WireType.Varint).int32(attributeType(value));
  if (typeof value === 'number') writer.tag(3, WireType.Varint).int64(value);
  else if (typeof value === 'string') writer.tag(4, WireType.LengthDelimited).string(value);
  else if (Array.isArray(value)) for (const one of value) writer.tag(8, WireType.Varint).int64(one);
  else if ('float' in value) writer.tag(2, WireType.Bit32).float(value.float);
  else nested(writer, 5, (inner) => writeTensor(inner, value.tensor, ''));
}

function attributeType(value: AttributeSource): number {
  if (typeof value === 'number') return 2;
  if (typeof value === 'string') return 3;
  if (Array.isArray(value)) return 7;
  return 'float' in value ? 1 : 4;
}

function writeTensor(writer: BinaryWriter, { dims, values, type = 'float' }: TensorSource, name: string): void {
  for (const dim of dims) writer.tag(1, WireType.Varint).int64(dim);
  writer.tag(2, WireType.Varint).int32(TYPES[type]);
  writer.tag(8, WireType.LengthDelimited).string(name);
  if (type === 'external') writer.tag(14, WireType.Varint).int32(1);
  else if (type === 'float')
    writer.tag(9, WireType.LengthDelimited).bytes(new Uint8Array(Float32Array.from(values).buffer));
  else if (type === 'int8')
    writer.tag(9, WireType.LengthDelimited).bytes(new Uint8Array(Int8Array.from(values).buffer));
  else for (const value of values) writer.tag(7, WireType.Varint).int64(value);
}

function writeInfo(writer: BinaryWriter, name: string, dims: number[], elementType: number): void {
  writer.tag(1, WireType.LengthDelimited).string(name);
  nested(writer, 2, (type) =>
    nested(type, 1, (tensor) => {
      tensor.tag(1, WireType.Varint).int32(elementType);
      nested(tensor, 2, (shape) => {
        for (const dim of dims) nested(shape, 1, (one) => (dim > 0 ? one.tag(1, WireType.Varint).int64(dim) : one));
      });
    }),
  );
}
