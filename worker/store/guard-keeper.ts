/**
 * The Guard port: what this isolate knows of its routes' shortcuts. Owns when the store is read, which state is taken from
 * it, and the draw and budget of audits; windows of counts are audit-windows.ts, what they mean is shared/guard.
 *
 * With a store every isolate computes the same state from the same stored windows, its own among them only once put.
 * Before the first look a guaranteed shortcut is off; where the store cannot be read it stands as calibrated.
 */
import { initialAudit, reduceAudit, type AuditPlan, type AuditState } from '../../shared/guard/audit.ts';
import { countAudit, type AuditCounts } from '../../shared/guard/audit-counts.ts';
import { auditPlanOf, recordProblem } from '../../shared/guard/calibration-record.ts';
import type { CalibrationRecord, GuaranteeSpec } from '../../shared/guard/guarantee-schema.ts';
import { NO_AUDITS, shouldAudit, type AuditBudget } from '../../shared/guard/should-audit.ts';
import { shortcutsOf, standingOf } from '../../shared/guard/shortcuts.ts';
import type { ModelSpec, RouteSpec } from '../../shared/schema/config.ts';
import type { AuditWindow, Clock, Guard, GuardStore, Random, StoredGuard } from '../ports.ts';
import { createAuditWindows } from './audit-windows.ts';

export type GuardKeeperOptions = {
  /** Undefined: this isolate is alone with its own audits. */
  readonly store: GuardStore | undefined;
  readonly clock: Clock;
  readonly random: Random;
  /** Unique among isolates. */
  readonly isolateId: string;
  readonly refreshMs?: number;
  readonly onFailure?: (error: unknown) => void;
  /** Given so that tests need not wait. */
  readonly sleep?: (ms: number) => Promise<void>;
};

/** Counts may come this late: a window of 25 s, and the time to put it again should a put fail. */
const SETTLE_MINUTES = 3;
const REFRESH_MS = 60_000;
const READ_TIMEOUT_MS = 3_000;
/** A read belongs to the request that began it, and may die with it. */
const ABANDONED_AFTER_MS = 10_000;
const SNAPSHOT_EVERY_MINUTES = 30;

type RouteState = {
  records: ReadonlyMap<string, CalibrationRecord>;
  /** By calibration id. */
  audits: ReadonlyMap<string, AuditState>;
  budgets: Map<string, AuditBudget>;
  hasLooked: boolean;
  nextReadMs: number;
  readingSinceMs: number | undefined;
};

