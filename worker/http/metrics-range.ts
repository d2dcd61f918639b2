/**
 * Which time a caller of `/v1/metrics` asks about: the last minutes, hours or days, or from one time to another. Owns the
 * query parameters and their bounds.
 */
import { GatewayError } from '../../shared/errors.ts';

export type MetricsRange = {
  readonly fromMinute: number;
  /** Exclusive. */
  readonly toMinute: number;
};

const DEFAULT_MINUTES = 5;
/** How far back a range may be asked for in each. */
export const METRICS_UNITS = [
  { name: 'minutes', minutes: 1, max: 1_440 },
  { name: 'hours', minutes: 60, max: 744 },
  { name: 'days', minutes: 1_440, max: 400 },
] as const;
const MAX_RANGE_MINUTES = 400 * 1_440;

/** The minute that runs counts as the first of `minutes=1`. */
export function parseMetricsRange(parameters: URLSearchParams, nowMs: number): MetricsRange {
  const toMinute = Math.floor(nowMs / 60_000) + 1;
  const from = parameters.get('from');
  const to = parameters.get('to');
  const given = METRICS_UNITS.flatMap((unit) => {
    const text = parameters.get(unit.name);
    return text === null ? [] : [{ ...unit, text }];
  });
  if (given.length + (from === null ? 0 : 1) > 1)
    throw wrong('minutes', 'give one of minutes, hours, days, or from and to');
  if (from !== null) return between(minuteOf(from, 'from'), to === null ? toMinute : minuteOf(to, 'to'), toMinute);
  if (to !== null) throw wrong('from', 'must be given with to');
  const [unit] = given;
  if (unit === undefined) return { fromMinute: toMinute - DEFAULT_MINUTES, toMinute };
  const count = Number(unit.text);
  if (!Number.isInteger(count) || count < 1 || count > unit.max)
    throw wrong(unit.name, `must be a whole number from 1 to ${unit.max}`);
  return { fromMinute: toMinute - count * unit.minutes, toMinute };
}

function between(fromMinute: number, toMinute: number, nowEnd: number): MetricsRange {
  const end = Math.min(toMinute, nowEnd);
  if (fromMinute >= end) throw wrong('from', 'must be before to, and not in the future');
  if (end - fromMinute > MAX_RANGE_MINUTES)
    throw wrong('from', `must be at most ${MAX_RANGE_MINUTES / 1_440} days before to`);
  return { fromMinute, toMinute: end };
}

/** ISO 8601, or seconds since the epoch. */
function minuteOf(text: string, field: string): number {
  const ms = /^\d{1,12}$/.test(text)
    ? Number(text) * 1000
    : /^\d{4}-\d\d-\d\d/.test(text)
      ? Date.parse(text)
      : Number.NaN;
  if (!Number.isFinite(ms) || ms < 0)
    throw wrong(field, 'must be a time like 2026-11-24T12:00:00Z, or seconds since 1970');
  return Math.floor(ms / 60_000);
}

function wrong(field: string, problem: string): GatewayError {
  return new GatewayError('invalid_request', `${field}: ${problem}.`, { field });
}
