/** Rolling up: whatever comes late, twice or is cut off half way, the rollups end as the raw windows say. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fitInItem } from '../../../lambdas/rollup/fit-in-item.ts';
import { rollUp, wholeOf } from '../../../lambdas/rollup/roll-up.ts';
import {
  addRecord,
  decodeMetrics,
  emptyMetrics,
  encodeMetrics,
  mergeMetrics,
  OTHER_SERIES,
  type MetricsSnapshot,
} from '../../../shared/measure/metrics.ts';
import { quantile } from '../../../shared/measure/sketch.ts';
import { summarizeMetrics } from '../../../shared/measure/summary.ts';
import { createRecords } from '../../bench/metrics-traffic.ts';
import { createMemoryTable, type MemoryTable } from './memory-table.ts';

const DAY = 1_440;
const MIDNIGHT = 20_000 * DAY;
const minuteMs = (minute: number): number => minute * 60_000;

function windowOf(seed: number, minute: number, requests: number): MetricsSnapshot {
  const metrics = emptyMetrics();
  const recordAt = createRecords(seed);
  for (let n = 0; n < requests; n += 1) addRecord(metrics, recordAt(minuteMs(minute)));
  return metrics;
}

/** Of all rollups of a step, as their readers merge them. */
function total(table: MemoryTable, step: string): MetricsSnapshot {
  const sum = emptyMetrics();
  for (const rollup of table.stored.values()) {
    const decoded = decodeMetrics(rollup.body);
    if (decoded === undefined) throw new Error('a rollup that does not decode');
    if (rollup.step === step) mergeMetrics(sum, rollup.route === '*' ? { ...decoded, routes: new Map() } : decoded);
  }
  return sum;
}

function sorted(metrics: MetricsSnapshot): unknown {
  const parsed = JSON.parse(encodeMetrics(metrics)) as Record<'routes' | 'targets', [string][]>;
  const byName = (list: [string][]) => list.toSorted(([a], [b]) => (a < b ? -1 : 1));
  return { ...parsed, routes: byName(parsed.routes), targets: byName(parsed.targets) };
}

