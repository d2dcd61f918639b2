import { describe, expect, it } from 'vitest';
import { bandEdges } from '../../../shared/guard/bands.ts';
import { initialAudit, reduceAudit, type AuditState } from '../../../shared/guard/audit.ts';
import { auditShare, NO_AUDITS, shouldAudit } from '../../../shared/guard/should-audit.ts';

const fresh = initialAudit({
  calibrationId: 'c1',
  calibratedAtMs: 0,
  bandEdges: [0.5, 0.9],
  minAgreement: 0.97,
  confidence: 0.9,
  falseAlarm: 0.05,
  settleMinutes: 0,
});
const policy = { share: 0.02, maxPerMinute: 3 };

function withAudits(audits: number, disagreed = 0): AuditState {
  return reduceAudit(fresh, { kind: 'counted', calibrationId: 'c1', counts: { 0: [0, 0, audits, disagreed] } }, 60_000);
}

describe('should audit', () => {
  it('audits more while evidence is thin, the configured share after', () => {
    expect(auditShare(fresh, policy)).toBe(0.08);
    expect(auditShare(withAudits(499), policy)).toBe(0.08);
    expect(auditShare(withAudits(500), policy)).toBe(0.02);
  });

  it('audits more while disagreements look like a drift, before they prove one', () => {
    const suspected = withAudits(600, 30);
    expect(suspected.level).toBe(0);
    expect(auditShare(suspected, policy)).toBe(0.08);
  });

  it('never raises a share past one half, nor lowers one above it', () => {
    expect(auditShare(fresh, { ...policy, share: 0.3 })).toBe(0.5);
    expect(auditShare(fresh, { ...policy, share: 0.8 })).toBe(0.8);
  });

  it('audits nothing of a disabled shortcut', () => {
    const disabled = withAudits(200, 100);
    expect(disabled.level).toBe(2);
    expect(auditShare(disabled, policy)).toBe(0);
    expect(shouldAudit(disabled, policy, NO_AUDITS, 0, 0).audit).toBe(false);
  });

  it('draws by the share alone', () => {
    expect(shouldAudit(fresh, policy, NO_AUDITS, 0.0799, 0).audit).toBe(true);
    expect(shouldAudit(fresh, policy, NO_AUDITS, 0.08, 0).audit).toBe(false);
  });

  it('begins no more in a minute than allowed, and again in the next', () => {
    let budget = NO_AUDITS;
    const begun = Array.from({ length: 5 }, (_, index) => {
      const drawn = shouldAudit(fresh, policy, budget, 0, index * 1_000);
      budget = drawn.budget;
      return drawn.audit;
    });
    expect(begun).toEqual([true, true, true, false, false]);
    expect(shouldAudit(fresh, policy, budget, 0, 60_000).audit).toBe(true);
  });
});

describe('band edges', () => {
  it('begin at the threshold and part the accepted answers, finest at the bottom', () => {
    const pairs = Array.from({ length: 1_000 }, (_, index) => ({ confidence: index / 1_000, agreed: true }));
    expect(bandEdges(pairs, 0.8)).toEqual([0.8, 0.81, 0.82, 0.84, 0.87, 0.9, 0.95]);
  });

  it('are fewer where confidences tie', () => {
    expect(
      bandEdges(
        Array.from({ length: 90 }, () => ({ confidence: 0.9, agreed: true })),
        0.9,
      ),
    ).toEqual([0.9]);
  });
});
