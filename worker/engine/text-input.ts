// Owns a text model's tokenizer: reading the word pieces from the file, and putting a text's features or tokens in the machine.

import type { HashedNgramsSpec } from '../../shared/tokenize/hashed-ngrams.ts';
import { createHashedNgrams } from '../../shared/tokenize/hashed-ngrams.ts';
import type { Vocabulary } from '../../shared/tokenize/wordpiece.ts';
import { createWordPiece, parseVocabulary } from '../../shared/tokenize/wordpiece.ts';
import type { Fields } from './fields.ts';
import type { Machine } from './machine.ts';
import type { TensorTable } from './tensors.ts';

export type WordPieceSpec = {
  readonly kind: 'wordpiece';
  readonly vocabulary: Vocabulary;
  readonly lowercase: boolean;
  readonly maxTokens: number;
};

/** True where the text had more than the model reads. */
export type TextReader = (machine: Machine, text: string) => boolean;

const MAX_TOKENS = 128;
const MAX_PIECES = 1 << 20;
/** A piece's string and its place in the map, as V8 keeps them. */
const BYTES_A_PIECE = 80;

export function readWordPiece(fields: Fields, tensors: TensorTable): WordPieceSpec {
  const text = tensors.text(fields, 'vocabulary');
  const vocabulary = parseVocabulary(text);
  if (vocabulary.size !== lineFeedsIn(text) + 1 || vocabulary.size > MAX_PIECES) {
    throw fields.refuse('vocabulary', 'repeats a piece, ends in a line feed or has too many pieces');
  }
  for (const piece of ['[UNK]', '[CLS]', '[SEP]']) {
    if (!vocabulary.has(piece)) throw fields.refuse('vocabulary', `lacks ${piece}`);
  }
  return {
    kind: 'wordpiece',
    vocabulary,
    lowercase: fields.boolean('lowercase'),
    maxTokens: fields.integer('max_tokens', 3, MAX_TOKENS),
  };
}

function lineFeedsIn(text: string): number {
  let count = 0;
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) count += 1;
  return count;
}

export function textReader(spec: HashedNgramsSpec | WordPieceSpec): TextReader {
  if (spec.kind === 'hashed_ngrams') {
    const tokenize = createHashedNgrams(spec);
    return (machine, text) => {
      machine.features = tokenize(text);
      return false;
    };
  }
  const { encode } = createWordPiece(spec.vocabulary, spec);
  return (machine, text) => {
    const { ids, truncated } = encode(text);
    machine.tokens = ids;
    return truncated;
  };
}

/** What the tokenizer keeps besides the model's memory; an estimate. */
export function tokenizerBytes(spec: HashedNgramsSpec | WordPieceSpec): number {
  return spec.kind === 'wordpiece' ? spec.vocabulary.size * BYTES_A_PIECE : (spec.tags?.length ?? 0);
}
