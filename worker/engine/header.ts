// Owns what a .hyb header says about the model as a whole. Operators are read in graph.ts, tensors in tensors.ts.

import type { HashedNgramsSpec } from '../../shared/tokenize/hashed-ngrams.ts';
import { ModelFormatError } from './errors.ts';
import { Fields } from './fields.ts';
import type { Flow } from './flow.ts';
import type { Graph } from './graph.ts';
import { readGraph } from './graph.ts';
import type { Image } from './steps.ts';
import { TensorTable } from './tensors.ts';
import type { WordPieceSpec } from './text-input.ts';
import { readWordPiece } from './text-input.ts';

const TASKS = ['text_classification', 'image_classification', 'sentence_embedding'] as const;
export type Task = (typeof TASKS)[number];

type TextTokenizer = HashedNgramsSpec | WordPieceSpec;

type InputSpec =
  | { readonly kind: 'text'; readonly maxChars: number; readonly tokenizer: TextTokenizer }
  | { readonly kind: 'image'; readonly image: Image };

export type ModelHeader = {
  readonly model: string;
  readonly variant: string;
  readonly version: string;
  readonly task: Task;
  readonly labels: readonly string[];
  readonly outOfScopeLabel: string | null;
  /** 1 where there is no confidence. */
  readonly temperature: number;
  readonly input: InputSpec;
  readonly graph: Graph;
  /** Lets go of the file's bytes: call when the tensors have been laid out. */
  release(): void;
};

const MAX_LABELS = 10_000;
const MAX_LABEL_CHARS = 200;
const MAX_OPERATORS = 256;
const MAX_NGRAM = 8;

export function readHeader(json: unknown, payload: Uint8Array): ModelHeader {
  const header = new Fields(json, 'header');
  const task = header.oneOf('task', TASKS);
  const isEmbedding = task === 'sentence_embedding';
  const labels = isEmbedding ? readNoLabels(header) : readLabels(header);
  const tensors = new TensorTable(header.object('tensors'), payload);
  const input = task === 'image_classification' ? readImageInput(header) : readTextInput(header, tensors);
  const graph = readGraph(
    header.list('graph', 1, MAX_OPERATORS),
    tensors,
    flowOf(input),
    isEmbedding ? null : labels.length,
  );
  tensors.done();
  const read = {
    model: header.string('model'),
    variant: header.string('variant'),
    version: header.string('version'),
    task,
    labels,
    outOfScopeLabel: readOutOfScopeLabel(header, labels),
    temperature: isEmbedding ? readNoTemperature(header) : readTemperature(header),
    input,
    graph,
    release: () => tensors.release(),
  };
  header.done();
  return read;
}

function readLabels(header: Fields): string[] {
  const labels = header.list('labels', 2, MAX_LABELS).map((label) => {
    if (typeof label !== 'string' || label.length === 0 || label.length > MAX_LABEL_CHARS) {
      throw header.refuse('labels', `holds something else than strings of 1 to ${MAX_LABEL_CHARS} characters`);
    }
    return label;
  });
  if (new Set(labels).size !== labels.length) throw header.refuse('labels', 'repeats a label');
  return labels;
}

function readNoLabels(header: Fields): string[] {
  header.list('labels', 0, 0);
  return [];
}

function readOutOfScopeLabel(header: Fields, labels: readonly string[]): string | null {
  if (header.raw('out_of_scope_label') === null) return null;
  const label = header.string('out_of_scope_label', MAX_LABEL_CHARS);
  if (!labels.includes(label)) throw header.refuse('out_of_scope_label', 'is not one of the labels');
  return label;
}

function readTemperature(header: Fields): number {
  const calibration = header.object('calibration');
  calibration.oneOf('kind', ['temperature']);
  const temperature = calibration.number('temperature', 0.001, 1000);
  calibration.done();
  return temperature;
}

function readNoTemperature(header: Fields): number {
  if (header.raw('calibration') !== null) throw header.refuse('calibration', 'is not null for an embedding');
  return 1;
}

function readTextInput(header: Fields, tensors: TensorTable): InputSpec {
  const input = header.object('input');
  input.oneOf('kind', ['text']);
  const maxChars = input.integer('max_chars', 1, 100_000);
  input.done();
  const fields = header.object('tokenizer');
  const kind = fields.oneOf('kind', ['hashed_ngrams', 'wordpiece']);
  const version = fields.integer('version', 1, kind === 'wordpiece' ? 1 : 2);
  const tokenizer =
    kind === 'wordpiece' ? readWordPiece(fields, tensors) : readHashedNgrams(fields, version === 1 ? null : tensors);
  fields.done();
  return { kind: 'text', maxChars, tokenizer };
}

/** @param tensors null: a file whose n-grams are all known */
function readHashedNgrams(fields: Fields, tensors: TensorTable | null): HashedNgramsSpec {
  const buckets = fields.integer('buckets', tensors === null ? 1 : 2, 1 << 24);
  const tokenizer: HashedNgramsSpec = {
    kind: 'hashed_ngrams',
    buckets,
    word_ngrams: fields.integers('word_ngrams', 0, MAX_NGRAM, 1, MAX_NGRAM),
    skip_bigrams: fields.boolean('skip_bigrams'),
    char_ngrams: fields.integers('char_ngrams', 0, MAX_NGRAM, 1, MAX_NGRAM),
    tags: tensors === null ? null : readTags(fields, tensors, buckets),
  };
  if (groupsOf(tokenizer) === 0) throw new ModelFormatError('header.tokenizer makes no features');
  return tokenizer;
}

/** A copy: the file's bytes are let go. */
function readTags(fields: Fields, tensors: TensorTable, buckets: number): Uint8Array {
  const tags = tensors.bytes(fields, 'tags');
  if (tags.length !== buckets) throw fields.refuse('tags', `is not a u8 tensor of shape [${buckets}]`);
  if (tags[0] !== 0) throw fields.refuse('tags', 'gives bucket 0, that of unknown n-grams, to one of them');
  return tags.slice();
}

function readImageInput(header: Fields): InputSpec {
  const input = header.object('input');
  input.oneOf('kind', ['image']);
  const image = readImage(input);
  input.done();
  const repeated = header.object('image');
  const again = readImage(repeated);
  repeated.done();
  if (again.height !== image.height || again.width !== image.width || again.channels !== image.channels) {
    throw header.refuse('image', 'differs from input');
  }
  if (image.height * image.width * image.channels > 1 << 22) throw header.refuse('image', 'is too large');
  return { kind: 'image', image };
}

function readImage(fields: Fields): Image {
  return {
    height: fields.integer('height', 1, 4096),
    width: fields.integer('width', 1, 4096),
    channels: fields.integer('channels', 1, 4096),
  };
}

function flowOf(input: InputSpec): Flow {
  if (input.kind === 'image') return { kind: 'image', image: input.image };
  const { tokenizer, maxChars } = input;
  if (tokenizer.kind === 'wordpiece') {
    return { kind: 'tokens', pieces: tokenizer.vocabulary.size, maxTokens: tokenizer.maxTokens };
  }
  return { kind: 'features', groups: groupsOf(tokenizer), buckets: tokenizer.buckets, maxChars };
}

function groupsOf(tokenizer: HashedNgramsSpec): number {
  return tokenizer.word_ngrams.length + (tokenizer.skip_bigrams ? 1 : 0) + tokenizer.char_ngrams.length;
}