describe('a rollup', () => {
  it('says the same in five minutes, hours and days as the windows do, across midnight', async () => {
    const table = createMemoryTable();
    const sum = emptyMetrics();
    for (let minute = MIDNIGHT - 90; minute < MIDNIGHT + 90; minute += 1) {
      const window = windowOf(minute, minute, 7);
      mergeMetrics(sum, window);
      table.putWindow(minute, 'isolate#1', encodeMetrics(window));
      if (minute % 5 === 1) await rollUp(table, minuteMs(minute));
    }
    const run = await rollUp(table, minuteMs(MIDNIGHT + 91));
    expect(run.rolledThrough).toBe(MIDNIGHT + 90);
    // What is there began with the first run, an hour back at most: before it nothing was written here.
    for (const step of ['five_minutes', 'hour', 'day']) expect(sorted(total(table, step))).toEqual(sorted(sum));
    const days = [...table.stored.values()].filter(({ step, route }) => step === 'day' && route === '*');
    expect(days.map(({ startMinute }) => startMinute).sort((a, b) => a - b)).toEqual([MIDNIGHT - DAY, MIDNIGHT]);
  });

  it('counts late and repeated windows once, and a run that died anywhere is repeated without harm', async () => {
    const arrival = fc.record({
      minute: fc.integer({ min: 0, max: 59 }),
      lateness: fc.integer({ min: 0, max: 12 }),
      isolate: fc.integer({ min: 0, max: 3 }),
      seed: fc.integer({ min: 1, max: 999 }),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(arrival, { minLength: 1, maxLength: 30 }),
        fc.array(fc.integer({ min: 0, max: 20 }), { maxLength: 6 }),
        async (sent, deaths) => {
          const table = createMemoryTable();
          const sum = emptyMetrics();
          const begin = MIDNIGHT - 30;
          const seen = new Set<string>();
          const windows = sent.map(({ minute, lateness, isolate, seed }, index) => {
            const window = windowOf(seed, begin + minute, 3);
            const key = `${isolate}#${index}`;
            return { at: begin + minute + lateness, minute: begin + minute, key, body: encodeMetrics(window), window };
          });
          for (let minute = begin; minute < begin + 90; minute += 1) {
            for (const { at, minute: of, key, body, window } of windows) {
              // Every window is put twice: an answer was lost.
              if (at !== minute && at + 1 !== minute) continue;
              table.putWindow(of, key, body);
              if (!seen.has(key)) mergeMetrics(sum, window);
              seen.add(key);
            }
            if (minute % 5 !== 1) continue;
            table.dieAfter(deaths.shift() ?? Infinity);
            await rollUp(table, minuteMs(minute)).catch(() => undefined);
            table.dieAfter(Infinity);
          }
          await rollUp(table, minuteMs(begin + 91));
          for (const step of ['five_minutes', 'hour', 'day']) expect(sorted(total(table, step))).toEqual(sorted(sum));
        },
      ),
      { numRuns: 60 },
    );
  });

  it('catches up after a night, and leaves out nothing that is kept', async () => {
    const table = createMemoryTable();
    await rollUp(table, minuteMs(MIDNIGHT - 600));
    const sum = emptyMetrics();
    for (let minute = MIDNIGHT - 580; minute < MIDNIGHT; minute += 20) {
      const window = windowOf(minute, minute, 2);
      mergeMetrics(sum, window);
      table.putWindow(minute, 'i#1', encodeMetrics(window));
    }
    await rollUp(table, minuteMs(MIDNIGHT + 1));
    expect(sorted(total(table, 'hour'))).toEqual(sorted(sum));
  });

  it('counts windows that cannot be read, and goes on', async () => {
    const table = createMemoryTable();
    table.putWindow(MIDNIGHT - 3, 'a#1', 'garbage');
    table.putWindow(MIDNIGHT - 3, 'a#2', encodeMetrics(windowOf(1, MIDNIGHT - 3, 5)));
    const run = await rollUp(table, minuteMs(MIDNIGHT + 1));
    expect(run).toMatchObject({ windows: 2, unreadable: 1 });
    expect(summarizeMetrics(run.newest).request_count).toBe(5);
  });

  it('has quantiles within two percent of exact ones, after any number of merges', async () => {
    const table = createMemoryTable();
    const latencies: number[] = [];
    for (let minute = MIDNIGHT; minute < MIDNIGHT + 60; minute += 1) {
      for (let isolate = 0; isolate < 20; isolate += 1) {
        const metrics = emptyMetrics();
        const recordAt = createRecords(minute * 31 + isolate);
        for (let n = 0; n < 10; n += 1) {
          // Shifted away from zero: a relative error of nothing means nothing.
          const record = { ...recordAt(minuteMs(minute)), latencyMs: 5 + Math.exp(n + isolate / 4) / 100 };
          latencies.push(record.latencyMs);
          addRecord(metrics, record);
        }
        table.putWindow(minute, `${isolate}#1`, encodeMetrics(metrics));
      }
    }
    for (let minute = MIDNIGHT + 6; minute <= MIDNIGHT + 66; minute += 5) await rollUp(table, minuteMs(minute));
    const whole = table.stored.get(`day#*#${MIDNIGHT}`);
    const sketch = decodeMetrics(whole?.body ?? '')?.routes.get('*')?.latency;
    if (sketch === undefined) throw new Error('no sketch');
    const exact = latencies.sort((a, b) => a - b);
    for (const q of [0.5, 0.9, 0.95, 0.99, 0.999]) {
      const truth = exact[Math.floor(q * (exact.length - 1))] ?? 0;
      expect(Math.abs((quantile(sketch, q) ?? 0) / truth - 1)).toBeLessThanOrEqual(0.02);
    }
  });
});

describe('a body for one item', () => {
  it('folds the least used targets into one where all would not fit, and loses no count', () => {
    const metrics = wholeOf(windowOf(1, MIDNIGHT, 2_000));
    const before = summarizeMetrics(metrics);
    const body = fitInItem(metrics, 1_500);
    expect(body.length).toBeLessThanOrEqual(1_500);
    const kept = decodeMetrics(body);
    if (kept === undefined) throw new Error('does not decode');
    expect(kept.targets.has(OTHER_SERIES)).toBe(true);
    const after = summarizeMetrics(kept);
    const attempts = (summary: typeof before) => summary.by_target.reduce((sum, { attempt_count: n }) => sum + n, 0);
    expect(attempts(after)).toBe(attempts(before));
    expect(fitInItem(metrics)).toBe(encodeMetrics(metrics));
  });
});