export function createGuardKeeper(options: GuardKeeperOptions): Guard {
  const { store, clock, random } = options;
  const refreshMs = options.refreshMs ?? REFRESH_MS;
  const settleMinutes = store === undefined ? 0 : SETTLE_MINUTES;
  const routes = new Map<string, RouteState>();
  const plans = new WeakMap<CalibrationRecord, { readonly guarantee: GuaranteeSpec; readonly plan: AuditPlan }>();
  const windows = store && createAuditWindows({ ...options, store, lateMinutes: SETTLE_MINUTES - 1 });

  function stateOf(route: RouteSpec): RouteState {
    let state = routes.get(route.name);
    if (state === undefined) {
      state = {
        records: new Map(),
        audits: new Map(),
        budgets: new Map(),
        hasLooked: store === undefined,
        nextReadMs: 0,
        readingSinceMs: undefined,
      };
      routes.set(route.name, state);
    }
    return state;
  }

  function recordOf(route: RouteSpec, shortcut: string): CalibrationRecord | undefined {
    const configured = route.guarantee?.calibrations.find((record) => record.shortcut === shortcut);
    const stored = stateOf(route).records.get(shortcut);
    if (configured === undefined || stored === undefined) return stored ?? configured;
    return Date.parse(stored.calibrated_at) >= Date.parse(configured.calibrated_at) ? stored : configured;
  }

  function planOf(route: RouteSpec, model: ModelSpec, shortcut: string): AuditPlan | undefined {
    const record = recordOf(route, shortcut);
    if (route.guarantee === undefined || record === undefined || record.threshold === null) return undefined;
    if (recordProblem(record, route.guarantee, model) !== undefined) return undefined;
    // Once per record and guarantee: both are immutable, and this is on the path of every request.
    const made = plans.get(record);
    if (made?.guarantee === route.guarantee) return made.plan;
    const plan = auditPlanOf(record, route.guarantee, settleMinutes);
    plans.set(record, { guarantee: route.guarantee, plan });
    return plan;
  }

  function auditOf(route: RouteSpec, model: ModelSpec, shortcut: string): AuditState | undefined {
    const plan = planOf(route, model, shortcut);
    const state = stateOf(route);
    if (plan === undefined || !state.hasLooked) return undefined;
    const known = state.audits.get(plan.calibrationId);
    if (known !== undefined && isSamePlan(known.plan, plan)) return known;
    const fresh = initialAudit(plan);
    keep(state, fresh);
    return fresh;
  }

  async function read(from: GuardStore, route: RouteSpec, model: ModelSpec): Promise<void> {
    const state = stateOf(route);
    const signal = AbortSignal.timeout(READ_TIMEOUT_MS);
    try {
      const stored = await from.read(route.name, signal);
      state.records = newestByShortcut(stored.records);
      const bases = shortcutsOf(route, model).flatMap((shortcut) => {
        const plan = planOf(route, model, shortcut);
        return plan === undefined ? [] : [baseState(plan, state, stored)];
      });
      const fromMinute = Math.min(...bases.map((base) => base.settledMinute + 1));
      const counted = bases.length === 0 ? [] : await from.readWindows(route.name, fromMinute, signal);
      const nowMs = clock.now();
      const audits = bases.map((base) => addWindows(base, counted, nowMs));
      state.audits = new Map(audits.map((audit) => [audit.plan.calibrationId, audit]));
      for (const audit of audits) {
        if (needsSnapshot(audit, stored)) await from.putSnapshot(route.name, { ...audit, open: {} });
      }
    } catch (error) {
      options.onFailure?.(error);
    } finally {
      state.hasLooked = true;
      state.readingSinceMs = undefined;
      state.nextReadMs = clock.now() + refreshMs * (1 + 0.2 * random());
    }
  }

  function readIfDue(route: RouteSpec, model: ModelSpec, keepAlive: (work: Promise<void>) => void): void {
    if (store === undefined) return;
    const state = stateOf(route);
    const nowMs = clock.now();
    const isReading = state.readingSinceMs !== undefined && nowMs - state.readingSinceMs < ABANDONED_AFTER_MS;
    if (isReading || nowMs < state.nextReadMs) return;
    state.readingSinceMs = nowMs;
    keepAlive(read(store, route, model));
  }

  return {
    standings(route, model, keepAlive) {
      if (route.guarantee === undefined) return [];
      readIfDue(route, model, keepAlive);
      return shortcutsOf(route, model).map((shortcut) =>
        standingOf(shortcut, route, model, recordOf(route, shortcut), auditOf(route, model, shortcut)),
      );
    },
    draws(route, model, shortcut) {
      const audit = auditOf(route, model, shortcut);
      if (route.guarantee === undefined || audit === undefined) return false;
      const { budgets } = stateOf(route);
      const policy = {
        share: route.guarantee.audit.share,
        maxPerMinute: route.guarantee.audit.max_per_minute,
      };
      const drawn = shouldAudit(audit, policy, budgets.get(shortcut) ?? NO_AUDITS, random(), clock.now());
      budgets.set(shortcut, drawn.budget);
      return drawn.audit;
    },
    count(route, model, audited) {
      const nowMs = clock.now();
      for (const { shortcut, calibrationId, confidence, agreed } of audited) {
        const audit = auditOf(route, model, shortcut);
        // A calibration made meanwhile starts with no audits of the one before it.
        if (audit === undefined || audit.plan.calibrationId !== calibrationId) continue;
        const counts = countAudit(audit.plan.bandEdges, confidence, agreed, nowMs);
        if (counts === undefined) continue;
        if (windows !== undefined) windows.add(route.name, calibrationId, counts);
        else keep(stateOf(route), reduceAudit(audit, { kind: 'counted', calibrationId, counts }, nowMs));
      }
    },
    flushWhenOver: () => windows?.flushWhenOver(),
    flush: async () => windows?.flush(),
  };
}

function keep(state: RouteState, audit: AuditState): void {
  state.audits = new Map(state.audits).set(audit.plan.calibrationId, audit);
}

/** The state that has settled furthest, of what this isolate computed and what another put. */
function baseState(plan: AuditPlan, state: RouteState, stored: StoredGuard): AuditState {
  const candidates = [state.audits.get(plan.calibrationId), ...stored.snapshots].filter(
    (candidate) => candidate !== undefined && isSamePlan(candidate.plan, plan),
  );
  let furthest = initialAudit(plan);
  for (const candidate of candidates) {
    if (candidate !== undefined && candidate.settledMinute > furthest.settledMinute) furthest = candidate;
  }
  // Open minutes are read anew, whole, each time.
  return { ...furthest, plan, open: {} };
}

function addWindows(base: AuditState, windows: readonly AuditWindow[], nowMs: number): AuditState {
  const { calibrationId } = base.plan;
  let open = base;
  for (const { minute, counts } of windows) {
    const bands = counts[calibrationId];
    if (bands === undefined) continue;
    const added: AuditCounts = { [minute]: bands };
    // At time 0 nothing settles: all windows are added before any minute is bet on.
    open = reduceAudit(open, { kind: 'counted', calibrationId, counts: added }, 0);
  }
  return reduceAudit(open, { kind: 'waited' }, nowMs);
}

function needsSnapshot(audit: AuditState, stored: StoredGuard): boolean {
  const known = stored.snapshots.find((snapshot) => isSamePlan(snapshot.plan, audit.plan));
  const lastMinute = known?.betMinute ?? initialAudit(audit.plan).betMinute;
  return audit.betMinute - lastMinute >= SNAPSHOT_EVERY_MINUTES;
}

function isSamePlan(a: AuditPlan, b: AuditPlan): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}

function newestByShortcut(records: readonly CalibrationRecord[]): ReadonlyMap<string, CalibrationRecord> {
  const newest = new Map<string, CalibrationRecord>();
  for (const record of records) {
    const known = newest.get(record.shortcut);
    if (known === undefined || record.calibrated_at > known.calibrated_at) newest.set(record.shortcut, record);
  }
  return newest;
}
