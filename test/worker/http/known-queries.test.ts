import { describe, expect, it } from 'vitest';
import { parseQuery } from '../../../worker/http/graphql/known-queries.ts';

/** Distinct ones of so many characters, as tight as tokens come: a parsed one weighs 130 bytes a character. */
function queries(count: number, chars: number): string[] {
  return Array.from({ length: count }, (_, index) => `{m${index}{${'aaa '.repeat(chars / 4)}}}`);
}

describe('queries that are kept', () => {
  it('are as many short ones as clients use', () => {
    const texts = queries(100, 400);
    const parsed = texts.map(parseQuery);
    expect(texts.map(parseQuery).every((document, index) => document === parsed[index])).toBe(true);
  });

  it('are few long ones: strangers must not fill the isolate with them', () => {
    const texts = queries(100, 7_200);
    const parsed = texts.map(parseQuery);
    // The last first: asking for one that is gone would push out another.
    const kept = texts.toReversed().filter((text, index) => parseQuery(text) === parsed.at(-1 - index));
    expect(kept.length).toBeGreaterThan(0);
    expect(kept.length * 7_200).toBeLessThanOrEqual(65_536);
  });
});
