// Training the difficulty estimate: the curve, least squares, and that it learns what there is to learn and nothing else.

import { describe, expect, it } from 'vitest';
import type { Question } from '../../cli/difficulty/question-rows.ts';
import { gramRows } from '../../cli/difficulty/question-rows.ts';
import { ridge } from '../../cli/difficulty/ridge.ts';
import { routingFigures } from '../../cli/difficulty/routing-curve.ts';
import { calibration, crossValidated } from '../../cli/difficulty/train-difficulty.ts';
import { crossValidatedAnswers } from '../../cli/difficulty/train-answer.ts';
import { seeded } from '../bench/seeded.ts';

const GRAMS = { bits: 12, sizes: [2, 4], max_chars: 200 } as const;

/** Questions about tensors are beyond the weak model, about cats are not. */
function questions(count: number): Question[] {
  return Array.from({ length: count }, (_, i) => ({
    prompt: i % 3 === 0 ? `what is tensor number ${i}?` : `what is cat number ${i}?`,
    weakRight: i % 3 !== 0,
    strongRight: true,
  }));
}

describe('the routing curve', () => {
  const outcomes = questions(9);

  it('is best where all that the large model gains comes first', () => {
    const scores = outcomes.map(({ weakRight }) => (weakRight ? 0 : 1));
    const { apgr, cpt50, cpt80 } = routingFigures(scores, outcomes);
    expect(apgr).toBeCloseTo(1 - 1 / 6, 12);
    expect([cpt50, cpt80]).toEqual([2 / 9, 3 / 9]);
  });

  it('is worst where it comes last', () => {
    const { apgr, cpt80 } = routingFigures(
      outcomes.map(({ weakRight }) => (weakRight ? 1 : 0)),
      outcomes,
    );
    expect(apgr).toBeCloseTo(1 / 6, 12);
    expect(cpt80).toBe(1);
  });
});

describe('ridge', () => {
  it('solves the normal equations', () => {
    // Rows (1, 0), (1, 1), (0, 1), scaled by 1; penalty 1: (3 1; 1 3) w = (3, 5).
    const x = {
      starts: Uint32Array.of(0, 1, 3, 4),
      columns: Uint32Array.of(0, 0, 1, 1),
      rowScales: Float64Array.of(1, 1, 1),
      columnScales: Float64Array.of(1, 1),
    };
    const weights = ridge(x, [0, 1, 2], Float64Array.of(1, 2, 3), 1);
    expect([...weights].map((weight) => Number(weight.toFixed(9)))).toEqual([0.5, 1.5]);
  });

  it('weighs n-grams by how rare they are among the rows it may know', () => {
    const { columnScales, starts } = gramRows(questions(6), [0, 1], GRAMS);
    expect(starts).toHaveLength(7);
    expect(Math.min(...columnScales)).toBe(0);
    expect(Math.max(...columnScales)).toBeCloseTo(Math.log(3) ** 1.3, 12);
  });

  it('weighs values as they are, times their column’s scale', () => {
    // Rows (2, 0), (0, 3) by values 2 and 1.5, the second column twice as heavy; penalty 1: (5 0; 0 10) w = (2, 3).
    const x = {
      starts: Uint32Array.of(0, 1, 2),
      columns: Uint32Array.of(0, 1),
      values: Float64Array.of(2, 1.5),
      rowScales: Float64Array.of(1, 1),
      columnScales: Float64Array.of(1, 2),
    };
    const weights = ridge(x, [0, 1], Float64Array.of(1, 1), 1);
    expect([...weights].map((weight) => Number(weight.toFixed(9)))).toEqual([0.4, 0.6]);
  });
});

describe('cross-validation of answers read', () => {
  it('finds the wrong ones by their sums, where the questions tell nothing', () => {
    const random = seeded(5);
    const all = Array.from({ length: 200 }, (_, i) => {
      const [a, b, weakRight] = [10 + Math.floor(random() * 80), 10 + Math.floor(random() * 80), random() < 0.6];
      const result = a + b + (weakRight ? 0 : 7);
      const weakAnswer = `<<${a}+${b}=${result}>>\n#### ${result}`;
      return { prompt: `sum ${i}: ${a} and ${b}?`, weakAnswer, weakRight, strongRight: true };
    });
    const read = routingFigures(crossValidatedAnswers(all, 5, seeded(1), GRAMS), all).apgr;
    const unread = routingFigures(crossValidated(all, 5, seeded(1), GRAMS), all).apgr;
    expect(read).toBeGreaterThan(0.78);
    expect(unread).toBeLessThan(0.62);
  });
});

describe('cross-validation', () => {
  it('finds the questions worth the large model', () => {
    const all = questions(300);
    const scores = crossValidated(all, 5, seeded(1), GRAMS);
    expect(routingFigures(scores, all).apgr).toBeGreaterThan(0.8);
    const { slope } = calibration(scores, all);
    expect(slope).toBeGreaterThan(0.9);
  });

  it('finds nothing where there is nothing to find', () => {
    const random = seeded(3);
    const all = questions(600).map((question) => ({ ...question, weakRight: random() < 0.7 }));
    const { apgr } = routingFigures(crossValidated(all, 5, seeded(1), GRAMS), all);
    expect(Math.abs(apgr - 0.5)).toBeLessThan(0.08);
  });
});
