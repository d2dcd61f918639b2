// Owns compiling: ONNX bytes and what the file does not say, to the bytes of a .hyb model and what a person wants to know of it.

import { changedLayer } from './any-length.ts';
import type { OnnxModel } from './decode.ts';
import { decodeModel } from './decode.ts';
import type { OutputKind } from './emit.ts';
import { emit } from './emit.ts';
import type { InputOptions, Interpreted } from './interpret.ts';
import { interpret, isOfTokens } from './interpret.ts';
import type { Layer } from './layer.ts';
import { ONNX_RUNTIME_CAN, OnnxError, unsupported } from './onnx-error.ts';
import type { FileTensor, Precision } from './quantize.ts';
import { quantized } from './quantize.ts';
import { isWhole, longAxes } from './view.ts';
import { writeHyb } from './write-hyb.ts';

export type Vocabulary = { readonly pieces: readonly string[]; readonly lowercase: boolean };

export type CompileOptions = {
  readonly model: string;
  readonly variant: string;
  readonly version: string;
  /** Null: from the file where it has them, else numbers. */
  readonly labels: readonly string[] | null;
  readonly outOfScopeLabel: string | null;
  readonly temperature: number;
  readonly maxChars: number;
  readonly vocabulary: Vocabulary | null;
  readonly output: string | null;
  /** Null: as many as the model has places for, at most 128. */
  readonly maxTokens: number | null;
  readonly image: InputOptions['image'];
  readonly range: InputOptions['range'];
  readonly precision: Precision;
};

/** How the original answers, for comparing. */
export type Original = {
  readonly output: string;
  readonly outputKind: OutputKind;
  readonly kind: 'text' | 'image';
  readonly image: Interpreted['image'];
  readonly range: Interpreted['range'];
  readonly input: Interpreted['input'];
  readonly tokens: number;
};

type Understood = { readonly layers: Layer[]; readonly classes: number; readonly original: Original };

const MAX_TOKENS = 128;
const MIN_TOKENS = 3;

export function compile(bytes: Uint8Array, options: CompileOptions): Uint8Array<ArrayBuffer> {
  const model = decodeModel(bytes);
  const { layers, classes, original } = understand(model, options);
  const labels = options.labels ?? labelsOf(model) ?? Array.from({ length: classes }, (_, i) => String(i));
  if (labels.length !== classes) throw unsupported(`${labels.length} labels for ${classes} classes`);
  const shared = {
    model: options.model,
    variant: options.variant,
    version: options.version,
    task: original.kind === 'text' ? 'text_classification' : 'image_classification',
    labels,
    out_of_scope_label: options.outOfScopeLabel,
    calibration: { kind: 'temperature', temperature: options.temperature },
  };
  if (original.kind === 'image') {
    const [height, width, channels] = original.image ?? [1, 1, 1];
    const { graph, tensors } = quantized(layers, options.precision);
    const image = { height, width, channels };
    return writeHyb({ ...shared, input: { kind: 'image', ...image }, image, graph }, tensors);
  }
  const { vocabulary } = options;
  if (vocabulary === null) throw unsupported('a text model needs its vocabulary: --tokenizer vocab.txt');
  const { graph, tensors } = quantized(withPieces(layers, vocabulary.pieces.length), options.precision);
  const tokenizer = {
    kind: 'wordpiece',
    version: 1,
    vocabulary: 'vocabulary',
    lowercase: vocabulary.lowercase,
    max_tokens: original.tokens,
  };
  const text = Buffer.from(vocabulary.pieces.join('\n'), 'utf8');
  const all = new Map<string, FileTensor>([
    ['vocabulary', { dtype: 'u8', shape: [text.length], bytes: text }],
    ...tensors,
  ]);
  return writeHyb({ ...shared, input: { kind: 'text', max_chars: options.maxChars }, tokenizer, graph }, all);
}

export function understand(
  model: OnnxModel,
  options: Pick<CompileOptions, 'output' | 'maxTokens' | 'image' | 'range'>,
): Understood {
  const outputs = options.output === null ? candidates(model.outputs) : [options.output];
  if (options.output !== null && !model.nodes.some((node) => node.outputs.includes(options.output ?? ''))) {
    throw unsupported(`no node makes an output ${options.output}: the file has ${model.outputs.join(', ')}`);
  }
  const errors: OnnxError[] = [];
  for (const output of outputs) {
    for (const tokens of options.maxTokens === null ? tokenCounts(model) : [options.maxTokens]) {
      try {
        const understood = understandOnce(model, output, { ...options, tokens });
        if (understood.original.kind === 'text') refuseLengths(model, output, { ...options, tokens }, understood);
        return understood;
      } catch (error) {
        if (!(error instanceof OnnxError)) throw error;
        errors.push(error);
        // Only a text model can fit another number of tokens.
        if (!model.inputs.some((input) => isOfTokens(input))) break;
      }
    }
  }
  const found = errors.find(({ code }) => code === 'onnx_unsupported');
  if (found === undefined) throw lengthless(model, options, errors) ?? unsupported('a graph without outputs');
  throw new OnnxError(found.code, `${found.message}. ${ONNX_RUNTIME_CAN}`, { cause: found });
}

