/**
 * BERT WordPiece, uncased or cased: text -> ids with [CLS] and [SEP], cut at a number of tokens.
 * Owns the algorithm; the vocabulary is passed in. Leaves out padding and batching.
 *
 * Follows the `tokenizers` library (BertNormalizer, BertPreTokenizer, WordPiece), which trained the models: drop control,
 * format and private-use characters; space out CJK; NFD without non-spacing marks, then lower case per code point; split at
 * white space and punctuation; greedy longest match, and a word with an unknown piece is one [UNK].
 *
 * Known difference: the reference carries Unicode 8 tables, this file uses the engine's. Of 1.1 million code points about
 * 660 fall in another class (punctuation, marks and cased letters added to Unicode since), none of them in a vocabulary.
 */

export type Vocabulary = ReadonlyMap<string, number>;

export type WordPieceOptions = {
  readonly lowercase: boolean;
  /** Ids of one text at most, [CLS] and [SEP] included. */
  readonly maxTokens: number;
};

type Encoded = {
  readonly ids: readonly number[];
  /** The text had more pieces than fit. */
  readonly truncated: boolean;
};

export type WordPiece = { readonly encode: (text: string) => Encoded };

/** In code points, as the reference counts. */
const MAX_WORD_LENGTH = 100;
const CONTINUATION = '##';
const SPECIAL_TOKENS = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'];

