/**
 * The progress line: shown to people only.
 */
import { describe, expect, it } from 'vitest';
import { createProgress, progressLine } from '../../cli/progress.ts';

describe('progress', () => {
  it('says how many are done, how fast, and how long still', () => {
    expect(progressLine('intent', 50, 200, 1_000)).toBe('intent [######..................] 50/200  50/s  3 s left');
  });

  it('does not divide by a time or a total of zero', () => {
    expect(progressLine('x', 0, 10, 0)).toContain('0/10  0/s  starting');
    expect(progressLine('x', 0, 0, 0)).toContain('0/0');
  });

  it('is silent where nobody watches', () => {
    const written: string[] = [];
    const progress = createProgress('x', 2, { write: (text) => written.push(text) }, () => 0);
    progress.update(1);
    progress.end();
    expect(written).toEqual([]);
  });

  it('redraws at most ten times a second, and always at the end', () => {
    const written: string[] = [];
    let nowMs = 0;
    const progress = createProgress('x', 100, { isTTY: true, write: (text) => written.push(text) }, () => nowMs);
    for (let done = 1; done <= 100; done += 1) {
      nowMs += 10;
      progress.update(done);
    }
    expect(written.length).toBeLessThanOrEqual(12);
    expect(written.at(-1)).toContain('100/100');
  });
});
