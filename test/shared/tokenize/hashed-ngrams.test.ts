// Proves the hashed n-gram tokenizer against grams spelled out by hand and against its Python twin's golden vectors.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { HashedNgramsSpec } from '../../../shared/tokenize/hashed-ngrams.ts';
import { createHashedNgrams } from '../../../shared/tokenize/hashed-ngrams.ts';

type Golden = {
  readonly tokenizer: Omit<HashedNgramsSpec, 'tags'> & { readonly tags: string | null };
  readonly rows: readonly { readonly text: string; readonly buckets: readonly (readonly number[])[] }[];
};

function golden(model: string): { readonly spec: HashedNgramsSpec; readonly rows: Golden['rows'] } {
  const file = new URL(`../../fixtures/${model}-golden.json`, import.meta.url);
  const { tokenizer, rows } = JSON.parse(readFileSync(file, 'utf8')) as Golden;
  const tags = tokenizer.tags === null ? null : Uint8Array.from(Buffer.from(tokenizer.tags, 'base64'));
  return { spec: { ...tokenizer, tags }, rows };
}

const spec: HashedNgramsSpec = {
  kind: 'hashed_ngrams',
  tags: null,
  buckets: 4294967291,
  word_ngrams: [1, 2],
  skip_bigrams: true,
  char_ngrams: [3, 5],
};

/** The format's hash written the slow way, over real UTF-8 bytes. */
function hash(group: number, gram: string): number {
  let h = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(String.fromCharCode(0x30 + group) + gram)) {
    h = Math.imul(h ^ byte, 0x01000193) >>> 0;
  }
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b) >>> 0;
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35) >>> 0;
  return (h ^ (h >>> 16)) >>> 0;
}

function groupsOf(of: HashedNgramsSpec, text: string): number[][] {
  const { ids, groupEnds } = createHashedNgrams(of)(text);
  return [...groupEnds].map((end, g) => Array.from(ids.subarray(g === 0 ? 0 : groupEnds[g - 1], end)));
}

function expected(groups: readonly (readonly string[])[]): number[][] {
  return groups.map((grams, g) => grams.map((gram) => hash(g, gram) % spec.buckets));
}

describe('hashed n-grams', () => {
  it('lists words, bigrams with both ends, skip bigrams and character n-grams in the order of the format', () => {
    expect(groupsOf(spec, 'Go to bed')).toEqual(
      expected([
        ['wgo', 'wto', 'wbed'],
        ['^ go', 'go to', 'to bed', 'bed $'],
        ['go bed'],
        ['<go', 'go>', '<to', 'to>', '<be', 'bed', 'ed>'],
        ['<bed>'],
      ]),
    );
  });

  it('deletes straight and curly apostrophes and joins what they stood between', () => {
    expect(groupsOf(spec, "what's")).toEqual(groupsOf(spec, 'whats'));
    expect(groupsOf(spec, 'what\u2019s')).toEqual(groupsOf(spec, 'whats'));
    expect(groupsOf(spec, 'what s')).not.toEqual(groupsOf(spec, 'whats'));
  });

  it('normalizes compatibility forms and case before it splits', () => {
    expect(groupsOf(spec, '\uff28\uff25\uff2c\uff2c\uff2f \ufb01ne')).toEqual(groupsOf(spec, 'hello fine'));
    expect(groupsOf(spec, 'CAF\u00c9')).toEqual(groupsOf(spec, 'cafe\u0301'));
  });

  it('hashes the UTF-8 bytes of every plane', () => {
    expect(groupsOf(spec, '\u00df\u4e2d\ud835\udd04\ud840\udc00')).toEqual(
      expected([
        ['w\u00df\u4e2da\ud840\udc00'],
        ['^ \u00df\u4e2da\ud840\udc00', '\u00df\u4e2da\ud840\udc00 $'],
        [],
        ['<\u00df\u4e2d', '\u00df\u4e2da', '\u4e2da\ud840\udc00', 'a\ud840\udc00>'],
        ['<\u00df\u4e2da\ud840\udc00', '\u00df\u4e2da\ud840\udc00>'],
      ]),
    );
  });

  it.each([
    ['nothing', ''],
    ['only separators', ' .,!? \n'],
    ['only apostrophes', "''\u2019"],
    ['a lone surrogate, which is U+FFFD and no letter', '\ud800'],
    ['emoji', '\ud83d\ude00'],
  ])('finds no gram in %s', (_, text) => {
    expect(groupsOf(spec, text)).toEqual([[], [], [], [], []]);
  });

  it('splits words at a lone surrogate', () => {
    expect(groupsOf(spec, 'a\udc00b')).toEqual(groupsOf(spec, 'a b'));
  });

  it('has no skip-bigram group where the specification turns them off', () => {
    expect(groupsOf({ ...spec, skip_bigrams: false }, 'one two three')).toHaveLength(4);
  });

  it('gives the same answer whatever it was asked before, also after its buffers grew', () => {
    const tokenize = createHashedNgrams(spec);
    const first = tokenize('book a table');
    const before = Array.from(first.ids.subarray(0, first.groupEnds[4]));
    const long = tokenize('ab\u00e9 '.repeat(5000));
    expect(long.groupEnds[0]).toBe(5000);
    const again = tokenize('book a table');
    expect(Array.from(again.ids.subarray(0, again.groupEnds[4]))).toEqual(before);
  });

  describe.each(['intent', 'banking'])('of %s', (model) => {
    const { spec: own, rows } = golden(model);

    it.each(rows.map((row) => [row.text.slice(0, 40), row] as const))(
      'agree with the Python tokenizer on %j',
      (_, row) => {
        expect(groupsOf(own, row.text)).toEqual(row.buckets);
      },
    );
  });
});

describe('hashed n-grams with tags', () => {
  const words: HashedNgramsSpec = { ...spec, buckets: 100, word_ngrams: [1], skip_bigrams: false, char_ngrams: [] };
  const first = (gram: string): number => 1 + (hash(0, gram) % 99);
  const second = (gram: string): number => 1 + Number(((BigInt(hash(0, gram)) * 0x9e3779b1n) & 0xffffffffn) % 99n);
  const tagOf = (gram: string): number => Math.max(1, hash(0, gram) >>> 24);
  const tagged = (...owners: readonly (readonly [bucket: number, gram: string])[]): HashedNgramsSpec => {
    const tags = new Uint8Array(100);
    for (const [bucket, gram] of owners) tags[bucket] = tagOf(gram);
    return { ...words, tags };
  };

  it('know an n-gram in either of its two buckets', () => {
    expect(groupsOf(tagged([first('wlost'), 'wlost']), 'lost')).toEqual([[first('wlost')]]);
    expect(groupsOf(tagged([second('wlost'), 'wlost']), 'lost')).toEqual([[second('wlost')]]);
    expect(first('wlost')).not.toBe(second('wlost'));
  });

  it('put every other one into bucket 0, once for each time it stands there', () => {
    const own = tagged([first('wlost'), 'wlost']);
    expect(groupsOf(own, 'my lost lost card')).toEqual([[0, first('wlost'), first('wlost'), 0]]);
  });

  it('know nothing where no bucket is taken', () => {
    expect(groupsOf(tagged(), 'any word at all')).toEqual([[0, 0, 0, 0]]);
  });
});
