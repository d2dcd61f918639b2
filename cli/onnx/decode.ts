// Owns reading the ONNX protocol buffer: the few fields the compiler needs, every other skipped. Nothing is interpreted.
// Nested graphs (If, Loop, Scan) are never entered, so that a hostile file cannot make the reader recurse.

import { BinaryReader } from '@bufbuild/protobuf/wire';
import type { Constant } from './constant.ts';
import { corrupt, OnnxError, shownName, unsupported } from './onnx-error.ts';
import { readTensor } from './tensor-proto.ts';
import { nested, readFields, repeated } from './wire.ts';

export type Attribute = {
  readonly number?: number;
  readonly integer?: number;
  readonly text?: string;
  readonly tensor?: Constant;
  readonly numbers: readonly number[];
  readonly integers: readonly number[];
  readonly texts: readonly string[];
};

export type OnnxNode = {
  readonly type: string;
  readonly domain: string;
  readonly name: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, Attribute>;
};

/** A dimension without a number is null. */
export type OnnxInput = {
  readonly name: string;
  readonly elementType: number;
  readonly dims: readonly (number | null)[];
};

export type OnnxModel = {
  readonly opset: number;
  readonly nodes: readonly OnnxNode[];
  readonly constants: ReadonlyMap<string, Constant>;
  readonly inputs: readonly OnnxInput[];
  readonly outputs: readonly string[];
};

const MAX_FILE_BYTES = 512 * 1024 * 1024;
const MAX_NODES = 20_000;
const MIN_OPSET = 13;

export function decodeModel(bytes: Uint8Array): OnnxModel {
  if (bytes.length > MAX_FILE_BYTES) throw new OnnxError('onnx_too_large', `the file has ${bytes.length} bytes`);
  try {
    // A Buffer's slices share memory; those of a plain array are copies.
    return readModel(new BinaryReader(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)));
  } catch (error) {
    if (error instanceof OnnxError) throw error;
    throw corrupt('not an ONNX file, or a damaged one', { cause: error });
  }
}

function readModel(reader: BinaryReader): OnnxModel {
  let graph: BinaryReader | null = null;
  const opsets = new Map<string, number>();
  readFields(reader, (number, wire) => {
    if (number === 7) graph = nested(reader, wire);
    else if (number === 8) {
      const [domain, version] = readOpset(nested(reader, wire));
      opsets.set(domain, version);
    } else return false;
    return true;
  });
  const opset = opsets.get('') ?? opsets.get('ai.onnx') ?? 0;
  if (graph === null || opset === 0) throw corrupt('not an ONNX file: it has no graph or no operator set');
  if (opset < MIN_OPSET) throw unsupported(`operator set ${opset}: export with ${MIN_OPSET} or later`);
  return { opset, ...readGraph(graph) };
}

function readOpset(reader: BinaryReader): [string, number] {
  let [domain, version] = ['', 0];
  readFields(reader, (number) => {
    if (number === 1) domain = reader.string();
    else if (number === 2) version = Number(reader.int64());
    else return false;
    return true;
  });
  return [domain, version];
}

function readGraph(reader: BinaryReader): Omit<OnnxModel, 'opset'> {
  const nodes: OnnxNode[] = [];
  const constants = new Map<string, Constant>();
  const inputs: OnnxInput[] = [];
  const outputs: string[] = [];
  readFields(reader, (number, wire) => {
    if (number === 1) {
      if (nodes.length === MAX_NODES) throw new OnnxError('onnx_too_large', `more than ${MAX_NODES} nodes`);
      nodes.push(readNode(nested(reader, wire), nodes.length));
    } else if (number === 5) {
      const [name, tensor] = readTensor(nested(reader, wire));
      constants.set(name, tensor);
    } else if (number === 11) inputs.push(readInput(nested(reader, wire)));
    else if (number === 12) outputs.push(readInput(nested(reader, wire)).name);
    else if (number === 15) throw unsupported('sparse tensors');
    else return false;
    return true;
  });
  return { nodes, constants, inputs: inputs.filter(({ name }) => !constants.has(name)), outputs };
}

function readNode(reader: BinaryReader, index: number): OnnxNode {
  const node = { type: '', domain: '', name: '' };
  const [inputs, outputs]: [string[], string[]] = [[], []];
  const attributes = new Map<string, Attribute>();
  readFields(reader, (number, wire) => {
    if (number === 1) inputs.push(reader.string());
    else if (number === 2) outputs.push(reader.string());
    else if (number === 3) node.name = reader.string();
    else if (number === 4) node.type = reader.string();
    else if (number === 7) node.domain = reader.string();
    else if (number === 5) {
      const [name, attribute] = readAttribute(nested(reader, wire));
      attributes.set(name, attribute);
    } else return false;
    return true;
  });
  const name = node.name === '' ? `${node.type} #${index}` : node.name;
  return { ...node, name: shownName(name), inputs, outputs, attributes };
}

function readAttribute(reader: BinaryReader): [string, Attribute] {
  let name = '';
  const attribute: { -readonly [K in keyof Attribute]: Attribute[K] } = { numbers: [], integers: [], texts: [] };
  const [numbers, integers, texts]: [number[], number[], string[]] = [[], [], []];
  readFields(reader, (number, wire) => {
    if (number === 1) name = reader.string();
    else if (number === 2) attribute.number = reader.float();
    else if (number === 3) attribute.integer = Number(reader.int64());
    else if (number === 4) attribute.text = reader.string();
    else if (number === 5) [, attribute.tensor] = readTensor(nested(reader, wire));
    else if (number === 7) repeated(reader, wire, (from) => numbers.push(from.float()));
    else if (number === 8) repeated(reader, wire, (from) => integers.push(Number(from.int64())));
    else if (number === 9) texts.push(reader.string());
    else return false;
    return true;
  });
  return [name, { ...attribute, numbers, integers, texts }];
}

function readInput(reader: BinaryReader): OnnxInput {
  let [name, elementType] = ['', 0];
  let dims: (number | null)[] = [];
  readFields(reader, (number, wire) => {
    if (number === 1) name = reader.string();
    else if (number === 2) {
      const type = nested(reader, wire);
      readFields(type, (kind, kindWire) => {
        if (kind !== 1) return false;
        [elementType, dims] = readTensorType(nested(type, kindWire));
        return true;
      });
    } else return false;
    return true;
  });
  return { name, elementType, dims };
}

function readTensorType(reader: BinaryReader): [number, (number | null)[]] {
  let elementType = 0;
  const dims: (number | null)[] = [];
  readFields(reader, (number, wire) => {
    if (number === 1) elementType = reader.int32();
    else if (number === 2) {
      const shape = nested(reader, wire);
      readFields(shape, (field, fieldWire) => {
        if (field !== 1) return false;
        dims.push(readDimension(nested(shape, fieldWire)));
        return true;
      });
    } else return false;
    return true;
  });
  return [elementType, dims];
}

function readDimension(reader: BinaryReader): number | null {
  let size: number | null = null;
  readFields(reader, (number) => {
    if (number !== 1) return false;
    size = Number(reader.int64());
    return true;
  });
  return size === 0 ? null : size;
}