const DROPPED = /^(?![\t\n\r])[\p{Cc}\p{Cf}\p{Co}\p{Cs}\uFFFD]$/u;
const WHITE_SPACE = /^\p{White_Space}$/u;
/** ASCII symbols such as $ and + count as punctuation although Unicode files them elsewhere. */
const PUNCTUATION = /^[!-/:-@[-`{-~\p{P}]$/u;
const NON_SPACING_MARKS = /\p{Mn}/gu;
const ASCII_LIMIT = 0x80;

/** One piece a line, the line number is the id. */
export function parseVocabulary(text: string): Vocabulary {
  // A loop, and no pattern where none is needed: this is much of what a cold isolate does before its first answer.
  const pieces = (text.includes('\r') ? text.replaceAll('\r\n', '\n') : text).split('\n');
  if (pieces.at(-1) === '') pieces.pop();
  const vocabulary = new Map<string, number>();
  for (let id = 0; id < pieces.length; id += 1) vocabulary.set(pieces[id] ?? '', id);
  return vocabulary;
}

export function createWordPiece(vocabulary: Vocabulary, options: WordPieceOptions): WordPiece {
  const unknown = required(vocabulary, '[UNK]');
  const start = required(vocabulary, '[CLS]');
  const end = required(vocabulary, '[SEP]');
  const room = options.maxTokens - 2;
  if (room < 1) throw new RangeError('maxTokens must leave room for at least one piece besides [CLS] and [SEP].');
  // A special token spelled out in the text is that token in the reference too, so the models saw it so in training.
  const specials = SPECIAL_TOKENS.filter((token) => vocabulary.has(token));
  const specialPattern = new RegExp(`(${specials.map((token) => token.replace(/[[\]]/g, '\\$&')).join('|')})`, 'u');

  function encode(text: string): Encoded {
    const ids = [start];
    for (const word of words(text, specialPattern, options.lowercase)) {
      appendPieces(ids, word, vocabulary, unknown);
      // Stops here, so that a text of megabytes costs no more than what the model reads.
      if (ids.length - 1 > room) return { ids: [...ids.slice(0, room + 1), end], truncated: true };
    }
    ids.push(end);
    return { ids, truncated: false };
  }

  return { encode };
}

function required(vocabulary: Vocabulary, token: string): number {
  const id = vocabulary.get(token);
  if (id === undefined) throw new RangeError(`The vocabulary lacks ${token}.`);
  return id;
}

function* words(text: string, specialPattern: RegExp, lowercase: boolean): Generator<string> {
  let rest = text;
  for (let match = specialPattern.exec(rest); match !== null; match = specialPattern.exec(rest)) {
    yield* plainWords(rest.slice(0, match.index), lowercase);
    yield match[0];
    rest = rest.slice(match.index + match[0].length);
  }
  yield* plainWords(rest, lowercase);
}

/**
 * Cuts at white space, CJK and ASCII punctuation first and normalizes run by run: none of these characters combines with
 * what stands before it, so NFD of the runs is NFD of the whole.
 */
function* plainWords(text: string, lowercase: boolean): Generator<string> {
  let run = '';
  for (const character of text) {
    const codePoint = character.codePointAt(0) ?? 0;
    const kind = codePoint < ASCII_LIMIT ? asciiKind(codePoint) : wideKind(character, codePoint);
    if (kind === 'dropped') continue;
    if (kind === 'letter') {
      run += character;
      continue;
    }
    if (run !== '') yield* splitRun(run, lowercase);
    run = '';
    // Compatibility ideographs have canonical decompositions, so even a lone one is normalized.
    if (kind === 'alone') yield* splitRun(character, lowercase);
  }
  if (run !== '') yield* splitRun(run, lowercase);
}

type CharacterKind = 'dropped' | 'space' | 'alone' | 'letter';

function asciiKind(codePoint: number): CharacterKind {
  if (codePoint === 0x20 || codePoint === 0x09 || codePoint === 0x0a || codePoint === 0x0d) return 'space';
  if (codePoint < 0x20 || codePoint === 0x7f) return 'dropped';
  const isDigit = codePoint >= 0x30 && codePoint <= 0x39;
  const isLetter = (codePoint >= 0x41 && codePoint <= 0x5a) || (codePoint >= 0x61 && codePoint <= 0x7a);
  return isDigit || isLetter ? 'letter' : 'alone';
}

function wideKind(character: string, codePoint: number): CharacterKind {
  if (DROPPED.test(character)) return 'dropped';
  if (WHITE_SPACE.test(character)) return 'space';
  return isCjk(codePoint) ? 'alone' : 'letter';
}

/** The reference's ranges, its 2B920 (for 2B820) included. */
function isCjk(codePoint: number): boolean {
  return (
    (codePoint >= 0x4e00 && codePoint <= 0x9fff) ||
    (codePoint >= 0x3400 && codePoint <= 0x4dbf) ||
    (codePoint >= 0xf900 && codePoint <= 0xfaff) ||
    (codePoint >= 0x20000 && codePoint <= 0x2a6df) ||
    (codePoint >= 0x2a700 && codePoint <= 0x2b73f) ||
    (codePoint >= 0x2b740 && codePoint <= 0x2b81f) ||
    (codePoint >= 0x2b920 && codePoint <= 0x2ceaf) ||
    (codePoint >= 0x2f800 && codePoint <= 0x2fa1f)
  );
}

function* splitRun(run: string, lowercase: boolean): Generator<string> {
  let word = '';
  for (const character of lowercase ? lower(run.normalize('NFD').replace(NON_SPACING_MARKS, '')) : run) {
    if (!PUNCTUATION.test(character)) {
      word += character;
      continue;
    }
    if (word !== '') yield word;
    word = '';
    yield character;
  }
  if (word !== '') yield word;
}

/** Code point by code point: lower-casing a whole word would turn a final capital sigma into another letter. */
function lower(text: string): string {
  let out = '';
  for (const character of text) out += character.toLowerCase();
  return out;
}

function appendPieces(ids: number[], word: string, vocabulary: Vocabulary, unknown: number): void {
  const characters = Array.from(word);
  if (characters.length > MAX_WORD_LENGTH) {
    ids.push(unknown);
    return;
  }
  const found: number[] = [];
  let from = 0;
  while (from < characters.length) {
    let to = characters.length;
    let id: number | undefined;
    for (; to > from; to -= 1) {
      const piece = characters.slice(from, to).join('');
      id = vocabulary.get(from === 0 ? piece : CONTINUATION + piece);
      if (id !== undefined) break;
    }
    if (id === undefined) {
      ids.push(unknown);
      return;
    }
    found.push(id);
    from = to;
  }
  ids.push(...found);
}
