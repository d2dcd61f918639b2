/** The tokenizer against the library that tokenized the training data. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { createWordPiece, parseVocabulary } from '../../../shared/tokenize/wordpiece.ts';

const read = (path: string): string =>
  readFileSync(fileURLToPath(new URL(`../../../${path}`, import.meta.url)), 'utf8');

type IntentFixture = {
  readonly max_tokens: number;
  readonly vocab_sha256: string;
  readonly cases: readonly (readonly [text: string, ids: readonly number[], truncated: boolean])[];
};
type CodePointFixture = {
  readonly vocab: readonly string[];
  readonly end: number;
  readonly runs: readonly (readonly [from: number, ids: string])[];
};

const intent: IntentFixture = JSON.parse(read('test/fixtures/wordpiece-intent.json'));
const codePoints: CodePointFixture = JSON.parse(read('test/fixtures/wordpiece-code-points.json'));
const vocabularyText = read('models/intent/vocab.txt');
const vocabulary = parseVocabulary(vocabularyText);

describe('WordPiece against the reference', () => {
  it('is compared over the vocabulary that the fixture was made with', () => {
    expect(createHash('sha256').update(vocabularyText).digest('hex')).toBe(intent.vocab_sha256);
    expect(intent.cases.length).toBeGreaterThan(2900);
  });

  it('gives the same ids for every real and hostile string', () => {
    const { encode } = createWordPiece(vocabulary, { lowercase: true, maxTokens: intent.max_tokens });
    const wrong = intent.cases.filter(([text, ids, truncated]) => {
      const encoded = encode(text);
      return encoded.ids.join() !== ids.join() || encoded.truncated !== truncated;
    });
    expect(wrong.map(([text]) => text)).toEqual([]);
  });

  it('treats every code point up to U+061C alike and at most 700 newer ones differently', () => {
    const { encode } = createWordPiece(parseVocabulary(codePoints.vocab.join('\n')), {
      lowercase: true,
      maxTokens: 64,
    });
    const different: number[] = [];
    codePoints.runs.forEach(([from, ids], index) => {
      const end = codePoints.runs[index + 1]?.[0] ?? codePoints.end;
      for (let codePoint = from; codePoint < end; codePoint += 1) {
        if (codePoint >= 0xd800 && codePoint < 0xe000) continue;
        if (
          encode(`a${String.fromCodePoint(codePoint)}a`)
            .ids.slice(1, -1)
            .join(' ') !== ids
        )
          different.push(codePoint);
      }
    });
    expect(different.filter((codePoint) => codePoint <= 0x61c)).toEqual([]);
    // Unicode 8 in the reference, the engine's own version here: an upper bound, since engines move on.
    expect(different.length).toBeLessThan(700);
  });
});

describe('WordPiece at its edges', () => {
  const small = parseVocabulary('[PAD]\n[UNK]\n[CLS]\n[SEP]\nbank\n##s\nBank\n');

  it('keeps case and accents when it is told not to lower-case', () => {
    const { encode } = createWordPiece(small, { lowercase: false, maxTokens: 8 });
    expect(encode('Bank banks').ids).toEqual([2, 6, 4, 5, 3]);
  });

  it('says truncated only when pieces were left out', () => {
    const { encode } = createWordPiece(small, { lowercase: true, maxTokens: 4 });
    expect(encode('bank bank')).toEqual({ ids: [2, 4, 4, 3], truncated: false });
    expect(encode('bank bank ')).toEqual({ ids: [2, 4, 4, 3], truncated: false });
    expect(encode('bank banks')).toEqual({ ids: [2, 4, 4, 3], truncated: true });
  });

  it('cuts inside a word as the reference does', () => {
    const { encode } = createWordPiece(small, { lowercase: true, maxTokens: 3 });
    expect(encode('banks')).toEqual({ ids: [2, 4, 3], truncated: true });
  });

  it('refuses a vocabulary without its special tokens and a limit with no room', () => {
    expect(() => createWordPiece(parseVocabulary('a\nb\n'), { lowercase: true, maxTokens: 8 })).toThrow('[UNK]');
    expect(() => createWordPiece(small, { lowercase: true, maxTokens: 2 })).toThrow(RangeError);
  });

  it('reads no more of a text of megabytes than the model does', () => {
    const { encode } = createWordPiece(small, { lowercase: true, maxTokens: 64 });
    const startedMs = performance.now();
    expect(encode('bank '.repeat(1_000_000)).truncated).toBe(true);
    expect(performance.now() - startedMs).toBeLessThan(50);
  });
});
