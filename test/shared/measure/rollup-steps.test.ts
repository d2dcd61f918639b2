/** Which rollups and windows answer a range: every minute once, as coarse as it may be, and nothing that is gone. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planRange, ROLLUP_STEPS, type RangePlan } from '../../../shared/measure/rollup-steps.ts';

const DAY = 1_440;
const MIDNIGHT = 20_000 * DAY;

function minutesOf({ segments, rawMinutes }: RangePlan): number[] {
  const rolled = segments.flatMap(({ fromMinute, toMinute }) =>
    Array.from({ length: toMinute - fromMinute }, (_unused, index) => fromMinute + index),
  );
  return [...rolled, ...rawMinutes];
}

describe('the plan of a range', () => {
  it('takes days, then hours, then five minutes, then raw minutes', () => {
    const now = MIDNIGHT + 2 * DAY + 13 * 60 + 27;
    expect(planRange(MIDNIGHT + 23 * 60 + 50, now, now - 2)).toEqual({
      fromMinute: MIDNIGHT + 23 * 60 + 50,
      segments: [
        { step: 'five_minutes', fromMinute: MIDNIGHT + 23 * 60 + 50, toMinute: MIDNIGHT + DAY },
        { step: 'day', fromMinute: MIDNIGHT + DAY, toMinute: MIDNIGHT + 2 * DAY },
        { step: 'hour', fromMinute: MIDNIGHT + 2 * DAY, toMinute: now - 27 },
        { step: 'five_minutes', fromMinute: now - 27, toMinute: now - 2 },
      ],
      rawMinutes: [now - 2, now - 1],
    });
  });

  it('covers every minute of the range once, and no other', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 5_000 }),
        fc.integer({ min: 1, max: 5_000 }),
        fc.integer({ min: 0, max: 12 }),
        (ago, length, lag) => {
          const now = MIDNIGHT + 777;
          const rolledThrough = Math.floor((now - lag) / 5) * 5;
          const to = Math.min(now + 1, now - ago + length);
          const plan = planRange(now - ago, to, rolledThrough);
          const begin = Math.floor((now - ago) / 5) * 5;
          expect(plan.fromMinute).toBe(Math.min(begin, to));
          expect(minutesOf(plan)).toEqual(
            Array.from({ length: Math.max(0, to - begin) }, (_unused, index) => begin + index),
          );
          for (const { step, fromMinute, toMinute } of plan.segments) {
            expect(fromMinute % ROLLUP_STEPS[step].minutes).toBe(0);
            expect(toMinute).toBeLessThanOrEqual(rolledThrough);
          }
        },
      ),
    );
  });

  it('begins at a step that is still kept: an hour after 14 days, a day after 400', () => {
    const now = MIDNIGHT + 777;
    const hourly = planRange(now - 20 * DAY, now, MIDNIGHT);
    expect(hourly.fromMinute % 60).toBe(0);
    expect(hourly.segments[0]?.step).toBe('hour');
    const daily = planRange(now - 401 * DAY, now, MIDNIGHT);
    expect(daily.fromMinute % DAY).toBe(0);
    expect(daily.segments[0]?.step).toBe('day');
  });
});
