/**
 * The steps of time that metrics are rolled up in, and which of them answer a range: the coarsest that fit, then finer ones,
 * then the raw windows of what is not rolled up yet. Pure; minutes are whole and since the epoch, ends are exclusive.
 */

export type RollupStep = 'five_minutes' | 'hour' | 'day';

/** Under it, the whole gateway; no route can have this name. */
export const ALL_ROUTES = '*';

export const ROLLUP_STEPS: Readonly<
  Record<RollupStep, { readonly minutes: number; readonly keepDays: number; readonly periodDigits: 4 | 6 | 8 }>
> = {
  five_minutes: { minutes: 5, keepDays: 14, periodDigits: 8 },
  hour: { minutes: 60, keepDays: 400, periodDigits: 6 },
  day: { minutes: 1440, keepDays: 1830, periodDigits: 4 },
};

export type RollupSegment = { readonly step: RollupStep; readonly fromMinute: number; readonly toMinute: number };
export type RangePlan = {
  /** Where the range really begins: at a start that is still kept. */
  readonly fromMinute: number;
  readonly segments: readonly RollupSegment[];
  readonly rawMinutes: readonly number[];
};

const COARSEST_FIRST: readonly RollupStep[] = ['day', 'hour', 'five_minutes'];

/** @param rolledThrough the first minute that no rollup has yet; a multiple of five */
export function planRange(fromMinute: number, toMinute: number, rolledThrough: number): RangePlan {
  const from = Math.min(alignedStart(fromMinute, rolledThrough), toMinute);
  const rolledEnd = Math.min(floorTo(toMinute, ROLLUP_STEPS.five_minutes.minutes), rolledThrough);
  const segments: RollupSegment[] = [];
  let cursor = from;
  while (cursor < rolledEnd) {
    const at = cursor;
    const step = COARSEST_FIRST.find(
      (candidate) => at % ROLLUP_STEPS[candidate].minutes === 0 && at + ROLLUP_STEPS[candidate].minutes <= rolledEnd,
    );
    if (step === undefined) break;
    const end = cursor + ROLLUP_STEPS[step].minutes;
    const last = segments.at(-1);
    if (last?.step === step) segments[segments.length - 1] = { ...last, toMinute: end };
    else segments.push({ step, fromMinute: cursor, toMinute: end });
    cursor = end;
  }
  const rawFrom = Math.max(cursor, from);
  return {
    fromMinute: from,
    segments,
    rawMinutes: Array.from({ length: Math.max(0, toMinute - rawFrom) }, (_unused, index) => rawFrom + index),
  };
}

/** What is older than its step is kept only in the next coarser one, so the range begins where that does. */
function alignedStart(fromMinute: number, nowMinute: number): number {
  const ageDays = (nowMinute - fromMinute) / 1440;
  const step = (['five_minutes', 'hour'] as const).find((candidate) => ageDays < ROLLUP_STEPS[candidate].keepDays);
  return floorTo(fromMinute, ROLLUP_STEPS[step ?? 'day'].minutes);
}

export function floorTo(minute: number, stepMinutes: number): number {
  return Math.floor(minute / stepMinutes) * stepMinutes;
}
