/** What every MetricsStore promises. */
import { afterEach, describe, expect, it } from 'vitest';
import type { Rollup } from '../../shared/measure/metrics-items.ts';
import type { MetricsStore, PackedWindow } from '../../worker/ports.ts';

export type MetricsStoreHarness = {
  readonly store: MetricsStore;
  /** As the scheduled rollup puts it. */
  readonly putRollup: (rollup: Rollup) => Promise<void>;
  readonly breakDown: () => Promise<void>;
  close?(): Promise<void>;
};

const never = new AbortController().signal;
const window = (isolateId: string, minute: number, sequence: number, body = '{}'): PackedWindow => ({
  minute,
  isolateId,
  sequence,
  body,
});
const sorted = (windows: readonly PackedWindow[]): PackedWindow[] =>
  [...windows].sort((a, b) => a.minute - b.minute || a.isolateId.localeCompare(b.isolateId) || a.sequence - b.sequence);

export function describeMetricsStoreContract(name: string, open: () => Promise<MetricsStoreHarness>): void {
  describe(`the metrics store contract: ${name}`, () => {
    const opened: MetricsStoreHarness[] = [];
    afterEach(async () => {
      for (const one of opened.splice(0)) await one.close?.();
    });
    async function harness(): Promise<MetricsStoreHarness> {
      const made = await open();
      opened.push(made);
      return made;
    }

    it('gives back the windows of the asked minutes, of all isolates, and no other', async () => {
      const { store } = await harness();
      const windows = Array.from({ length: 24 }, (_unused, index) =>
        window(`isolate-${index % 6}`, 100 + (index % 4), index, `{"n":${index}}`),
      );
      await Promise.all(windows.map((one) => store.put(one)));
      const read = await store.read([100, 102, 999], never);
      expect(sorted(read)).toEqual(sorted(windows.filter(({ minute }) => minute === 100 || minute === 102)));
    });

    it('gives back the rollups that start in the range, of the step and route asked, over days and years', async () => {
      const { store, putRollup } = await harness();
      const newYear = Date.UTC(2027, 0, 1) / 60_000;
      const rollup = (route: string, startMinute: number, step: Rollup['step'] = 'five_minutes'): Rollup => ({
        step,
        route,
        startMinute,
        routes: route === '*' ? ['a', 'b'] : [],
        body: `{"at":${startMinute}}`,
      });
      const wanted = [newYear - 1_445, newYear - 5, newYear, newYear + 1_440].map((at) => rollup('*', at));
      const others = [
        rollup('*', newYear - 1_450),
        rollup('*', newYear + 1_445),
        rollup('a', newYear),
        rollup('*', newYear, 'hour'),
        rollup('*', newYear, 'day'),
      ];
      for (const one of [...wanted, ...others]) await putRollup(one);
      await putRollup({ ...rollup('*', newYear), body: '{"again":1}' });
      const range = { fromMinute: newYear - 1_445, toMinute: newYear + 1_445 };
      const read = await store.readRollups([{ step: 'five_minutes', route: '*', ...range }], never);
      expect([...read].sort((a, b) => a.startMinute - b.startMinute)).toEqual(
        wanted.map((one) => (one.startMinute === newYear ? { ...one, body: '{"again":1}' } : one)),
      );
      const both = await store.readRollups(
        [
          { step: 'hour', route: '*', fromMinute: newYear, toMinute: newYear + 60 },
          { step: 'five_minutes', route: 'a', ...range },
          { step: 'day', route: 'nobody', ...range },
        ],
        never,
      );
      expect(both.map(({ step, route }) => `${step} ${route}`).sort()).toEqual(['five_minutes a', 'hour *']);
    });

    it('stores once what is put twice', async () => {
      const { store } = await harness();
      await store.put(window('a', 7, 0, '{"x":1}'));
      await store.put(window('a', 7, 0, '{"x":1}'));
      expect(await store.read([7], never)).toEqual([window('a', 7, 0, '{"x":1}')]);
    });

    it('has nothing for minutes nobody wrote, or none asked', async () => {
      const { store } = await harness();
      expect(await store.read([1, 2, 3], never)).toEqual([]);
      expect(await store.read([], never)).toEqual([]);
    });

    it('throws where it is away, so that a window is not taken for stored', async () => {
      const { store, breakDown } = await harness();
      await breakDown();
      await expect(store.put(window('a', 7, 0))).rejects.toThrow(/./);
    });

    it('throws for a reader that left', async () => {
      const { store } = await harness();
      await expect(store.read([1], AbortSignal.abort())).rejects.toThrow(/./);
    });
  });
}
