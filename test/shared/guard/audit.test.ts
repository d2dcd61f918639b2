import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  evidenceAt,
  initialAudit,
  reduceAudit,
  thresholdInForce,
  type AuditPlan,
  type AuditState,
} from '../../../shared/guard/audit.ts';
import { countAudit, mergeCounts, type AuditCounts } from '../../../shared/guard/audit-counts.ts';
import { auditsUntilAlarm, bet, NO_WEALTH, totalWealth } from '../../../shared/guard/evidence.ts';
import { seeded } from '../../bench/seeded.ts';

const START_MS = 1_700_000_040_000;
const MINUTE_MS = 60_000;
const START_MINUTE = START_MS / MINUTE_MS;

const plan: AuditPlan = {
  calibrationId: 'c1',
  calibratedAtMs: START_MS,
  bandEdges: [0.6, 0.8, 0.95],
  minAgreement: 0.97,
  confidence: 0.9,
  falseAlarm: 0.05,
  settleMinutes: 3,
};

const perMinute = (minute: number, bands: readonly number[]): AuditCounts => ({ [START_MINUTE + minute]: bands });

/** Feeds each minute's counts as they fall due. */
function feed(minutes: number, countsOf: (minute: number) => readonly number[], from = initialAudit(plan)): AuditState {
  let state = from;
  for (let minute = 0; minute < minutes; minute += 1) {
    const counts = perMinute(minute, countsOf(minute));
    state = reduceAudit(state, { kind: 'counted', calibrationId: 'c1', counts }, START_MS + (minute + 1) * MINUTE_MS);
  }
  return reduceAudit(state, { kind: 'waited' }, START_MS + (minutes + 10) * MINUTE_MS);
}

