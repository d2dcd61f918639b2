/**
 * The RecordSink port: adds finished records to the open window and puts closed windows under their keys. Owns windows,
 * retries and the bound on what waits; leaves out what is counted (shared/measure) and where it is put.
 */
import { addAudits, addRecord, emptyMetrics, encodeMetrics, mergeMetrics } from '../../shared/measure/metrics.ts';
import type { MetricsSnapshot } from '../../shared/measure/metrics.ts';
import { metricsSortKey } from '../../shared/names.ts';
import type { Clock, MetricsStore, PackedWindow, Random, RecordSink } from '../ports.ts';

export type RecordSinkOptions = {
  /** Undefined: nothing is ever put, and `pending` is all this isolate has counted. */
  readonly store: MetricsStore | undefined;
  readonly clock: Clock;
  readonly random: Random;
  /** Unique among isolates; part of the key of every window. */
  readonly isolateId: string;
  readonly windowMs?: number;
  /** Closed windows that may wait for the store; the oldest goes first. */
  readonly maxBacklog?: number;
  readonly onFailure?: (error: unknown) => void;
  /** Given so that tests need not wait. */
  readonly sleep?: (ms: number) => Promise<void>;
};

type SinkStats = {
  readonly storedWindows: number;
  readonly failedPuts: number;
  readonly waitingWindows: number;
  readonly droppedWindows: number;
  readonly droppedRecords: number;
  /** When the open window is over, or null where nothing has been counted since the last one. */
  readonly windowEndsAtMs: number | null;
};

export type ObservedRecordSink = RecordSink & { stats(): SinkStats };

type OpenWindow = {
  readonly metrics: MetricsSnapshot;
  records: number;
  readonly minute: number;
  readonly endsAtMs: number;
};
type ClosedWindow = {
  readonly metrics: MetricsSnapshot;
  readonly records: number;
  readonly minute: number;
  readonly sequence: number;
  /** Made once: a retry sends the very same bytes under the very same key. */
  packed: PackedWindow | undefined;
  attempts: number;
  nextTryMs: number;
};

const WINDOW_MS = 22_000;
/** Keeps 22 s under the 30 s for which a worker may work on after its answer. */
const JITTER_RATIO = 0.25;
const MAX_BACKLOG = 30;
const MAX_ATTEMPTS = 12;
/** The rollup looks for late windows no longer than fifteen minutes back: what is put after that would be in none. */
const MAX_AGE_MINUTES = 11;
const FIRST_BACKOFF_MS = 1_000;
const MAX_BACKOFF_MS = 60_000;
/** A claim lasts one window with its jitter and the time after which a flush counts as dead. */
const LONGEST_CLAIM_WINDOWS = 4;
/** A flush belongs to the request that began it; one without progress for so long is taken to have died with it. */
const ABANDONED_AFTER_MS = 15_000;

