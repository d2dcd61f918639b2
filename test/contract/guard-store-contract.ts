/** What every GuardStore promises. */
import { afterEach, describe, expect, it } from 'vitest';
import { initialAudit } from '../../shared/guard/audit.ts';
import { auditPlanOf } from '../../shared/guard/calibration-record.ts';
import type { CalibrationRecord } from '../../shared/guard/guarantee-schema.ts';
import type { AuditWindow, GuardStore } from '../../worker/ports.ts';
import { guaranteed, record } from '../shared/guard/guaranteed-route.ts';

export type GuardStoreHarness = {
  readonly store: GuardStore;
  /** As an operator would. */
  readonly putRecord: (route: string, record: CalibrationRecord) => Promise<void>;
  readonly breakDown: () => Promise<void>;
  close?(): Promise<void>;
};

const never = new AbortController().signal;
const window = (route: string, minute: number, sequence = 0): AuditWindow => ({
  route,
  minute,
  isolateId: 'isolate-1',
  sequence,
  counts: { c1: [sequence + 1, 0, 2, 1] },
});
const state = initialAudit(auditPlanOf(record, guaranteed, 3));
const byMinute = (windows: readonly AuditWindow[]): AuditWindow[] =>
  [...windows].sort((a, b) => a.minute - b.minute || a.sequence - b.sequence);

export function describeGuardStoreContract(name: string, open: () => Promise<GuardStoreHarness>): void {
  describe(`the guard store contract: ${name}`, () => {
    const opened: GuardStoreHarness[] = [];
    afterEach(async () => {
      for (const one of opened.splice(0)) await one.close?.();
    });
    async function harness(): Promise<GuardStoreHarness> {
      const made = await open();
      opened.push(made);
      return made;
    }

    it('has nothing of a route at first', async () => {
      const { store } = await harness();
      expect(await store.read('intent', never)).toEqual({ records: [], snapshots: [] });
      expect(await store.readWindows('intent', 0, never)).toEqual([]);
    });

    it('gives back records and the newest snapshot of each calibration, of the asked route only', async () => {
      const { store, putRecord } = await harness();
      await putRecord('intent', record);
      await putRecord('other', { ...record, id: 'c9' });
      await store.putSnapshot('intent', state);
      await store.putSnapshot('intent', { ...state, settledMinute: 42 });
      await store.putSnapshot('other', state);
      const stored = await store.read('intent', never);
      expect(stored.records).toEqual([record]);
      expect(stored.snapshots).toEqual([{ ...state, settledMinute: 42 }]);
    });

    it('gives back windows from the asked minute on, each once however often it was put', async () => {
      const { store } = await harness();
      const windows = [9_999_999, 10_000_000, 28_333_333, 28_333_334].map((minute, index) =>
        window('intent', minute, index),
      );
      for (const one of [...windows, ...windows, window('other', 28_333_333)]) await store.putWindow(one);
      expect(byMinute(await store.readWindows('intent', 0, never))).toEqual(windows);
      expect(byMinute(await store.readWindows('intent', 28_333_333, never))).toEqual(windows.slice(2));
      expect(byMinute(await store.readWindows('intent', 28_333_335, never))).toEqual([]);
    });

    it('rejects where it cannot be reached', async () => {
      const { store, breakDown } = await harness();
      await breakDown();
      await expect(store.read('intent', never)).rejects.toBeInstanceOf(Error);
      await expect(store.putWindow(window('intent', 1))).rejects.toBeInstanceOf(Error);
    });
  });
}
