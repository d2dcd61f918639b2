/**
 * The worker's own sink and store, thousands of isolates of them, over simulated time: what they write and where. Owns the
 * simulation's clock and the units DynamoDB charges; the traffic is metrics-traffic.ts.
 */
import type { Item } from '../../shared/config/config-items.ts';
import { reportAttributes } from '../../shared/control/isolate-report.ts';
import { createDynamoMetricsStore } from '../../worker/store/metrics-store.ts';
import { createRecordSink } from '../../worker/store/record-sink.ts';
import { arrivals, createRecords, type TrafficShape } from './metrics-traffic.ts';
import { seeded } from './seeded.ts';

type Flushed = { readonly atMs: number; readonly item: Item; readonly sizeBytes: number };

export type FlushReport = {
  readonly requests: number;
  readonly flushes: readonly Flushed[];
  /** Latencies of all requests, for an exact quantile beside the merged sketches'. */
  readonly latenciesMs: readonly number[];
};

export const START_MS = 1_700_000_040_000;

type Timer = { readonly atMs: number; readonly wake: () => void };

/** @param shards as METRICS_SHARDS of the worker */
export async function simulateFlushes(shape: TrafficShape, shards: number): Promise<FlushReport> {
  let nowMs = START_MS;
  const clock = { now: () => nowMs };
  const flushes: Flushed[] = [];
  const timers: Timer[] = [];
  const random = seeded(shape.seed + 1);
  const store = createDynamoMetricsStore({
    shards,
    describeIsolate: () =>
      reportAttributes({
        place: 'FRA',
        configVersion: '12',
        inForceSinceMs: START_MS,
        reportedAtMs: nowMs,
        problem: null,
      }),
    client: {
      putItem(item) {
        flushes.push({ atMs: nowMs - START_MS, item, sizeBytes: itemBytes(item) });
        return Promise.resolve();
      },
      getItem: () => Promise.reject(new Error('not simulated')),
      query: () => Promise.reject(new Error('not simulated')),
      putItemIf: () => Promise.reject(new Error('not simulated')),
    },
  });
  const sinks = Array.from({ length: shape.isolates }, () =>
    createRecordSink({
      store,
      clock,
      random,
      isolateId: uuidFrom(random),
      sleep: (ms) => new Promise<void>((wake) => insert(timers, { atMs: nowMs + ms, wake })),
    }),
  );

  async function runTimers(untilMs: number): Promise<void> {
    for (let next = timers.at(-1); next !== undefined && next.atMs <= untilMs; next = timers.at(-1)) {
      timers.pop();
      nowMs = next.atMs;
      next.wake();
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  const recordAt = createRecords(shape.seed + 2);
  const latenciesMs: number[] = [];
  for (const { atMs, isolate } of arrivals(shape)) {
    await runTimers(START_MS + atMs);
    nowMs = START_MS + atMs;
    const record = recordAt(nowMs);
    latenciesMs.push(record.latencyMs);
    sinks[isolate]?.add(record);
    void sinks[isolate]?.flushWhenOver();
  }
  await runTimers(Infinity);
  return { requests: latenciesMs.length, flushes, latenciesMs };
}

/** Latest first, so that the next one is popped. */
function insert(timers: Timer[], timer: Timer): void {
  let low = 0;
  let high = timers.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((timers[middle]?.atMs ?? 0) > timer.atMs) low = middle + 1;
    else high = middle;
  }
  timers.splice(low, 0, timer);
}

/** As DynamoDB counts: names and texts in UTF-8, about a byte for two digits of a number and one more. */
export function itemBytes(item: Item): number {
  let bytes = 0;
  for (const [name, value] of Object.entries(item)) {
    bytes += Buffer.byteLength(name);
    bytes += 'S' in value ? Buffer.byteLength(value.S) : Math.ceil(value.N.length / 2) + 1;
  }
  return bytes;
}

function uuidFrom(random: () => number): string {
  const digits = Array.from({ length: 32 }, () => Math.floor(random() * 16).toString(16)).join('');
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
