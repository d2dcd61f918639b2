/** The rollup's table in memory, by key as the real one has it, that can die at any put. */
import type { Rollup } from '../../../shared/measure/metrics-items.ts';
import type { RollupTable } from '../../../lambdas/rollup/roll-up.ts';

export type MemoryTable = RollupTable & {
  readonly stored: ReadonlyMap<string, Rollup>;
  putWindow(minute: number, key: string, body: string): void;
  /** After so many puts more, every put fails. */
  dieAfter(puts: number): void;
};

export function createMemoryTable(): MemoryTable {
  const windows = new Map<number, Map<string, string>>();
  const stored = new Map<string, Rollup>();
  let putsLeft = Infinity;
  let finished: number | undefined;
  const countPut = (): void => {
    putsLeft -= 1;
    if (putsLeft < 0) throw new Error('died');
  };
  return {
    stored,
    putWindow(minute, key, body) {
      const ofMinute = windows.get(minute) ?? new Map<string, string>();
      windows.set(minute, ofMinute.set(key, body));
    },
    dieAfter(puts) {
      putsLeft = puts;
    },
    async *windowBodies(minute) {
      yield* windows.get(minute)?.values() ?? [];
    },
    async rollups(step, route, fromMinute, toMinute) {
      return [...stored.values()].filter(
        (rollup) =>
          rollup.step === step &&
          rollup.route === route &&
          rollup.startMinute >= fromMinute &&
          rollup.startMinute < toMinute,
      );
    },
    finishedThrough: async () => finished,
    async finish(throughMinute) {
      countPut();
      finished = throughMinute;
    },
    async put(rollup) {
      countPut();
      stored.set(`${rollup.step}#${rollup.route}#${rollup.startMinute}`, rollup);
    },
  };
}
