import { describe, expect, it } from 'vitest';
import type { AcceptanceEstimate } from '../../../shared/decide/facts.ts';
import { observeAcceptance } from '../../../shared/measure/acceptance.ts';

/** Confidence of each accepted answer, null for one that was not. */
function after(...confidences: readonly (number | null)[]): AcceptanceEstimate | undefined {
  return confidences.reduce<AcceptanceEstimate | undefined>(
    (before, confidence) =>
      observeAcceptance(before, { items: confidence === null ? 0 : 1, confidenceSum: confidence ?? 0 }, 1),
    undefined,
  );
}

describe('what was accepted of a place', () => {
  it('is the share of its inputs, and the mean confidence of the accepted ones alone', () => {
    expect(after(0.9, null, 0.95, null)).toMatchObject({ count: 4, acceptedRatio: 0.5 });
    expect(after(null, null, 0.9)?.acceptedConfidence).toBeCloseTo(0.9);
    expect(after(null, 0.9, null, 0.9)?.acceptedConfidence).toBeCloseTo(0.9);
  });

  it('counts a batch by its inputs', () => {
    expect(observeAcceptance(undefined, { items: 3, confidenceSum: 2.7 }, 4)).toEqual({
      count: 1,
      acceptedRatio: 0.75,
      acceptedConfidence: expect.closeTo(0.9),
    });
  });

  it('forgets: after some dozens of others the first ones hardly count', () => {
    expect(after(...Array.from({ length: 50 }, () => null), ...Array.from({ length: 100 }, () => 0.9))).toMatchObject({
      count: 40,
      acceptedRatio: expect.closeTo(1, 1),
    });
  });
});