describe('audit state', () => {
  it('begins at the calibrated threshold', () => {
    expect(thresholdInForce(initialAudit(plan))).toBe(0.6);
  });

  it('stays there while answers agree as promised', () => {
    const state = feed(500, () => [20, 1, 20, 0, 60, 1]);
    expect(state.level).toBe(0);
    expect(evidenceAt(state, 0)).toEqual({ agreed: 49_000, disagreed: 1_000 });
    expect(evidenceAt(state, 2)).toEqual({ agreed: 29_500, disagreed: 500 });
  });

  it('tightens to the bands that still agree when the lowest one drifts', () => {
    const state = feed(60, () => [20, 6, 20, 0, 60, 0]);
    expect(state.level).toBe(1);
    expect(thresholdInForce(state)).toBe(0.8);
    expect(state.tightenedAtMs).toBeGreaterThan(START_MS);
  });

  it('passes over bands that drifted as well', () => {
    expect(thresholdInForce(feed(60, () => [20, 4, 20, 4, 60, 0]))).toBe(0.95);
  });

  it('goes on trial with the surest band where audits since the drift are too few to show more', () => {
    const state = feed(1, () => [30, 30, 10, 0, 0, 0]);
    expect(thresholdInForce(state)).toBe(0.95);
  });

  it('disables the shortcut when every band disagrees', () => {
    const state = feed(60, () => [20, 5, 20, 5, 60, 15]);
    expect(thresholdInForce(state)).toBeNull();
    expect(state.level).toBe(3);
  });

  it('never recovers by good audits, only by a new calibration', () => {
    const tightened = feed(30, () => [20, 8, 20, 0, 60, 0]);
    const later = feed(2_000, (minute) => (minute < 30 ? [20, 8, 20, 0, 60, 0] : [0, 0, 50, 0, 50, 0]));
    expect(later.level).toBe(tightened.level);
    const anew = reduceAudit(later, { kind: 'calibrated', plan: { ...plan, calibrationId: 'c2' } }, START_MS);
    expect(anew).toEqual(initialAudit({ ...plan, calibrationId: 'c2' }));
  });

  it('bets on a minute only when it is over and late counts can no longer come', () => {
    const early = reduceAudit(
      initialAudit(plan),
      { kind: 'counted', calibrationId: 'c1', counts: perMinute(0, [50, 50, 0, 0, 0, 0]) },
      START_MS + 3.9 * MINUTE_MS,
    );
    expect(early.level).toBe(0);
    expect(reduceAudit(early, { kind: 'waited' }, START_MS + 4 * MINUTE_MS).level).toBeGreaterThan(0);
  });

  it('counts one audit at a time, by its band, where one isolate counts for itself', () => {
    let state = initialAudit({ ...plan, settleMinutes: 0 });
    for (const [confidence, agreed] of [
      [0.7, true],
      [0.85, false],
      [0.99, true],
      [0.5, false],
    ] as const)
      state = reduceAudit(state, { kind: 'audited', confidence, agreed }, START_MS + 1_000);
    expect(evidenceAt(state, 0)).toEqual({ agreed: 2, disagreed: 1 });
    expect(evidenceAt(state, 1)).toEqual({ agreed: 1, disagreed: 1 });
    expect(state.lastAuditMs).toBe(START_MS);
  });

  it('leaves out counts that come too late, of another calibration, or of another shape', () => {
    const settled = feed(5, () => [1, 0, 1, 0, 1, 0]);
    const nowMs = START_MS + 20 * MINUTE_MS;
    for (const event of [
      { kind: 'counted', calibrationId: 'c1', counts: perMinute(2, [90, 90, 0, 0, 0, 0]) },
      { kind: 'counted', calibrationId: 'c0', counts: perMinute(19, [90, 90, 0, 0, 0, 0]) },
      { kind: 'counted', calibrationId: 'c1', counts: perMinute(19, [90, 90]) },
    ] as const)
      expect(evidenceAt(reduceAudit(settled, event, nowMs), 0)).toEqual({ agreed: 15, disagreed: 0 });
  });

  it('settles nothing twice when the clock goes back', () => {
    const state = feed(10, () => [5, 0, 5, 0, 5, 0]);
    expect(reduceAudit(state, { kind: 'waited' }, START_MS - 5 * MINUTE_MS)).toBe(state);
  });

  it('is plain JSON', () => {
    const state = feed(20, () => [20, 1, 20, 0, 60, 1]);
    expect(JSON.parse(JSON.stringify(state))).toEqual(state);
  });
});

describe('counts of several isolates', () => {
  const bands = fc
    .array(fc.nat(20), { minLength: 3, maxLength: 3 })
    .map((audits) => audits.flatMap((n) => [n, n >> 2]));
  const counts = fc.dictionary(
    fc.integer({ min: 0, max: 9 }).map((minute) => String(START_MINUTE + minute)),
    bands,
  );

  it('add up in any order', () => {
    fc.assert(
      fc.property(counts, counts, counts, (a, b, c) => {
        expect(mergeCounts(a, b)).toEqual(mergeCounts(b, a));
        expect(mergeCounts(mergeCounts(a, b), c)).toEqual(mergeCounts(a, mergeCounts(b, c)));
      }),
    );
  });

  it('give the same state however they were split and whenever they were read', () => {
    fc.assert(
      fc.property(counts, counts, fc.integer({ min: 0, max: 12 }), (a, b, readMinute) => {
        const endMs = START_MS + 60 * MINUTE_MS;
        const whole = reduceAudit(
          initialAudit(plan),
          { kind: 'counted', calibrationId: 'c1', counts: mergeCounts(a, b) },
          endMs,
        );
        // One isolate reads on the way, each minute's counts arriving within the time they have to settle.
        let state = initialAudit(plan);
        for (let minute = 0; minute < 12; minute += 1) {
          const nowMs = START_MS + (minute + 1) * MINUTE_MS;
          const pick = (source: AuditCounts): AuditCounts => {
            const own = source[START_MINUTE + minute];
            return own === undefined ? {} : { [START_MINUTE + minute]: own };
          };
          state = reduceAudit(state, { kind: 'counted', calibrationId: 'c1', counts: pick(b) }, nowMs);
          if (minute === readMinute) state = reduceAudit(state, { kind: 'waited' }, nowMs);
          state = reduceAudit(state, { kind: 'counted', calibrationId: 'c1', counts: pick(a) }, nowMs);
        }
        const read = reduceAudit(state, { kind: 'waited' }, endMs);
        expect(read.level).toBe(whole.level);
        expect(read.settled).toEqual(whole.settled);
        expect(read.peak).toEqual(whole.peak);
        expect(read.drift).toEqual(whole.drift);
      }),
    );
  });
});

