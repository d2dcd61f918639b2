/**
 * A GuardStore in memory. `misbehave('fail')` makes every call reject until `misbehave('no')`.
 */
import type { CalibrationRecord } from '../../shared/guard/guarantee-schema.ts';
import type { AuditState } from '../../shared/guard/audit.ts';
import type { AuditWindow, GuardStore } from '../../worker/ports.ts';

export type MemoryGuardStore = GuardStore & {
  misbehave(how: 'fail' | 'no'): void;
  putRecord(route: string, record: CalibrationRecord): void;
  readonly windows: Map<string, AuditWindow>;
  readonly snapshots: Map<string, AuditState>;
};

export function createMemoryGuardStore(): MemoryGuardStore {
  const records = new Map<string, CalibrationRecord>();
  const windows = new Map<string, AuditWindow>();
  const snapshots = new Map<string, AuditState>();
  let fails = false;
  const guard = (): void => {
    if (fails) throw new Error('the store is away');
  };
  const ofRoute = <V>(all: ReadonlyMap<string, V>, route: string): V[] =>
    [...all].filter(([key]) => key.startsWith(`${route}|`)).map(([, value]) => value);
  return {
    windows,
    snapshots,
    misbehave: (how) => {
      fails = how === 'fail';
    },
    putRecord: (route, record) => records.set(`${route}|${record.shortcut}`, record),
    async read(route) {
      guard();
      return { records: ofRoute(records, route), snapshots: ofRoute(snapshots, route) };
    },
    async readWindows(route, fromMinute) {
      guard();
      return ofRoute(windows, route).filter(({ minute }) => minute >= fromMinute);
    },
    async putWindow(window) {
      guard();
      windows.set(`${window.route}|${window.minute}|${window.isolateId}|${window.sequence}`, window);
    },
    async putSnapshot(route, state) {
      guard();
      snapshots.set(`${route}|${state.plan.calibrationId}`, structuredClone(state));
    },
  };
}
