/**
 * One call on one ONNX session: inputs to the tensors the model names, outputs to scores or tensors. Owns that translation;
 * leaves out sessions and what scores mean.
 */
import { Tensor } from 'onnxruntime-web/wasm';
import type { InferenceSession } from 'onnxruntime-web/wasm';
import type { OnnxAnswer, OnnxInput, OnnxRow } from '../../shared/schema/onnx-call.ts';
import type { OnnxSpec } from '../../shared/schema/weights.ts';
import type { WordPiece } from '../../shared/tokenize/wordpiece.ts';
import { fromNamedTensor, InputError, MisfitError, toNamedTensor } from './tensors.ts';

export type Session = Pick<
  InferenceSession,
  'inputNames' | 'inputMetadata' | 'outputNames' | 'outputMetadata' | 'run' | 'release'
>;

type Feeds = Record<string, Tensor>;

/** A call between workers brings back 32 MB, and a copy of it must fit beside the runtime. */
const MAX_OUTPUT_BYTES = 16 * 1024 * 1024;

export async function run(
  session: Session,
  tokenizer: WordPiece | undefined,
  input: OnnxInput,
  onnx: OnnxSpec,
): Promise<OnnxAnswer> {
  switch (input.kind) {
    case 'tensors': {
      const feeds = Object.fromEntries(input.tensors.map((tensor) => [tensor.name, fromNamedTensor(tensor)]));
      for (const name of session.inputNames) {
        if (feeds[name] === undefined) throw new InputError(`the model needs the input ${name}`);
      }
      const outputs = await session.run(feeds);
      refuseTooLarge(Object.values(outputs));
      return { kind: 'tensors', outputs: session.outputNames.map((name) => toNamedTensor(name, outputs[name])) };
    }
    case 'text':
      return rows(session, onnx, input.texts, (text) => textFeeds(session, tokenizer, text));
    case 'image': {
      const { height, width, channels } = input;
      return rows(session, onnx, input.images, (pixels) => ({
        feeds: imageFeeds(session, pixels, height, width, channels),
        truncated: false,
      }));
    }
    case 'numbers':
      return rows(session, onnx, input.rows, (row) => ({
        feeds: numbersFeeds(session, row),
        truncated: false,
      }));
  }
}

/** The caller's doing: how much a model answers follows from the shapes it is sent. */
function refuseTooLarge(outputs: readonly Tensor[]): void {
  const sizeBytes = outputs.reduce((sum, { data }) => sum + (ArrayBuffer.isView(data) ? data.byteLength : 0), 0);
  if (sizeBytes > MAX_OUTPUT_BYTES)
    throw new InputError(`the answer to these tensors has ${sizeBytes} bytes, of ${MAX_OUTPUT_BYTES} that can be sent`);
}

/** One inference an input: int8 graphs scale their activations over the whole call, so answers would depend on company. */
async function rows<T>(
  session: Session,
  onnx: OnnxSpec,
  inputs: readonly T[],
  prepare: (input: T) => { feeds: Feeds; truncated: boolean },
): Promise<OnnxAnswer> {
  const output = scoresOutput(session, onnx);
  const answered: OnnxRow[] = [];
  for (const input of inputs) {
    const { feeds, truncated } = prepare(input);
    const outputs = await session.run(feeds, [output]);
    const data = outputs[output]?.data;
    if (!(data instanceof Float32Array || data instanceof Float64Array))
      throw new MisfitError(`the output ${output} is not of float32 or float64`);
    // A view would keep, and send, the runtime's whole memory.
    answered.push({ scores: Float32Array.from(data), truncated });
  }
  return { kind: 'rows', rows: answered };
}

/** The named output, or the last of float32, or else of float64: classifiers of scikit-learn name a label first. */
function scoresOutput(session: Session, onnx: OnnxSpec): string {
  if (onnx.output !== undefined) {
    if (session.outputNames.includes(onnx.output)) return onnx.output;
    throw new MisfitError(`the model has no output ${onnx.output}`);
  }
  const lastOf = (type: string): InferenceSession.ValueMetadata | undefined =>
    session.outputMetadata.findLast((output) => output.isTensor && output.type === type);
  const found = lastOf('float32') ?? lastOf('float64');
  if (found === undefined) throw new MisfitError('the model has no output of float32 or float64');
  return found.name;
}

function textFeeds(
  session: Session,
  tokenizer: WordPiece | undefined,
  text: string,
): { feeds: Feeds; truncated: boolean } {
  if (tokenizer === undefined) throw new MisfitError('a text model without a tokenizer');
  const { ids, truncated } = tokenizer.encode(text);
  const feeds: Feeds = {};
  for (const name of session.inputNames) feeds[name] = integers(session, name, valuesOf(name, ids));
  return { feeds, truncated };
}

function valuesOf(name: string, ids: readonly number[]): readonly number[] {
  switch (name) {
    case 'input_ids':
      return ids;
    case 'attention_mask':
      return ids.map(() => 1);
    case 'token_type_ids':
      return ids.map(() => 0);
    default:
      throw new MisfitError(`no text gives the input ${name}`);
  }
}

function integers(session: Session, name: string, values: readonly number[]): Tensor {
  const described = session.inputMetadata.find((input) => input.name === name);
  const dims = [1, values.length];
  return described?.isTensor === true && described.type === 'int32'
    ? new Tensor('int32', Int32Array.from(values), dims)
    : new Tensor('int64', BigInt64Array.from(values, BigInt), dims);
}

/** Of the type that the model takes: exports of scikit-learn often take doubles. */
function numbersFeeds(session: Session, row: Float32Array): Feeds {
  const name = onlyInput(session);
  const described = session.inputMetadata.find((input) => input.name === name);
  const type = described?.isTensor === true ? described.type : 'float32';
  if (type === 'int32' || type === 'int64') {
    if (!row.every((value) => Number.isInteger(value))) throw new InputError('the model takes whole numbers');
    return { [name]: integers(session, name, Array.from(row)) };
  }
  const values = type === 'float64' ? Float64Array.from(row) : row;
  return { [name]: new Tensor(type === 'float64' ? 'float64' : 'float32', values, [1, row.length]) };
}

/** Values arrive channel last; the model says whether it wants them so. */
function imageFeeds(session: Session, pixels: Float32Array, height: number, width: number, channels: number): Feeds {
  const name = onlyInput(session);
  const described = session.inputMetadata.find((input) => input.name === name);
  const shape = described?.isTensor === true ? described.shape : [];
  if (shape.length === 2) return { [name]: new Tensor('float32', pixels, [1, pixels.length]) };
  if (shape.at(-1) === channels && shape[1] !== channels)
    return { [name]: new Tensor('float32', pixels, [1, height, width, channels]) };
  return { [name]: new Tensor('float32', channelsFirst(pixels, channels), [1, channels, height, width]) };
}

function channelsFirst(pixels: Float32Array, channels: number): Float32Array {
  if (channels === 1) return pixels;
  const size = pixels.length / channels;
  return pixels.map((_value, index) => pixels[(index % size) * channels + Math.floor(index / size)] ?? 0);
}

function onlyInput({ inputNames }: Session): string {
  const [name, second] = inputNames;
  if (name === undefined || second !== undefined) throw new MisfitError(`the model has ${inputNames.length} inputs`);
  return name;
}
