// Owns the hashed n-gram tokenizer of the edge text models: text -> bucket numbers per group of n-grams.
// models/lib/hashed_ngrams.py is its twin, bit for bit. Leaves out embeddings and everything after them.

import { fmix32 } from '../hash/fmix32.ts';

/** The `tokenizer` object of a model file, so fields keep their wire names. */
export type HashedNgramsSpec = {
  readonly kind: 'hashed_ngrams';
  readonly buckets: number;
  readonly word_ngrams: readonly number[];
  readonly skip_bigrams: boolean;
  readonly char_ngrams: readonly number[];
  /** One a bucket, of the n-gram that the bucket belongs to; null: every n-gram is known, and buckets are shared. */
  readonly tags: Uint8Array | null;
};

/** The bucket of every n-gram that the tags do not know. */
const UNKNOWN_BUCKET = 0;
/** 2^32 over the golden ratio, as Fibonacci hashing has it: an n-gram's second bucket. */
const SECOND_PLACE = 0x9e3779b1;

/** Group g holds `ids[groupEnds[g - 1] ?? 0 .. groupEnds[g])`. Valid until the next call of the same tokenizer. */
export type NgramBag = { readonly ids: Uint32Array; readonly groupEnds: Uint32Array };

// FNV-1a's, as in shared/hash/fnv1a.ts: a module's own constants go into its loops, imported ones cost 4 % of an answer.
const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;
const CARET = 0x5e;
const DOLLAR = 0x24;
const SPACE = 0x20;
const WORD_MARK = 0x77; // "w", before a lone word
const OPEN = 0x3c;
const CLOSE = 0x3e;
const APOSTROPHE = 0x27;
const CURLY_APOSTROPHE = 0x2019;

const SEPARATOR = 0;
const WORD = 1;
const DELETED = 2;
const UNKNOWN = 3;

// Kinds of the code points below U+3000; those past ASCII are looked up on first sight.
const kinds = new Uint8Array(0x3000).fill(UNKNOWN);
for (let c = 0; c < 0x80; c++) kinds[c] = /[\p{L}\p{N}]/u.test(String.fromCharCode(c)) ? WORD : SEPARATOR;
kinds[APOSTROPHE] = DELETED;
kinds[CURLY_APOSTROPHE] = DELETED;

function kindOf(codePoint: number): number {
  const known = kinds[codePoint] ?? UNKNOWN;
  if (known !== UNKNOWN) return known;
  const kind = /[\p{L}\p{M}\p{N}]/u.test(String.fromCodePoint(codePoint)) ? WORD : SEPARATOR;
  if (codePoint < kinds.length) kinds[codePoint] = kind;
  return kind;
}

/** Lone surrogates become U+FFFD, then NFKC, then lower case. Plain ASCII skips the first two, which cannot change it. */
function normalize(text: string): string {
  for (let i = 0; i < text.length; i++) {
    if (text.charCodeAt(i) > 0x7f)
      return text
        .replace(/\p{Cs}/gu, '\ufffd')
        .normalize('NFKC')
        .toLowerCase();
  }
  return text.toLowerCase();
}

function addByte(hash: number, byte: number): number {
  return Math.imul(hash ^ byte, FNV_PRIME);
}

/** FNV-1a over the UTF-8 bytes of one code point. */
function addCodePoint(hash: number, c: number): number {
  if (c < 0x80) return Math.imul(hash ^ c, FNV_PRIME);
  if (c < 0x800) return addByte(addByte(hash, 0xc0 | (c >> 6)), 0x80 | (c & 63));
  if (c < 0x10000) return addByte(addByte(addByte(hash, 0xe0 | (c >> 12)), 0x80 | ((c >> 6) & 63)), 0x80 | (c & 63));
  const head = addByte(addByte(hash, 0xf0 | (c >> 18)), 0x80 | ((c >> 12) & 63));
  return addByte(addByte(head, 0x80 | ((c >> 6) & 63)), 0x80 | (c & 63));
}