export function createRecordSink(options: RecordSinkOptions): ObservedRecordSink {
  const { store, clock, random, isolateId } = options;
  const windowMs = options.windowMs ?? WINDOW_MS;
  const maxBacklog = options.maxBacklog ?? MAX_BACKLOG;
  const sleep = options.sleep ?? ((ms) => new Promise<void>((resolve) => setTimeout(resolve, ms)));
  let open: OpenWindow | undefined;
  let waiting: readonly ClosedWindow[] = [];
  let sequence = 0;
  let storedWindows = 0;
  let failedPuts = 0;
  let droppedWindows = 0;
  let droppedRecords = 0;
  let claimedUntilMs = 0;
  let flushing: { progressAtMs: number; readonly done: Promise<void> } | undefined;

  function openWindow(nowMs: number): OpenWindow {
    return {
      metrics: emptyMetrics(),
      records: 0,
      minute: Math.floor(nowMs / 60_000),
      endsAtMs: nowMs + windowMs * (1 + JITTER_RATIO * random()),
    };
  }

  /** Cheap on purpose: it may run while a request waits. Packing is left to the flush. */
  function closeWindow(): void {
    if (open === undefined) return;
    const { metrics, records, minute } = open;
    waiting = [...waiting, { metrics, records, minute, sequence, packed: undefined, attempts: 0, nextTryMs: 0 }];
    sequence += 1;
    open = undefined;
    for (const oldest of waiting.slice(0, Math.max(0, waiting.length - maxBacklog))) drop(oldest);
  }

  function drop(closed: ClosedWindow): void {
    remove(closed);
    droppedWindows += 1;
    droppedRecords += closed.records;
  }

  function remove(closed: ClosedWindow): void {
    waiting = waiting.filter((other) => other !== closed);
  }

  /** True where the store took it. */
  async function putOne(to: MetricsStore, closed: ClosedWindow): Promise<boolean> {
    try {
      closed.packed ??= {
        minute: closed.minute,
        isolateId,
        sequence: closed.sequence,
        body: encodeMetrics(closed.metrics),
      };
      await to.put(closed.packed);
      remove(closed);
      storedWindows += 1;
      return true;
    } catch (error) {
      failedPuts += 1;
      closed.attempts += 1;
      const backoffMs = Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** (closed.attempts - 1));
      closed.nextTryMs = clock.now() + backoffMs * (0.5 + random() / 2);
      if (closed.attempts >= MAX_ATTEMPTS) drop(closed);
      options.onFailure?.(error);
      return false;
    }
  }

  async function putWaiting(to: MetricsStore, force: boolean, onProgress: () => void): Promise<void> {
    const oldest = Math.floor(clock.now() / 60_000) - MAX_AGE_MINUTES;
    for (const closed of waiting) {
      if (closed.minute < oldest) {
        drop(closed);
        continue;
      }
      if (!force && closed.nextTryMs > clock.now()) continue;
      // One refusal ends the round: a store that is away is not asked once per window.
      if (!(await putOne(to, closed))) return;
      onProgress();
    }
  }

  function nextFlushAtMs(nowMs: number): number {
    if (waiting.length > 0) return Math.min(...waiting.map((closed) => closed.nextTryMs));
    return open?.endsAtMs ?? nowMs;
  }

  function startFlush(to: MetricsStore, force: boolean): Promise<void> {
    const started = {
      progressAtMs: clock.now(),
      done: putWaiting(to, force, () => {
        started.progressAtMs = clock.now();
      }).finally(() => {
        if (flushing === started) flushing = undefined;
      }),
    };
    flushing = started;
    return started.done;
  }

  function count(addTo: (metrics: MetricsSnapshot) => void): void {
    const nowMs = clock.now();
    if (store !== undefined && open !== undefined && nowMs >= open.endsAtMs) closeWindow();
    open ??= openWindow(nowMs);
    try {
      addTo(open.metrics);
      open.records += 1;
    } catch (error) {
      droppedRecords += 1;
      options.onFailure?.(error);
    }
  }

  return {
    add: (record) => count((metrics) => addRecord(metrics, record)),
    addAudits: (audits) => count((metrics) => addAudits(metrics, audits)),
    pending(stored) {
      const sum = emptyMetrics();
      for (const closed of waiting) {
        if (!stored.has(metricsSortKey(isolateId, closed.sequence))) mergeMetrics(sum, closed.metrics);
      }
      if (open !== undefined) mergeMetrics(sum, open.metrics);
      return sum;
    },
    async flush(force) {
      if (store === undefined) return;
      if (open !== undefined && (force || clock.now() >= open.endsAtMs)) closeWindow();
      if (flushing !== undefined && clock.now() - flushing.progressAtMs < ABANDONED_AFTER_MS) {
        await flushing.done;
        if (!force) return;
      }
      if (waiting.length > 0) await startFlush(store, force);
    },
    flushWhenOver() {
      if (store === undefined || (open === undefined && waiting.length === 0)) return undefined;
      const nowMs = clock.now();
      // The second half: a claim from before the clock went back must not hold for ever.
      if (nowMs < claimedUntilMs && claimedUntilMs - nowMs < LONGEST_CLAIM_WINDOWS * windowMs) return undefined;
      const waitMs = Math.max(0, nextFlushAtMs(nowMs) - nowMs);
      claimedUntilMs = nowMs + waitMs + ABANDONED_AFTER_MS;
      return sleep(waitMs).then(() => {
        claimedUntilMs = 0;
        return this.flush(false);
      });
    },
    stats: () => ({
      storedWindows,
      failedPuts,
      waitingWindows: waiting.length,
      droppedWindows,
      droppedRecords,
      windowEndsAtMs: open?.endsAtMs ?? null,
    }),
  };
}
