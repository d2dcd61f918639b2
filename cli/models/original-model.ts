/**
 * The ONNX file on onnxruntime-node, one thread, asked with the engine's inputs. Owns turning these into its tensors.
 */
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { createWordPiece } from '../../shared/tokenize/wordpiece.ts';
import type { ModelInput } from '../../worker/engine/model.ts';
import type { CompileOptions, Original } from '../onnx/compile.ts';
import { understand } from '../onnx/compile.ts';
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
  const feedsOf = original.kind === 'text' ? textFeeds(session, wordPieces) : imageFeeds(original);
  return {
    original,
    async ask(input) {
      const outputs = await session.run(feedsOf(input), [output]).catch((cause: unknown) => {
        throw new UserError(`onnxruntime-node cannot answer output ${output}: ${String(cause)}`, { cause });
      });
      const data = outputs[output]?.data;
      if (!(data instanceof Float32Array)) throw new UserError(`Output ${output} is not float32.`);
      return data;
    },
  };
}

type Feeds = Record<string, Tensor>;

function textFeeds(session: InferenceSession, wordPieces: WordPieces | null): (input: ModelInput) => Feeds {
  if (wordPieces === null) throw new UserError('The .hyb file holds no word pieces, the ONNX file takes them.');
  const { pieces, lowercase, maxTokens } = wordPieces;
  const tokenizer = createWordPiece(new Map(pieces.map((piece, id) => [piece, id])), { lowercase, maxTokens });
  return (input) => {
    if (input.kind !== 'text') throw new UserError('The model takes texts.');
    const { ids } = tokenizer.encode(input.text);
    const valueOf = (name: string, id: number, place: number): bigint => {
      if (/mask/i.test(name)) return 1n;
      if (/type|segment/i.test(name)) return 0n;
      return BigInt(/position/i.test(name) ? place : id);
    };
    return Object.fromEntries(
      session.inputNames.map((name) => [
        name,
        new Tensor('int64', BigInt64Array.from(ids.map((id, place) => valueOf(name, id, place))), [1, ids.length]),
      ]),
    );
  };
}

function imageFeeds({ input, image, range }: Original): (given: ModelInput) => Feeds {
  const [height, width, channels] = image ?? [1, 1, 1];
  const dims = input.dims.map((n, i) => (i === 0 ? 1 : (n ?? 1)));
  const isChannelsFirst = dims.length === 4 && dims[1] === channels && dims[2] === height;
  const [low, high] = range;
  return (given) => {
    if (given.kind !== 'image') throw new UserError('The model takes images.');
    const values = new Float32Array(height * width * channels);
    given.pixels.forEach((pixel, i) => {
      const [at, channel] = [Math.floor(i / channels), i % channels];
      values[isChannelsFirst ? channel * height * width + at : i] = low + pixel * (high - low);
    });
    if (input.elementType === 2)
      return { [input.name]: new Tensor('uint8', Uint8Array.from(values, Math.round), dims) };
    return { [input.name]: new Tensor('float32', values, dims) };
  };
}
