/**
 * The ONNX file on onnxruntime-node, one thread, asked with the engine's inputs. Owns turning these into its tensors.
 */
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { createWordPiece } from '../../shared/tokenize/wordpiece.ts';
import type { ModelInput } from '../../worker/engine/model.ts';
import type { CompileOptions, Original } from '../onnx/compile.ts';
import { understand } from '../onnx/compile.ts';
import type { OnnxInput, OnnxModel } from '../onnx/decode.ts';
import { decodeModel } from '../onnx/decode.ts';
import { UserError } from '../user-error.ts';
import { readUserFile } from './examples.ts';
import { withOutput } from './with-output.ts';

export type OriginalFlags = {
  readonly output?: string;
  readonly image?: [number, number, number];
  readonly range?: [number, number];
  readonly maxTokens?: number;
};

type WordPieces = { readonly pieces: readonly string[]; readonly lowercase: boolean; readonly maxTokens: number };

export type OriginalModel = {
  readonly original: Original;
  /** Scores as they come out. */
  ask(input: ModelInput): Promise<Float32Array>;
};

export function inputFlags(flags: OriginalFlags): Pick<CompileOptions, 'output' | 'image' | 'range' | 'maxTokens'> {
  const { output = null, image = null, range = null, maxTokens = null } = flags;
  return { output, image, range, maxTokens };
}

export async function openOriginal(
  file: string,
  flags: OriginalFlags,
  wordPieces: WordPieces | null,
): Promise<OriginalModel> {
  const bytes = await readUserFile(file);
  const model = decodeModel(bytes);
  const { original } = understand(model, inputFlags(flags));
  const options = { intraOpNumThreads: 1, interOpNumThreads: 1, logSeverityLevel: 3 } as const;
  const mapped = model.nodes.find(({ type, outputs }) => type === 'ZipMap' && outputs.includes(original.output));
  const output = mapped?.inputs[0] ?? original.output;
  const session = await InferenceSession.create(mapped === undefined ? bytes : withOutput(bytes, output), options);
  const feedsOf = original.kind === 'text' ? textFeeds(model, wordPieces) : imageFeeds(model, original);
  return {
    original,
    async ask(input) {
      const outputs = await session.run(feedsOf(input), [output]).catch((cause: unknown) => {
        throw new UserError(`onnxruntime-node cannot answer output ${output}: ${String(cause)}`, { cause });
      });
      const { type, data } = outputs[output] ?? {};
      if (data instanceof Float32Array) return data;
      if (data instanceof Float64Array) return Float32Array.from(data);
      throw new UserError(`Output ${output} is ${type ?? 'missing'}, neither float nor double: it cannot be compared.`);
    },
  };
}

type Feeds = Record<string, Tensor>;

function textFeeds({ inputs }: OnnxModel, wordPieces: WordPieces | null): (input: ModelInput) => Feeds {
  if (wordPieces === null) throw new UserError('The .hyb file holds no word pieces, the ONNX file takes them.');
  const { pieces, lowercase, maxTokens } = wordPieces;
  const tokenizer = createWordPiece(new Map(pieces.map((piece, id) => [piece, id])), { lowercase, maxTokens });
  const padding = Math.max(0, pieces.indexOf('[PAD]'));
  return (input) => {
    if (input.kind !== 'text') throw new UserError('The model takes texts.');
    const { ids } = tokenizer.encode(input.text);
    const valueOf = (name: string, place: number): number => {
      const id = ids[place];
      if (/mask/i.test(name)) return id === undefined ? 0 : 1;
      if (/type|segment/i.test(name)) return 0;
      return /position/i.test(name) ? place : (id ?? padding);
    };
    // An input of a fixed length is filled up.
    return feedsFor(inputs, (one) => {
      const length = one.dims[1] ?? ids.length;
      return { dims: [1, length], values: Array.from({ length }, (_, place) => valueOf(one.name, place)) };
    });
  };
}

function imageFeeds({ inputs }: OnnxModel, { input, image, range }: Original): (given: ModelInput) => Feeds {
  const [height, width, channels] = image ?? [1, 1, 1];
  const dimsOf = (one: OnnxInput): number[] => one.dims.map((n, i) => (i === 0 ? 1 : (n ?? 1)));
  const dims = dimsOf(input);
  const isChannelsFirst = dims.length === 4 && dims[1] === channels && dims[2] === height;
  const [low, high] = range;
  return (given) => {
    if (given.kind !== 'image') throw new UserError('The model takes images.');
    const values = new Float32Array(height * width * channels);
    given.pixels.forEach((pixel, i) => {
      const [at, channel] = [Math.floor(i / channels), i % channels];
      values[isChannelsFirst ? channel * height * width + at : i] = low + pixel * (high - low);
    });
    // What the scores do not depend on gets zeros.
    return feedsFor(inputs, (one) => {
      if (one.name === input.name) return { dims, values: Array.from(values) };
      const size = dimsOf(one).reduce((product, n) => product * n, 1);
      return { dims: dimsOf(one), values: Array.from({ length: size }, () => 0) };
    });
  };
}

type Filled = { readonly dims: readonly number[]; readonly values: readonly number[] };

/** A tensor of its own type for each input. */
function feedsFor(inputs: readonly OnnxInput[], fill: (input: OnnxInput) => Filled): Feeds {
  return Object.fromEntries(
    inputs.map((input) => {
      const { dims, values } = fill(input);
      return [input.name, tensorOf(input, values, dims)];
    }),
  );
}

function tensorOf({ name, elementType }: OnnxInput, values: readonly number[], dims: readonly number[]): Tensor {
  switch (elementType) {
    case 1:
      return new Tensor('float32', Float32Array.from(values), dims);
    case 2:
      return new Tensor('uint8', Uint8Array.from(values, Math.round), dims);
    case 6:
      return new Tensor('int32', Int32Array.from(values), dims);
    case 7:
      return new Tensor('int64', BigInt64Array.from(values, BigInt), dims);
    case 11:
      return new Tensor('float64', Float64Array.from(values), dims);
    default:
      throw new UserError(`Input ${name} has element type ${elementType}, which cannot be filled to compare.`);
  }
}
