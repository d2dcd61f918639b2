/**
 * Counts of this isolate's audits on their way to the store: one put per route and window, under a key that makes a
 * repeated put harmless. Owns windows and lateness: a window that can no longer come in time is dropped, because
 * whoever computes the state has settled its minute without it.
 */
import { addBands, minuteOf, type AuditCounts, type BandCounts } from '../../shared/guard/audit-counts.ts';
import type { AuditWindow, Clock, GuardStore } from '../ports.ts';

export type AuditWindowsOptions = {
  readonly store: GuardStore;
  readonly clock: Clock;
  readonly isolateId: string;
  /** Minutes after its own in which a window may still be put. */
  readonly lateMinutes: number;
  readonly onFailure?: (error: unknown) => void;
  readonly sleep?: (ms: number) => Promise<void>;
};

export type AuditWindows = {
  add(route: string, calibrationId: string, counts: AuditCounts): void;
  flush(): Promise<void>;
  /** Resolves when the open window is over and put; undefined where somebody waits for that already. */
  flushWhenOver(): Promise<void> | undefined;
};

const WINDOW_MS = 20_000;
/** A wait belongs to the request that began it, and may die with it. */
const ABANDONED_AFTER_MS = 15_000;

export function createAuditWindows(options: AuditWindowsOptions): AuditWindows {
  const { store, clock, isolateId, lateMinutes } = options;
  const sleep = options.sleep ?? ((ms) => new Promise<void>((resolve) => setTimeout(resolve, ms)));
  const open = new Map<string, Record<string, BandCounts>>();
  let waiting: readonly AuditWindow[] = [];
  let sequence = 0;
  let claimedUntilMs = 0;

  /** Counts carry the minute in which they are first put: a key never changes, and lateness is known from it. */
  function close(): void {
    const minute = minuteOf(clock.now());
    for (const [route, counts] of open) {
      waiting = [...waiting, { route, minute, isolateId, sequence, counts }];
      sequence += 1;
    }
    open.clear();
  }

  async function flush(): Promise<void> {
    close();
    for (const window of waiting) {
      const isLate = minuteOf(clock.now()) > window.minute + lateMinutes;
      try {
        if (!isLate) await store.putWindow(window);
        waiting = waiting.filter((other) => other !== window);
      } catch (error) {
        options.onFailure?.(error);
        return;
      }
    }
  }

  return {
    add(route, calibrationId, counts) {
      const ofRoute = open.get(route) ?? {};
      for (const bands of Object.values(counts)) ofRoute[calibrationId] = addBands(ofRoute[calibrationId] ?? [], bands);
      open.set(route, ofRoute);
    },
    flush,
    flushWhenOver() {
      if (open.size === 0 && waiting.length === 0) return undefined;
      const nowMs = clock.now();
      const isClaimed = nowMs < claimedUntilMs && claimedUntilMs - nowMs <= WINDOW_MS + ABANDONED_AFTER_MS;
      if (isClaimed) return undefined;
      claimedUntilMs = nowMs + WINDOW_MS + ABANDONED_AFTER_MS;
      return sleep(WINDOW_MS).then(() => {
        claimedUntilMs = 0;
        return flush();
      });
    },
  };
}
