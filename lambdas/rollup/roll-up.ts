/**
 * Rolls flushed windows up: five minutes from raw windows, hours from those, days from hours. Everything is computed anew from
 * what it is made of and put whole under one key, so that a late window, a window put twice, a run repeated and a run that
 * died half way all end in the same items. Owns the order; the table is a port.
 */
import {
  decodeMetrics,
  emptyMetrics,
  encodeMetrics,
  mergeMetrics,
  type MetricsSnapshot,
} from '../../shared/measure/metrics.ts';
import type { Rollup } from '../../shared/measure/metrics-items.ts';
import { ALL_ROUTES, floorTo, ROLLUP_STEPS, type RollupStep } from '../../shared/measure/rollup-steps.ts';
import { fitInItem } from './fit-in-item.ts';

export type RollupTable = {
  /** Bodies of all windows of a minute, over all shards, as they come. */
  windowBodies(minute: number): AsyncIterable<string>;
  rollups(step: RollupStep, route: string, fromMinute: number, toMinute: number): Promise<readonly Rollup[]>;
  put(rollup: Rollup): Promise<void>;
  /** Up to where the last run came that was finished. */
  finishedThrough(): Promise<number | undefined>;
  finish(throughMinute: number): Promise<void>;
};

export type RollupRun = {
  /** First minute that has no rollup yet. */
  readonly rolledThrough: number;
  readonly buckets: number;
  readonly windows: number;
  readonly unreadable: number;
  /** The newest five minutes, over all routes. */
  readonly newest: MetricsSnapshot;
};

/** A window is put within half a minute of its end; what comes later is found by the next runs. */
const SETTLE_MINUTES = 1;
/** Before the end of the last finished run: longer than a worker keeps a window it cannot put. */
const RECOMPUTED_MINUTES = 15;
/** A table that was never rolled up begins here; one that was away for days, as far back as windows are kept. */
const FIRST_RUN_MINUTES = 60;
const LONGEST_GAP_MINUTES = 47 * 60;
const STEP_MINUTES = ROLLUP_STEPS.five_minutes.minutes;

export async function rollUp(table: RollupTable, nowMs: number): Promise<RollupRun> {
  const end = floorTo(Math.floor(nowMs / 60_000) - SETTLE_MINUTES, STEP_MINUTES);
  const begin = firstBucket(await table.finishedThrough(), end);
  const counts = { windows: 0, unreadable: 0 };
  let newest = emptyMetrics();
  for (let start = begin; start < end; start += STEP_MINUTES) {
    newest = await readWindows(table, start, counts);
    await putRollups(table, 'five_minutes', start, newest, [...newest.routes.keys()]);
  }
  for (const hour of startsOf('hour', begin, end)) await rollCoarser(table, 'five_minutes', 'hour', hour);
  for (const day of startsOf('day', begin, end)) await rollCoarser(table, 'hour', 'day', day);
  await table.finish(end);
  return { rolledThrough: end, buckets: (end - begin) / STEP_MINUTES, ...counts, newest };
}

/** From the last run that was finished, not from the last that wrote something: what one left undone is done again. */
function firstBucket(finishedThrough: number | undefined, end: number): number {
  if (finishedThrough === undefined) return end - FIRST_RUN_MINUTES;
  return Math.max(
    Math.min(finishedThrough, end) - RECOMPUTED_MINUTES,
    floorTo(end - LONGEST_GAP_MINUTES, STEP_MINUTES),
  );
}

async function readWindows(
  table: RollupTable,
  start: number,
  counts: { windows: number; unreadable: number },
): Promise<MetricsSnapshot> {
  const sum = emptyMetrics();
  const addMinute = async (minute: number): Promise<void> => {
    for await (const body of table.windowBodies(minute)) {
      const decoded = decodeMetrics(body);
      counts.windows += 1;
      if (decoded === undefined) counts.unreadable += 1;
      else mergeMetrics(sum, decoded);
    }
  };
  await Promise.all(Array.from({ length: STEP_MINUTES }, (_unused, index) => addMinute(start + index)));
  return sum;
}

async function rollCoarser(table: RollupTable, finer: RollupStep, step: RollupStep, start: number): Promise<void> {
  const end = start + ROLLUP_STEPS[step].minutes;
  const wholes = await table.rollups(finer, ALL_ROUTES, start, end);
  const names = [...new Set(wholes.flatMap(({ routes }) => routes))];
  const sum = emptyMetrics();
  for (const whole of wholes) mergeTargets(sum, whole);
  for (const name of names) {
    for (const part of await table.rollups(finer, name, start, end)) {
      const decoded = decodeMetrics(part.body);
      if (decoded !== undefined) mergeMetrics(sum, decoded);
    }
  }
  await putRollups(table, step, start, sum, names);
}

/** The whole's own series is the sum of its routes, which come by themselves. */
function mergeTargets(sum: MetricsSnapshot, whole: Rollup): void {
  const decoded = decodeMetrics(whole.body);
  if (decoded !== undefined) mergeMetrics(sum, { ...decoded, routes: new Map() });
}

/** Routes first: where the whole is there, all of it is. */
async function putRollups(
  table: RollupTable,
  step: RollupStep,
  startMinute: number,
  metrics: MetricsSnapshot,
  names: readonly string[],
): Promise<void> {
  const { startMinute: start, endMinute: end } = metrics;
  for (const route of names) {
    const series = metrics.routes.get(route);
    if (series === undefined) continue;
    const routes = new Map([[route, series]]);
    const body = encodeMetrics({ startMinute: start, endMinute: end, routes, targets: new Map() });
    await table.put({ step, route, startMinute, routes: [], body });
  }
  await table.put({ step, route: ALL_ROUTES, startMinute, routes: names, body: fitInItem(wholeOf(metrics)) });
}

/** All routes as one series, beside the targets. */
export function wholeOf(metrics: MetricsSnapshot): MetricsSnapshot {
  const whole = emptyMetrics();
  for (const series of metrics.routes.values()) {
    mergeMetrics(whole, { ...metrics, routes: new Map([[ALL_ROUTES, series]]), targets: new Map() });
  }
  mergeMetrics(whole, { ...metrics, routes: new Map() });
  return whole;
}

function startsOf(step: RollupStep, fromMinute: number, toMinute: number): readonly number[] {
  const { minutes } = ROLLUP_STEPS[step];
  const starts: number[] = [];
  for (let start = floorTo(fromMinute, minutes); start < toMinute; start += minutes) starts.push(start);
  return starts;
}
