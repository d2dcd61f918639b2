/**
 * Metrics of a range of time over all isolates: rollups, then raw windows of what is not rolled up yet, then what this isolate
 * has not put yet. Owns what is read and merged; leaves out parameters and rendering.
 */
import { decodeMetrics, emptyMetrics, mergeMetrics, type MetricsSnapshot } from '../../shared/measure/metrics.ts';
import type { Rollup } from '../../shared/measure/metrics-items.ts';
import { ALL_ROUTES, floorTo, planRange, ROLLUP_STEPS, type RollupSegment } from '../../shared/measure/rollup-steps.ts';
import { metricsSortKey } from '../../shared/names.ts';
import type { Clock, MetricsStore, RecordSink } from '../ports.ts';
import type { MetricsRange } from './metrics-range.ts';

export type Gathered = {
  readonly merged: MetricsSnapshot;
  readonly unreadable: number;
  /** Where the figures really begin: at a step that is still kept. */
  readonly fromMinute: number;
  /** First minute that no rollup holds; null where a range is so short that none was asked for, or none was found. */
  readonly rolledThrough: number | null;
};

/** So few minutes are read raw: nothing is fresher, and each costs one query a shard. */
const RAW_ONLY_MINUTES = 15;
/** Without a rollup for so long something is broken: older minutes are missing rather than read one by one. */
const MAX_RAW_MINUTES = 35;

export async function gatherMetrics(
  range: MetricsRange,
  store: MetricsStore,
  sink: RecordSink,
  clock: Clock,
  signal: AbortSignal,
): Promise<Gathered> {
  const nowMinute = Math.floor(clock.now() / 60_000);
  const isShort = range.fromMinute > nowMinute - RAW_ONLY_MINUTES;
  const rolledThrough = isShort ? undefined : await findRolledThrough(store, nowMinute, signal);
  const oldestRaw = floorTo(
    nowMinute - MAX_RAW_MINUTES + ROLLUP_STEPS.five_minutes.minutes,
    ROLLUP_STEPS.five_minutes.minutes,
  );
  const plan = isShort
    ? { fromMinute: range.fromMinute, segments: [], rawMinutes: minutesOf(range) }
    : planRange(range.fromMinute, range.toMinute, rolledThrough ?? oldestRaw);

  const windows = await store.read(plan.rawMinutes, signal);
  const stored = new Set(windows.map(({ isolateId, sequence }) => metricsSortKey(isolateId, sequence)));
  const merged = range.toMinute > nowMinute ? sink.pending(stored) : emptyMetrics();
  let unreadable = 0;
  const add = (body: string, change: Partial<MetricsSnapshot> = {}): void => {
    const decoded = decodeMetrics(body);
    if (decoded === undefined) unreadable += 1;
    else mergeMetrics(merged, { ...decoded, ...change });
  };
  for (const { body } of windows) add(body);
  const { wholes, parts } = await readRollups(store, plan.segments, signal);
  // The whole's own series is the sum of its routes, which come by themselves.
  for (const { body } of wholes) add(body, { routes: new Map() });
  for (const { body } of parts) add(body);
  return { merged, unreadable, fromMinute: plan.fromMinute, rolledThrough: rolledThrough ?? null };
}

async function readRollups(
  store: MetricsStore,
  segments: readonly RollupSegment[],
  signal: AbortSignal,
): Promise<{ readonly wholes: readonly Rollup[]; readonly parts: readonly Rollup[] }> {
  if (segments.length === 0) return { wholes: [], parts: [] };
  const wholes = await store.readRollups(
    segments.map((segment) => ({ ...segment, route: ALL_ROUTES })),
    signal,
  );
  const names = [...new Set(wholes.flatMap(({ routes }) => routes))];
  const wanted = names.flatMap((route) => segments.map((segment) => ({ ...segment, route })));
  return { wholes, parts: await store.readRollups(wanted, signal) };
}

async function findRolledThrough(
  store: MetricsStore,
  nowMinute: number,
  signal: AbortSignal,
): Promise<number | undefined> {
  const recent = { step: 'five_minutes', fromMinute: nowMinute - MAX_RAW_MINUTES, toMinute: nowMinute } as const;
  const found = await store.readRollups([{ ...recent, route: ALL_ROUTES }], signal);
  if (found.length === 0) return undefined;
  return Math.max(...found.map(({ startMinute }) => startMinute)) + ROLLUP_STEPS.five_minutes.minutes;
}

function minutesOf({ fromMinute, toMinute }: MetricsRange): readonly number[] {
  return Array.from({ length: toMinute - fromMinute }, (_unused, index) => fromMinute + index);
}
