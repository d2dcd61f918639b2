// What an answer shows of whether it is right: the same number of signs for whatever text, and wrong sums are seen.

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { answerSigns } from '../../../shared/difficulty/answer-signs.ts';
import { createScoreAnswer } from '../../../shared/difficulty/score-answer.ts';

const QUESTION = 'A pen costs $3. How much do 4 pens cost?';

describe('the signs of an answer', () => {
  it('are as many for every text, and finite', () => {
    const count = answerSigns('', '').length;
    const sum = fc.string({
      unit: fc.constantFrom(
        '7',
        '12',
        '.5',
        ',',
        '+',
        '-',
        '*',
        '/',
        '(',
        ')',
        '=',
        '<<',
        '>>',
        '####',
        ' ',
        'x',
        '\\',
        '\n',
      ),
      maxLength: 200,
    });
    fc.assert(
      fc.property(fc.oneof(fc.string(), sum), fc.oneof(fc.string(), sum), (question, answer) => {
        const signs = answerSigns(question, answer);
        expect(signs).toHaveLength(count);
        expect(signs.every(Number.isFinite)).toBe(true);
      }),
    );
  });

  it.each([
    ['<<3*4=12>>', '<<3*4=13>>'],
    ['3 x 4 = 12', '3 x 4 = 13'],
    ['<<(3+4)*2=14>>', '<<(3+4)*2=11>>'],
    ['<<3-4=-1>>', '<<3-4=1>>'],
    ['<<1,000*2=2,000>>', '<<1,000*2=3,000>>'],
  ])('tell %s from %s by what it comes to', (right, wrong) => {
    // Only the digits of the result differ, so that a change in the count of wrong sums is what is left.
    const [rightSigns, wrongSigns] = [right, wrong].map((sum) => answerSigns(QUESTION, `${sum}\n#### 7`));
    const raised = (wrongSigns ?? []).filter((sign, i) => sign === Math.log1p(1) && rightSigns?.[i] === 0);
    expect(raised.length).toBeGreaterThanOrEqual(2);
  });

  it('take no longer than their length allows for an answer made to be slow', () => {
    for (const part of ['(', '-', '1 ', '1+', '<<', '9'.repeat(7)])
      expect(answerSigns(QUESTION, part.repeat(100_000)).every(Number.isFinite)).toBe(true);
  });
});

describe('the score of an answer read', () => {
  const none = answerSigns('', '').map(() => 0);
  const signs = { means: none, deviations: none.map(() => 1) };
  const grams = { bits: 8, sizes: [1, 1], max_chars: 100 } as const;

  it('adds question, answer and signs, no sign by more than four deviations', () => {
    const buckets = 2 ** grams.bits;
    const weights = new Float64Array(2 * buckets + none.length);
    weights.fill(1, 0, buckets);
    weights.fill(10, buckets, 2 * buckets);
    expect(createScoreAnswer({ grams, signs, weights })('a', 'b')).toBe(11);
    weights.fill(100, 2 * buckets, 2 * buckets + 1);
    const score = createScoreAnswer({ grams, signs: { ...signs, means: none.map(() => -1000) }, weights });
    expect(score('a', 'b')).toBe(411);
  });
});
