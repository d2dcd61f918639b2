/**
 * What audits of accepted answers say about one calibrated shortcut, as a plain value that can be stored and replayed.
 * Owns the order in which evidence counts, and when the threshold is tightened or the shortcut disabled. Leaves out which
 * answers are audited (should-audit.ts), adding counts up (audit-counts.ts) and the mathematics of a bet (evidence.ts).
 *
 * Accepted answers fall into bands of confidence. Level l accepts bands l and up; level 0 is the calibrated threshold,
 * the last level accepts nothing. Each level has its own bet that its accepted answers disagree too often; when the one
 * in force wins, a higher level is in force, for good: only a new calibration lowers a threshold again. VALIDITY.md says
 * why false alarms stay under the bound however many isolates add to the counts.
 */
import { addBands, mergeCounts, minuteOf, noCounts, startOfMinuteMs, tallyFrom, countAudit } from './audit-counts.ts';
import type { AuditCounts, BandCounts, Tally } from './audit-counts.ts';
import { breaksPromise } from './bounds.ts';
import { bet, driftScore, NO_WEALTH, totalWealth, type Wealth } from './evidence.ts';

/** What a state is about; fixed by the calibration. */
export type AuditPlan = {
  /** Of the calibration. Counts of another one say nothing here. */
  readonly calibrationId: string;
  readonly calibratedAtMs: number;
  /** Lower edge of each band, ascending; the first is the calibrated threshold. */
  readonly bandEdges: readonly number[];
  readonly minAgreement: number;
  /** Of the calibration: how sure a tightened level is to keep the promise, by the audits since the drift. */
  readonly confidence: number;
  /** Bound of the probability that a shortcut whose agreement is as promised is ever tightened. */
  readonly falseAlarm: number;
  /** Minutes that counts may come late; those that come later are left out. 0 where one isolate counts for itself. */
  readonly settleMinutes: number;
};

export type AuditState = {
  readonly plan: AuditPlan;
  /** 0: as calibrated; bandEdges.length: disabled. */
  readonly level: number;
  /** When it last rose, or null. */
  readonly tightenedAtMs: number | null;
  /** Counts of minutes up to this one, since the epoch, are settled: what comes later is left out. */
  readonly settledMinute: number;
  /** The last minute with audits among them. The stakes of quiet minutes after it join the next bet. */
  readonly betMinute: number;
  readonly wealth: readonly Wealth[];
  /** Highest total wealth each level has had: an alarm outlives the evidence after it. */
  readonly peak: readonly number[];
  /** Where a drift, if there is one, most likely began: its score, and the counts since. */
  readonly drift: { readonly score: number; readonly counts: BandCounts };
  readonly settled: BandCounts;
  readonly open: AuditCounts;
  readonly lastAuditMs: number | null;
};

export type AuditEvent =
  | { readonly kind: 'audited'; readonly confidence: number; readonly agreed: boolean }
  /** Counts of this or any other isolate. */
  | { readonly kind: 'counted'; readonly calibrationId: string; readonly counts: AuditCounts }
  | { readonly kind: 'calibrated'; readonly plan: AuditPlan }
  /** Only time has passed. */
  | { readonly kind: 'waited' };

export function initialAudit(plan: AuditPlan): AuditState {
  const minuteBefore = minuteOf(plan.calibratedAtMs) - 1;
  const bands = plan.bandEdges.length;
  return {
    plan,
    level: 0,
    tightenedAtMs: null,
    settledMinute: minuteBefore,
    betMinute: minuteBefore,
    wealth: plan.bandEdges.map(() => NO_WEALTH),
    peak: plan.bandEdges.map(() => 1),
    drift: { score: 0, counts: noCounts(bands) },
    settled: noCounts(bands),
    open: {},
    lastAuditMs: null,
  };
}

export function reduceAudit(state: AuditState, event: AuditEvent, nowMs: number): AuditState {
  switch (event.kind) {
    case 'calibrated':
      return initialAudit(event.plan);
    case 'audited': {
      const counts = countAudit(state.plan.bandEdges, event.confidence, event.agreed, nowMs);
      return settle(counts === undefined ? state : addCounts(state, counts), nowMs);
    }
    case 'counted':
      return settle(event.calibrationId === state.plan.calibrationId ? addCounts(state, event.counts) : state, nowMs);
    case 'waited':
      return settle(state, nowMs);
  }
}