/** The fewest tokens lie within every table, so what they do not fit is most likely the length that an export has fixed. */
function lengthless(
  model: OnnxModel,
  options: Pick<CompileOptions, 'maxTokens'>,
  errors: readonly OnnxError[],
): OnnxError | undefined {
  const last = errors.at(-1);
  const isText = model.inputs.some((input) => isOfTokens(input));
  if (last === undefined || !isText || options.maxTokens !== null || last.code !== 'onnx_corrupt') return errors[0];
  const advice = 'If the export is for one number of tokens only, say it: --max-tokens';
  return new OnnxError(last.code, `${last.message}. ${advice}`, { cause: last });
}

/** Shapes that an export has fixed fit one number of tokens only, and then there is nothing to compare. */
function refuseLengths(model: OnnxModel, output: string, options: InputOptions, { layers }: Understood): void {
  if (options.tokens < 2) return;
  let shorter: readonly Layer[];
  try {
    shorter = understandOnce(model, output, { ...options, tokens: options.tokens - 1 }).layers;
  } catch (error) {
    if (error instanceof OnnxError) return;
    throw error;
  }
  const op = layers[changedLayer(layers, shorter)]?.op;
  if (op === undefined) return;
  throw unsupported(`output ${output} depends on how many tokens a text has, as a sum over them does (in its ${op})`);
}

function understandOnce(model: OnnxModel, output: string, options: InputOptions): Understood {
  const read = interpret(model, output, options);
  if (longAxes(read.output).length > 1) throw unsupported(`output ${output} has shape ${read.output.dims.join('x')}`);
  if (!isWhole(read.output)) throw unsupported(`output ${output} is a part of what node ${read.output.of.node} makes`);
  const { layers, classes, outputKind } = emit(read.output.of);
  const { kind, image, range, input } = read;
  return { layers, classes, original: { output, outputKind, kind, image, range, input, tokens: options.tokens } };
}

/** Names of labels are no scores. */
function candidates(outputs: readonly string[]): string[] {
  const isLabel = (name: string): number => (/label/i.test(name) ? 1 : 0);
  return outputs.toSorted((a, b) => isLabel(a) - isLabel(b));
}

/** As many as the input has places, or as many as allowed, else as many as some table of the file has rows: one of them holds the positions. */
function tokenCounts(model: OnnxModel): number[] {
  const fixed = model.inputs.find((input) => isOfTokens(input))?.dims[1] ?? null;
  if (fixed !== null) return [Math.min(fixed, MAX_TOKENS)];
  const tensors = [
    ...model.constants.values(),
    ...model.nodes.flatMap(({ attributes }) => attributes.get('value')?.tensor ?? []),
  ];
  const sizes = tensors.flatMap(({ dims }) => dims).filter((n) => n >= MIN_TOKENS && n < MAX_TOKENS);
  return [MAX_TOKENS, ...[...new Set(sizes)].toSorted((a, b) => b - a)].slice(0, 12);
}

/** Labels that the export carries. */
function labelsOf(model: OnnxModel): string[] | null {
  for (const { type, attributes, inputs } of model.nodes) {
    if (type === 'ZipMap' || type === 'LinearClassifier') {
      const texts = attributes.get('classlabels_strings')?.texts ?? [];
      if (texts.length > 0) return texts.slice();
      const numbers = attributes.get(type === 'ZipMap' ? 'classlabels_int64s' : 'classlabels_ints')?.integers ?? [];
      if (numbers.length > 0) return numbers.map(String);
    }
    const classes = model.constants.get(inputs[0] ?? '');
    if (type === 'ArrayFeatureExtractor' && classes !== undefined) {
      return classes.texts?.slice() ?? Array.from(classes.values, String);
    }
  }
  return null;
}

/** Tables are often padded with rows that no piece has. */
function withPieces(layers: readonly Layer[], pieces: number): Layer[] {
  return layers.map((layer) => {
    if (layer.op !== 'token_embedding' || layer.table.outputs === pieces) return layer;
    const { table } = layer;
    if (table.outputs < pieces) throw unsupported(`${pieces} pieces in the vocabulary, ${table.outputs} in the model`);
    const size = pieces * table.inputs;
    const exact =
      table.exact === null
        ? null
        : { q: table.exact.q.subarray(0, size), scales: table.exact.scales.subarray(0, pieces) };
    return { ...layer, table: { ...table, outputs: pieces, values: table.values.subarray(0, size), exact } };
  });
}
