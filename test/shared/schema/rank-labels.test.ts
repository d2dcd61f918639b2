import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rankLabels } from '../../../shared/schema/rank-labels.ts';

const LABELS = ['a', 'b', 'c', 'd'];

describe('rankLabels', () => {
  it('gives softmax of logits over temperature, best first, no more than asked', () => {
    const top = rankLabels(Float32Array.of(1, 3, 2, 0), LABELS, 2, 3);
    const total = Math.exp(0.5) + Math.exp(1.5) + Math.exp(1) + 1;
    expect(top.map(({ label }) => label)).toEqual(['b', 'c', 'a']);
    expect(top[0]?.confidence).toBeCloseTo(Math.exp(1.5) / total, 12);
  });

  it('survives logits that overflow exp', () => {
    const [best, second] = rankLabels(Float32Array.of(-9000, 9000, 8999, 0), LABELS, 1, 2);
    expect(best?.label).toBe('b');
    expect((best?.confidence ?? 0) + (second?.confidence ?? 0)).toBeCloseTo(1, 6);
  });

  it('never leaves 0..1, sums to 1, and a higher temperature is never more confident', () => {
    const logits = fc.array(fc.float({ min: -50, max: 50, noNaN: true }), { minLength: 4, maxLength: 4 });
    fc.assert(
      fc.property(logits, fc.double({ min: 0.1, max: 5, noNaN: true }), (values, temperature) => {
        const cold = rankLabels(Float32Array.from(values), LABELS, temperature, 4);
        const warm = rankLabels(Float32Array.from(values), LABELS, temperature * 1.5, 4);
        const sum = cold.reduce((total, { confidence }) => total + confidence, 0);
        expect(sum).toBeCloseTo(1, 9);
        expect(cold.every(({ confidence }) => confidence >= 0 && confidence <= 1)).toBe(true);
        expect(warm[0]?.confidence).toBeLessThanOrEqual((cold[0]?.confidence ?? 0) + 1e-12);
      }),
    );
  });
});
