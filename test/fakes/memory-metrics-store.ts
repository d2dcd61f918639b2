/** Metrics windows in memory, by key as the real table has them. */
import type { Rollup } from '../../shared/measure/metrics-items.ts';
import type { MetricsStore, PackedWindow } from '../../worker/ports.ts';

export type MemoryMetricsStore = MetricsStore & {
  readonly windows: readonly PackedWindow[];
  /** Every window of every put, those that then failed included. */
  readonly puts: readonly PackedWindow[];
  putRollup(rollup: Rollup): void;
  /** `lose_answer`: stored, but the caller is told it failed. */
  misbehave(how: 'fail' | 'lose_answer' | undefined): void;
};

export function createMemoryMetricsStore(): MemoryMetricsStore {
  const byKey = new Map<string, PackedWindow>();
  const rollups = new Map<string, Rollup>();
  const puts: PackedWindow[] = [];
  let how: 'fail' | 'lose_answer' | undefined;
  return {
    get windows() {
      return [...byKey.values()];
    },
    puts,
    misbehave(next) {
      how = next;
    },
    putRollup(rollup) {
      rollups.set(`${rollup.step}#${rollup.route}#${rollup.startMinute}`, rollup);
    },
    async readRollups(wanted, signal) {
      signal.throwIfAborted();
      return [...rollups.values()].filter((rollup) =>
        wanted.some(
          ({ step, route, fromMinute, toMinute }) =>
            step === rollup.step &&
            route === rollup.route &&
            rollup.startMinute >= fromMinute &&
            rollup.startMinute < toMinute,
        ),
      );
    },
    async put(window) {
      puts.push(window);
      if (how === 'fail') throw new Error('scripted failure');
      byKey.set(`${window.minute}#${window.isolateId}#${window.sequence}`, window);
      if (how === 'lose_answer') throw new Error('scripted loss of the answer');
    },
    async read(minutes, signal) {
      signal.throwIfAborted();
      return [...byKey.values()].filter((window) => minutes.includes(window.minute));
    },
  };
}
