/** What every MetricsStore promises. */
import { afterEach, describe, expect, it } from 'vitest';
import type { MetricsStore, PackedWindow } from '../../worker/ports.ts';

export type MetricsStoreHarness = {
  readonly store: MetricsStore;
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
