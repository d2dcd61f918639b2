/**
 * Metrics as DynamoDB items: flushed windows and rollups. Owns keys, shards and expiry, both ways; leaves out what a body
 * holds (metrics.ts) and sending anything. Values are in DynamoDB's own JSON form.
 */
import type { Item } from '../config/config-items.ts';
import { fnv1a } from '../hash/fnv1a.ts';
import {
  metricsPartition,
  metricsSortKey,
  rollupPartition,
  rollupSortKey,
  TABLE_PARTITION_KEY,
  TABLE_SORT_KEY,
  TABLE_TTL_ATTRIBUTE,
} from '../names.ts';
import { ROLLUP_STEPS, type RollupStep } from './rollup-steps.ts';

/** Long enough for a rollup that was away over a night and a day. */
const WINDOW_KEEP_MINUTES = 48 * 60;

export type WindowItem = {
  readonly minute: number;
  readonly isolateId: string;
  readonly sequence: number;
  /** MetricsSnapshot as JSON text. */
  readonly body: string;
};

/** @param shards partitions a minute is spread over; readers and writers must agree */
export function putWindow(window: WindowItem, shards: number): Item {
  return {
    [TABLE_PARTITION_KEY]: { S: metricsPartition(window.minute, shardOf(window.isolateId, shards)) },
    [TABLE_SORT_KEY]: { S: metricsSortKey(window.isolateId, window.sequence) },
    [TABLE_TTL_ATTRIBUTE]: { N: String((window.minute + WINDOW_KEEP_MINUTES) * 60) },
    body: { S: window.body },
  };
}

/** All that the keys do not say is the body. An item that is no window gives undefined: one must not blind the whole view. */
export function parseWindow(item: Item): WindowItem | undefined {
  const [prefix, minuteText] = textOf(item[TABLE_PARTITION_KEY])?.split('#') ?? [];
  const [isolateId, sequenceText, ...rest] = textOf(item[TABLE_SORT_KEY])?.split('#') ?? [];
  const minute = wholeNumber(minuteText);
  const sequence = wholeNumber(sequenceText);
  const body = textOf(item['body']);
  if (prefix !== 'M1' || rest.length > 0 || isolateId === undefined || isolateId === '') return undefined;
  if (minute === undefined || sequence === undefined || body === undefined) return undefined;
  return { minute, isolateId, sequence, body };
}

/** Every partition that may hold windows of the minute. */
export function windowPartitions(minute: number, shards: number): readonly string[] {
  return Array.from({ length: shards }, (_unused, shard) => metricsPartition(minute, shard));
}

export type Rollup = {
  readonly step: RollupStep;
  /** ALL_ROUTES for the whole gateway. */
  readonly route: string;
  readonly startMinute: number;
  /** Of ALL_ROUTES only: the routes that have a rollup of their own for this time. */
  readonly routes: readonly string[];
  readonly body: string;
};

/** Deterministic: the same rollup made twice is stored once. */
export function putRollup({ step, route, startMinute, routes, body }: Rollup): Item {
  const { minutes, keepDays } = ROLLUP_STEPS[step];
  return {
    [TABLE_PARTITION_KEY]: { S: rollupPartition(minutes, route, periodOf(step, startMinute)) },
    [TABLE_SORT_KEY]: { S: rollupSortKey(startMinute) },
    [TABLE_TTL_ATTRIBUTE]: { N: String((startMinute + minutes + keepDays * 1440) * 60) },
    routes: { S: JSON.stringify(routes) },
    body: { S: body },
  };
}

export function parseRollup(step: RollupStep, route: string, item: Item): Rollup | undefined {
  const startMinute = wholeNumber(textOf(item[TABLE_SORT_KEY]));
  const body = textOf(item['body']);
  const routes = parseNames(textOf(item['routes']));
  if (startMinute === undefined || body === undefined || routes === undefined) return undefined;
  return { step, route, startMinute, routes, body };
}

export type RollupQuery = { readonly partition: string; readonly from: string; readonly to: string };

/** One query a partition that overlaps the range. @param toMinute exclusive */
export function rollupQueries(
  step: RollupStep,
  route: string,
  fromMinute: number,
  toMinute: number,
): readonly RollupQuery[] {
  const { minutes } = ROLLUP_STEPS[step];
  const periods = new Set<string>();
  // No period is shorter than a day; its last minute may lie in another one than a day's steps say.
  for (let minute = fromMinute; minute < toMinute; minute += 1440) periods.add(periodOf(step, minute));
  if (toMinute > fromMinute) periods.add(periodOf(step, toMinute - 1));
  return Array.from(periods, (period) => ({
    partition: rollupPartition(minutes, route, period),
    from: rollupSortKey(fromMinute),
    to: rollupSortKey(toMinute - 1),
  }));
}

function periodOf(step: RollupStep, startMinute: number): string {
  const date = new Date(startMinute * 60_000).toISOString().slice(0, 10).replaceAll('-', '');
  return date.slice(0, ROLLUP_STEPS[step].periodDigits);
}

function parseNames(text: string | undefined): readonly string[] | undefined {
  try {
    const names: unknown = JSON.parse(text ?? '');
    return Array.isArray(names) && names.every((name) => typeof name === 'string') ? names : undefined;
  } catch {
    return undefined;
  }
}

function textOf(value: Item[string] | undefined): string | undefined {
  return value !== undefined && 'S' in value ? value.S : undefined;
}

function wholeNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

/** The same isolate always writes to the same shard of a minute, so that a repeated put meets its first. */
function shardOf(isolateId: string, shards: number): number {
  return fnv1a(isolateId) % shards;
}