describe('the bet', () => {
  it('cannot be expected to win while disagreements are as frequent as allowed', () => {
    // One audit, exactly: the mean over both outcomes is what the gambler had.
    const had = bet(NO_WEALTH, { agreed: 30, disagreed: 2 }, -1, 4, 0.03);
    const after = (disagreed: number): number =>
      totalWealth(bet(had, { agreed: 1 - disagreed, disagreed }, 4, 5, 0.03), 5);
    expect(0.97 * after(0) + 0.03 * after(1)).toBeCloseTo(totalWealth(had, 4), 12);
    expect(0.98 * after(0) + 0.02 * after(1)).toBeLessThan(totalWealth(had, 4));
  });

  it('begins with one unit and stays finite', () => {
    expect(totalWealth(NO_WEALTH, -1)).toBe(1);
    const rich = bet(NO_WEALTH, { agreed: 0, disagreed: 1e6 }, -1, 0, 0.03);
    expect(Number.isFinite(totalWealth(rich, 0))).toBe(true);
  });

  it('raises a false alarm in at most 5 of 100 endless runs, agreement being exactly as promised', () => {
    const random = seeded(7);
    const runs = 600;
    let alarms = 0;
    for (let run = 0; run < runs; run += 1) {
      let wealth = NO_WEALTH;
      for (let minute = 0; minute < 400; minute += 1) {
        let disagreed = 0;
        for (let index = 0; index < 20; index += 1) if (random() < 0.03) disagreed += 1;
        wealth = bet(wealth, { agreed: 20 - disagreed, disagreed }, minute - 1, minute, 0.03);
        if (totalWealth(wealth, minute) >= 20) {
          alarms += 1;
          break;
        }
      }
    }
    expect(alarms / runs).toBeLessThanOrEqual(0.05);
  });

  it('alarms about when predicted, early drifts sooner than late ones', () => {
    const random = seeded(3);
    const predicted = auditsUntilAlarm(0.1, 0.03, 0.05, 100);
    expect(auditsUntilAlarm(0.1, 0.03, 0.05, 0)).toBeLessThan(predicted);
    expect(auditsUntilAlarm(0.03, 0.03, 0.05, 100)).toBe(Infinity);
    const delays = Array.from({ length: 200 }, () => {
      let wealth = NO_WEALTH;
      for (let minute = 0; ; minute += 1) {
        const rate = minute < 100 ? 0.02 : 0.1;
        let disagreed = 0;
        for (let index = 0; index < 10; index += 1) if (random() < rate) disagreed += 1;
        wealth = bet(wealth, { agreed: 10 - disagreed, disagreed }, minute - 1, minute, 0.03);
        if (totalWealth(wealth, minute) >= 20) return Math.max(0, minute - 99) * 10;
      }
    });
    const mean = delays.reduce((sum, delay) => sum + delay, 0) / delays.length;
    expect(mean).toBeGreaterThan(predicted / 2);
    expect(mean).toBeLessThan(predicted * 1.1);
  });
});

describe('counting one audit', () => {
  it('puts an answer at an edge into the band above it', () => {
    expect(countAudit([0.6, 0.8], 0.8, false, 60_000)).toEqual({ 1: [0, 0, 1, 1] });
    expect(countAudit([0.6, 0.8], 0.79, true, 60_000)).toEqual({ 1: [1, 0, 0, 0] });
  });
});