/** Lowest confidence accepted now, or null where the shortcut is disabled. */
export function thresholdInForce(state: AuditState): number | null {
  return state.plan.bandEdges[state.level] ?? null;
}

/** Audits of the answers that the given level accepts, settled and open. */
export function evidenceAt(state: AuditState, level: number): Tally {
  return tallyFrom(Object.values(state.open).reduce(addBands, state.settled), level);
}

/** Counts for a minute already settled are dropped: the sequence of bets must be the same for whoever computes it. */
function addCounts(state: AuditState, counts: AuditCounts): AuditState {
  const taken = Object.entries(counts).filter(
    ([minute, bands]) => Number(minute) > state.settledMinute && bands.length === state.settled.length,
  );
  if (taken.length === 0) return state;
  const latestMs = startOfMinuteMs(Math.max(...taken.map(([minute]) => Number(minute))));
  return {
    ...state,
    open: mergeCounts(state.open, Object.fromEntries(taken)),
    lastAuditMs: Math.max(state.lastAuditMs ?? 0, latestMs),
  };
}

/** Bets on every open minute that is over for good, in order. A clock that goes back settles nothing twice. */
function settle(state: AuditState, nowMs: number): AuditState {
  const overMinute = minuteOf(nowMs) - 1 - state.plan.settleMinutes;
  if (overMinute <= state.settledMinute) return state;
  const due = Object.keys(state.open)
    .map(Number)
    .filter((minute) => minute <= overMinute)
    .sort((a, b) => a - b);
  return { ...due.reduce(settleMinute, state), settledMinute: overMinute };
}

function settleMinute(state: AuditState, minute: number): AuditState {
  const { plan } = state;
  const { [minute]: counts = [], ...open } = state.open;
  const start = minuteOf(plan.calibratedAtMs);
  const wealth = state.wealth.map((level, index) =>
    bet(level, tallyFrom(counts, index), state.betMinute - start, minute - start, 1 - plan.minAgreement),
  );
  const peak = wealth.map((level, index) => Math.max(state.peak[index] ?? 1, totalWealth(level, minute - start)));
  const next: AuditState = {
    ...state,
    betMinute: minute,
    wealth,
    peak,
    drift: followDrift(state, counts),
    settled: addBands(state.settled, counts),
    open,
  };
  const level = levelAfter(next);
  return level === state.level ? next : { ...next, level, tightenedAtMs: startOfMinuteMs(minute + 1) };
}

/** Page's CUSUM (Biometrika 1954) for the level in force: whenever its score falls to nothing, counting begins anew. */
function followDrift(state: AuditState, counts: BandCounts): AuditState['drift'] {
  const { drift, plan, level } = state;
  const score = drift.score + driftScore(tallyFrom(counts, level), 1 - plan.minAgreement);
  if (score <= 0) return { score: 0, counts: noCounts(plan.bandEdges.length) };
  return { score, counts: addBands(drift.counts, counts) };
}

/** Alarmed levels are left. Of those above, the lowest that audits since the drift show to keep the promise. */
function levelAfter(state: AuditState): number {
  const { plan, peak } = state;
  const disabled = plan.bandEdges.length;
  const isAlarmed = (level: number): boolean => (peak[level] ?? 0) >= 1 / plan.falseAlarm;
  if (state.level === disabled || !isAlarmed(state.level)) return state.level;
  let lowest = state.level + 1;
  while (lowest < disabled && isAlarmed(lowest)) lowest += 1;
  // From the surest level down, as in calibrate; the surest itself goes on on trial where evidence is too thin.
  let chosen = disabled - 1;
  while (chosen > lowest && isShown(state, chosen) && isShown(state, chosen - 1)) chosen -= 1;
  return Math.max(chosen, lowest);
}

function isShown(state: AuditState, level: number): boolean {
  const { agreed, disagreed } = tallyFrom(state.drift.counts, level);
  const { minAgreement, confidence } = state.plan;
  if (agreed + disagreed === 0) return false;
  return (
    breaksPromise(disagreed, agreed + disagreed, { minAgreement, confidence, horizonAnswers: null }) <= 1 - confidence
  );
}