/** Two places, because with one the n-grams worth knowing would crowd each other out: a third of them against a fifth. */
function knownBucket(hash: number, tags: Uint8Array): number {
  const tag = hash >>> 24 || 1;
  const places = tags.length - 1;
  const first = 1 + (hash % places);
  if (tags[first] === tag) return first;
  const second = 1 + ((Math.imul(hash, SECOND_PLACE) >>> 0) % places);
  return tags[second] === tag ? second : UNKNOWN_BUCKET;
}

export function createHashedNgrams(spec: HashedNgramsSpec): (text: string) => NgramBag {
  const { buckets, skip_bigrams: skipBigrams, tags } = spec;
  const wordSizes = Uint8Array.from(spec.word_ngrams);
  const charSizes = Uint8Array.from(spec.char_ngrams);
  const groupEnds = new Uint32Array(wordSizes.length + (skipBigrams ? 1 : 0) + charSizes.length);
  // Code points of every word as "<word>", one after another; bounds[w] is where word w's "<" stands.
  let points = new Uint32Array(512);
  let bounds = new Uint32Array(128);
  let ids = new Uint32Array(2048);
  let words = 0;
  let used = 0;

  function push(hash: number): void {
    if (used === ids.length) ids = doubled(ids);
    const mixed = fmix32(hash);
    ids[used++] = tags === null ? mixed % buckets : knownBucket(mixed, tags);
  }

  function split(text: string): void {
    let length = 0;
    let inside = false;
    words = 0;
    for (let i = 0; i < text.length; i++) {
      let c = text.charCodeAt(i);
      if (c >= 0xd800 && c < 0xdc00) c = text.codePointAt(i++) ?? c;
      const kind = kindOf(c);
      if (kind === DELETED) continue;
      if (length + 3 > points.length) points = doubled(points);
      if (kind === WORD) {
        if (!inside) {
          if (words + 2 > bounds.length) bounds = doubled(bounds);
          bounds[words++] = length;
          points[length++] = OPEN;
          inside = true;
        }
        points[length++] = c;
      } else if (inside) {
        points[length++] = CLOSE;
        inside = false;
      }
    }
    if (inside) points[length++] = CLOSE;
    bounds[words] = length;
  }

  /** Word `w` without its marks; -1 is the start of the text, `words` its end. */
  function addWord(hash: number, w: number): number {
    if (w < 0) return addByte(hash, CARET);
    if (w >= words) return addByte(hash, DOLLAR);
    let h = hash;
    const end = (bounds[w + 1] ?? 0) - 1;
    for (let i = (bounds[w] ?? 0) + 1; i < end; i++) h = addCodePoint(h, points[i] ?? 0);
    return h;
  }

  function pushWordNgrams(seed: number, size: number): void {
    if (size === 1) {
      for (let w = 0; w < words; w++) push(addWord(addByte(seed, WORD_MARK), w));
      return;
    }
    for (let w = -1; w + size <= words + 1; w++) {
      let h = addWord(seed, w);
      for (let k = 1; k < size; k++) h = addWord(addByte(h, SPACE), w + k);
      push(h);
    }
  }

  function pushCharNgrams(seed: number, size: number): void {
    for (let w = 0; w < words; w++) {
      const last = (bounds[w + 1] ?? 0) - size;
      for (let start = bounds[w] ?? 0; start <= last; start++) {
        let h = seed;
        for (let k = start; k < start + size; k++) h = addCodePoint(h, points[k] ?? 0);
        push(h);
      }
    }
  }

  return (text) => {
    split(normalize(text));
    used = 0;
    let group = 0;
    for (const size of wordSizes) {
      if (words > 0) pushWordNgrams(addByte(FNV_OFFSET, 0x30 + group), size);
      groupEnds[group++] = used;
    }
    if (skipBigrams) {
      const seed = addByte(FNV_OFFSET, 0x30 + group);
      for (let w = 0; w + 2 < words; w++) push(addWord(addByte(addWord(seed, w), SPACE), w + 2));
      groupEnds[group++] = used;
    }
    for (const size of charSizes) {
      pushCharNgrams(addByte(FNV_OFFSET, 0x30 + group), size);
      groupEnds[group++] = used;
    }
    return { ids, groupEnds };
  };
}

function doubled(array: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(array.length * 2);
  larger.set(array);
  return larger;
}
