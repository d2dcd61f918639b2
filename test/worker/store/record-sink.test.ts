/** Windows of metrics: none counted twice, at most one lost with the isolate, and a store that is away never felt. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeMetrics, emptyMetrics, mergeMetrics } from '../../../shared/measure/metrics.ts';
import type { MetricsSnapshot } from '../../../shared/measure/metrics.ts';
import type { RequestRecord } from '../../../shared/schema/record.ts';
import type { PackedWindow } from '../../../worker/ports.ts';
import { createRecordSink } from '../../../worker/store/record-sink.ts';
import type { RecordSinkOptions } from '../../../worker/store/record-sink.ts';
import { createFakeClock } from '../../fakes/fake-clock.ts';
import { createMemoryMetricsStore } from '../../fakes/memory-metrics-store.ts';

function open(change: Partial<RecordSinkOptions> = {}) {
  const clock = createFakeClock();
  const store = createMemoryMetricsStore();
  const sink = createRecordSink({ store, clock, random: () => 0, isolateId: 'isolate-1', windowMs: 20_000, ...change });
  const add = (count = 1): void => {
    for (let n = 0; n < count; n += 1) sink.add(record(clock.now()));
  };
  return { clock, store, sink, add };
}

function record(startedAtMs: number): RequestRecord {
  return {
    requestId: 'r',
    tenant: 't',
    route: 'mood',
    model: 'mood',
    protocol: 'native',
    priority: 'normal',
    startedAtMs,
    latencyMs: 5,
    cache: 'miss',
    attempts: [],
    items: 1,
    edgeItems: 1,
    outcome: 'ok',
    errorCode: null,
    costNanos: 1,
    cloudOnlyCostNanos: 2,
    missed: [],
    configVersion: '1',
  };
}

function countIn(metrics: MetricsSnapshot): number {
  return [...metrics.routes.values()].reduce((sum, route) => sum + route.requests, 0);
}

function countStored(windows: readonly PackedWindow[]): number {
  const sum = emptyMetrics();
  for (const { body } of windows) mergeMetrics(sum, decodeMetrics(body) ?? emptyMetrics());
  return countIn(sum);
}

describe('the record sink', () => {
  it('keeps one request behind per window, and puts the window when it is over', async () => {
    const waits: number[] = [];
    const sleeping = Promise.withResolvers<void>();
    const sleep = (ms: number) => {
      waits.push(ms);
      return sleeping.promise;
    };
    const { clock, store, sink, add } = open({ sleep });
    expect(sink.flushWhenOver()).toBeUndefined();
    add();
    const startMinute = Math.floor(clock.now() / 60_000);
    const put = sink.flushWhenOver();
    clock.advance(5_000);
    add();
    expect(sink.flushWhenOver()).toBeUndefined();
    clock.advance(15_000);
    sleeping.resolve();
    await put;
    expect(waits).toEqual([20_000]);
    expect(countStored(await store.read([startMinute], new AbortController().signal))).toBe(2);
    add();
    expect(sink.flushWhenOver()).toBeDefined();
  });

  it('lets another request take over where the one that stayed behind died', () => {
    const { clock, sink, add } = open({ sleep: () => new Promise(() => undefined) });
    add();
    expect(sink.flushWhenOver()).toBeDefined();
    clock.advance(20_000 + 15_001);
    add();
    expect(sink.flushWhenOver()).toBeDefined();
  });

  it('does not count a window twice whose put succeeded without an answer', async () => {
    const memory = createMemoryMetricsStore();
    const store = {
      ...memory,
      put: async (window: PackedWindow) => {
        await memory.put(window);
        throw new Error('the answer was lost');
      },
    };
    const { sink, add } = open({ store });
    add(3);
    await sink.flush(true);
    expect(countIn(sink.pending(new Set()))).toBe(3);
    expect(countIn(sink.pending(new Set(['isolate-1#0'])))).toBe(0);
  });

  it('puts nothing before the window is over, and one window then', async () => {
    const { clock, store, sink, add } = open();
    add(3);
    clock.advance(19_999);
    await sink.flush(false);
    expect(store.puts).toEqual([]);
    expect(countIn(sink.pending(new Set()))).toBe(3);
    clock.advance(1);
    await sink.flush(false);
    expect(store.windows).toMatchObject([
      { isolateId: 'isolate-1', sequence: 0, minute: Math.floor((clock.now() - 20_000) / 60_000) },
    ]);
    expect(countStored(store.windows)).toBe(3);
    expect(countIn(sink.pending(new Set()))).toBe(0);
  });

  it('puts at once when forced, and nothing where nothing was counted', async () => {
    const { store, sink, add } = open();
    await sink.flush(true);
    expect(store.puts).toEqual([]);
    add();
    await sink.flush(true);
    expect(store.windows.length).toBe(1);
  });

  it('closes a window when a record comes after its end, whoever flushes when', async () => {
    const { clock, store, sink, add } = open();
    add(2);
    clock.advance(600_000);
    add(1);
    expect(sink.stats()).toMatchObject({ waitingWindows: 1 });
    await sink.flush(true);
    expect(
      store.windows.map(({ sequence, minute, body }) => [
        sequence,
        minute,
        countStored([{ sequence, minute, body, isolateId: 'x' }]),
      ]),
    ).toEqual([
      [0, Math.floor((clock.now() - 600_000) / 60_000), 2],
      [1, Math.floor(clock.now() / 60_000), 1],
    ]);
  });

  it('spreads the ends of windows, and never beyond the 30 s of waitUntil', () => {
    const endings = [0, 0.5, 0.999].map((drawn) => {
      const { clock, sink, add } = open({ random: () => drawn });
      add();
      return (sink.stats().windowEndsAtMs ?? 0) - clock.now();
    });
    expect(new Set(endings).size).toBe(3);
    expect(Math.max(...endings)).toBeLessThan(28_000);
    expect(Math.min(...endings)).toBeGreaterThanOrEqual(20_000);
  });

  it('sends the same bytes under the same key again when an answer was lost, and what came since under the next', async () => {
    const { clock, store, sink, add } = open();
    add(3);
    store.misbehave('lose_answer');
    await sink.flush(true);
    expect(sink.stats()).toMatchObject({ failedPuts: 1, waitingWindows: 1 });
    add(2);
    store.misbehave(undefined);
    clock.advance(60_000);
    await sink.flush(true);
    expect(store.puts.map(({ sequence }) => sequence)).toEqual([0, 0, 1]);
    expect(store.puts[1]).toEqual(store.puts[0]);
    expect(countStored(store.windows)).toBe(5);
    expect(countIn(sink.pending(new Set()))).toBe(0);
  });

  it('backs off from a store that is away, asking once a round', async () => {
    const { clock, store, sink, add } = open();
    store.misbehave('fail');
    for (let window = 0; window < 5; window += 1) {
      add();
      clock.advance(25_000);
    }
    await sink.flush(false);
    expect(store.puts.length).toBe(1);
    const retriedAtMs: number[] = [];
    const startMs = clock.now();
    for (let tick = 0; tick < 1_200; tick += 1) {
      const before = store.puts.filter(({ sequence }) => sequence === 0).length;
      await sink.flush(false);
      if (store.puts.filter(({ sequence }) => sequence === 0).length > before) retriedAtMs.push(clock.now() - startMs);
      clock.advance(100);
    }
    const gaps = [0, ...retriedAtMs].slice(1).map((at, index) => at - ([0, ...retriedAtMs][index] ?? 0));
    expect(gaps.slice(0, 6)).toEqual([500, 1_000, 2_000, 4_000, 8_000, 16_000]);
  });

  it('holds only so many windows, drops the oldest, and counts what it drops', async () => {
    const { clock, store, sink, add } = open({ maxBacklog: 3 });
    store.misbehave('fail');
    for (let window = 0; window < 6; window += 1) {
      add(window + 1);
      clock.advance(25_000);
    }
    await sink.flush(false);
    expect(sink.stats()).toMatchObject({ waitingWindows: 3, droppedWindows: 3, droppedRecords: 1 + 2 + 3 });
    store.misbehave(undefined);
    await sink.flush(true);
    expect(store.windows.map(({ sequence }) => sequence)).toEqual([3, 4, 5]);
    expect(countStored(store.windows)).toBe(4 + 5 + 6);
  });

  it('gives a window up after so many refusals', async () => {
    const { clock, store, sink, add } = open();
    add(4);
    store.misbehave('fail');
    for (let round = 0; round < 20; round += 1) {
      await sink.flush(true);
      clock.advance(20_000);
    }
    expect(sink.stats()).toMatchObject({ waitingWindows: 0, droppedWindows: 1, droppedRecords: 4, failedPuts: 12 });
  });

  it('gives a window up that no rollup would look for any more', async () => {
    const { clock, store, sink, add } = open();
    add(3);
    await sink.flush(true);
    store.misbehave('fail');
    add(4);
    await sink.flush(true);
    clock.advance(10 * 60_000);
    add(5);
    await sink.flush(true);
    clock.advance(2 * 60_000 + 60_000);
    store.misbehave(undefined);
    await sink.flush(true);
    expect(sink.stats()).toMatchObject({ waitingWindows: 0, droppedWindows: 1, droppedRecords: 4 });
    expect(countStored(store.windows)).toBe(3 + 5);
  });

  it('puts a window once when many flush at the same time', async () => {
    const { store, sink, add } = open();
    add(3);
    await Promise.all(Array.from({ length: 10 }, () => sink.flush(true)));
    expect(store.puts.length).toBe(1);
  });

  it('starts over when a flush died with the request that began it', async () => {
    const clock = createFakeClock();
    let puts = 0;
    const sink = createRecordSink({
      store: {
        put: () => {
          puts += 1;
          return puts === 1 ? new Promise(() => undefined) : Promise.resolve();
        },
        read: async () => [],
        readRollups: async () => [],
      },
      clock,
      random: () => 0,
      isolateId: 'i',
    });
    sink.add(record(clock.now()));
    void sink.flush(true);
    clock.advance(15_000);
    await sink.flush(true);
    expect(sink.stats()).toMatchObject({ storedWindows: 1, waitingWindows: 0 });
  });

  it('counts on without a store, and never throws for a record it cannot count', async () => {
    const { clock, sink, add } = open({ store: undefined });
    add(2);
    clock.advance(3_600_000);
    add(1);
    await sink.flush(true);
    expect(countIn(sink.pending(new Set()))).toBe(3);
    sink.add({} as RequestRecord);
    expect(sink.stats().droppedRecords).toBe(1);
  });

  it('loses and doubles nothing, whatever the store does and when', async () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('add' as const), count: fc.integer({ min: 1, max: 5 }) }),
      fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 40_000 }) }),
      fc.record({ kind: fc.constant('flush' as const), force: fc.boolean() }),
      fc.record({
        kind: fc.constant('store' as const),
        how: fc.constantFrom('fail' as const, 'lose_answer' as const, undefined),
      }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const { clock, store, sink, add } = open({ maxBacklog: 100 });
        let added = 0;
        for (const one of steps) {
          if (one.kind === 'add') {
            add(one.count);
            added += one.count;
          } else if (one.kind === 'wait') clock.advance(one.ms);
          else if (one.kind === 'flush') await sink.flush(one.force);
          else store.misbehave(one.how);
        }
        store.misbehave(undefined);
        await sink.flush(true);
        const { droppedRecords } = sink.stats();
        const stored = countStored(store.windows);
        // A window dropped after its answer was lost is stored all the same.
        expect(stored).toBeLessThanOrEqual(added);
        expect(stored + droppedRecords).toBeGreaterThanOrEqual(added);
        expect(countIn(sink.pending(new Set()))).toBe(0);
      }),
    );
  });
});
