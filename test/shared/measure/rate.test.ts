import { describe, expect, it } from 'vitest';
import { addToRate, NO_RATE, ratePerMs } from '../../../shared/measure/rate.ts';

describe('a rate', () => {
  it('comes close to what is added per time, and forgets it', () => {
    let rate = NO_RATE;
    for (let nowMs = 0; nowMs < 20_000; nowMs += 10) rate = addToRate(rate, 5, nowMs);
    expect(ratePerMs(rate, 20_000)).toBeCloseTo(0.5, 2);
    expect(ratePerMs(rate, 22_000)).toBeCloseTo(0.5 / Math.E, 2);
    expect(ratePerMs(rate, 60_000)).toBeLessThan(1e-6);
    expect(ratePerMs(NO_RATE, 0)).toBe(0);
  });

  it('survives a clock that goes back', () => {
    const rate = addToRate(addToRate(NO_RATE, 5, 10_000), 5, 1_000);
    expect(ratePerMs(rate, 500)).toBeLessThanOrEqual(10 / 2_000);
    expect(ratePerMs(rate, 90_000)).toBeLessThan(1e-6);
  });
});
