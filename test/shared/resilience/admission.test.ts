import { describe, expect, it } from 'vitest';
import { admission } from '../../../shared/resilience/admission.ts';
import type { Limits } from '../../../shared/schema/config.ts';
import { PRIORITIES } from '../../../shared/schema/infer-request.ts';

const limits: Limits = {
  max_body_bytes: 1,
  max_batch: 1,
  max_in_flight: 1_000,
  shed_above: { low: 0.5, normal: 0.8, high: 0.95, critical: 1 },
};
const at = (inFlight: number, endedPerSecond = 100) =>
  PRIORITIES.map((priority) => admission(priority, { inFlight, endedPerSecond }, limits).kind === 'admitted');

describe('admission', () => {
  it('sheds the least important first', () => {
    expect(at(500)).toEqual([true, true, true, true]);
    expect(at(501)).toEqual([false, true, true, true]);
    expect(at(801)).toEqual([false, false, true, true]);
    expect(at(951)).toEqual([false, false, false, true]);
    expect(at(1_001)).toEqual([false, false, false, false]);
  });

  it.each([
    [900, 100, 4_000],
    [900, 10, 30_000],
    [900, 4_000, 1_000],
    [900, 0, 1_000],
  ])(
    'says to come back when enough of %d requests have ended at %d a second',
    (inFlight, endedPerSecond, retryAfterMs) => {
      expect(admission('low', { inFlight, endedPerSecond }, limits)).toEqual({ kind: 'shed', retryAfterMs });
    },
  );
});
