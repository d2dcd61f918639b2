import { describe, expect, it } from 'vitest';
import { initialAudit, reduceAudit, type AuditState } from '../../../shared/guard/audit.ts';
import { calibrateInOrder } from '../../../shared/guard/calibrate-in-order.ts';
import { auditPlanOf, calibrateShortcut, recordProblem } from '../../../shared/guard/calibration-record.ts';
import { acceptConfidenceOf, auditSummary, shortcutsOf, standingOf } from '../../../shared/guard/shortcuts.ts';
import { parseAuditState, parseRecord, parseWindowCounts } from '../../../shared/guard/stored-guard.ts';
import { guaranteed, model, record, route, START_MS } from './guaranteed-route.ts';

const plan = auditPlanOf(record, guaranteed, 3);
const audited = (minute: number, bands: readonly number[]): AuditState =>
  reduceAudit(
    initialAudit(plan),
    { kind: 'counted', calibrationId: record.id, counts: { [START_MS / 60_000 + minute]: bands } },
    START_MS + 600_000,
  );

describe('how a shortcut stands', () => {
  it('is every step of the cascade but the reference', () => {
    expect(shortcutsOf(route, model)).toEqual(['micro', 'base']);
    expect(shortcutsOf({ ...route, policy: { kind: 'cheapest' } }, model)).toEqual([]);
  });

  it('is uncalibrated without a record, with one that does not fit, and before audits are known', () => {
    const states = [
      standingOf('micro', route, model, undefined, undefined),
      standingOf('micro', route, { ...model, version: '2.0.0' }, record, initialAudit(plan)),
      standingOf('micro', route, model, record, undefined),
    ];
    for (const standing of states) expect(standing).toMatchObject({ state: 'uncalibrated', threshold: null });
    expect(states[1]?.reason).toContain('was made with model version 1.0.0, not 2.0.0');
  });

  it('is active at the calibrated threshold while audits agree', () => {
    expect(standingOf('micro', route, model, record, audited(1, [100, 1, 100, 0]))).toMatchObject({
      state: 'active',
      threshold: 0.7,
    });
  });

  it('is tightened, and then disabled, by audits, and says since when', () => {
    const tightened = standingOf('micro', route, model, record, audited(1, [60, 30, 300, 1]));
    expect(tightened).toMatchObject({ state: 'tightened', threshold: 0.9 });
    expect(tightened.reason).toContain('since 2023-11-14T');
    const disabled = standingOf('micro', route, model, record, audited(1, [60, 30, 60, 30]));
    expect(disabled).toMatchObject({ state: 'disabled', threshold: null });
    expect(acceptConfidenceOf([tightened, { ...disabled, shortcut: 'base' }])).toEqual({ micro: 0.9, base: null });
  });

  it('is disabled where the calibration found no threshold, for the reason it gives', () => {
    const off = { ...record, threshold: null, band_edges: [], reason: 'too few' };
    expect(standingOf('micro', route, model, off, undefined)).toMatchObject({ state: 'disabled', reason: 'too few' });
  });

  it('sums up the audits of what is accepted now', () => {
    expect(auditSummary(initialAudit(plan))).toEqual({ audits: 0, disagreed: 0, agreementLowerBound: null });
    const { audits, disagreed, agreementLowerBound } = auditSummary(audited(1, [60, 30, 300, 1]));
    expect({ audits, disagreed }).toEqual({ audits: 300, disagreed: 1 });
    expect(agreementLowerBound).toBeGreaterThan(0.98);
  });
});

describe('a calibration record', () => {
  const promise = { minAgreement: 0.97, confidence: 0.9, horizonAnswers: null };
  const subject = { id: 'c', shortcut: 'micro', reference: 'large', modelVersion: '1.0.0', calibratedAtMs: START_MS };

  it('holds threshold, evidence and bands of a calibration', () => {
    const pairs = Array.from({ length: 500 }, (_, index) => ({ confidence: index / 500, agreed: index >= 100 }));
    const { record: made } = calibrateShortcut(pairs, promise, subject);
    expect(made).toMatchObject({ labels: 500, reason: null, calibrated_at: '2023-11-14T22:14:00.000Z' });
    expect(made.band_edges[0]).toBe(made.threshold);
    expect(made.coverage).toBeCloseTo(made.accepted / 500, 12);
    expect(parseRecord(JSON.stringify(made))).toEqual(made);
    expect(recordProblem(made, { ...guaranteed, horizon_answers: null }, model)).toBeUndefined();
  });

  it('holds the reason where there is no threshold', () => {
    const { record: made } = calibrateShortcut([], promise, subject);
    expect(made).toMatchObject({ threshold: null, band_edges: [], coverage: 0, agreement_lower_bound: 0 });
    expect(made.reason).toContain('0 labels');
  });

  it.each([
    ['another reference', { reference: 'base' }, 'compares with base'],
    ['a lesser agreement', { min_agreement: 0.9 }, 'agreement of 0.9 only'],
    ['a lesser confidence', { confidence: 0.8 }, 'sure at 0.8 only'],
    ['a longer horizon', { horizon_answers: 5_000 }, 'looks over 5000'],
    ['no horizon', { horizon_answers: null }, 'looks over the long run'],
    ['bands elsewhere', { band_edges: [0.5, 0.9] }, 'do not begin at its threshold'],
    ['bands that fall', { band_edges: [0.7, 0.6] }, 'do not ascend'],
  ])('with %s does not back the promise', (_what, change, expected) => {
    expect(recordProblem({ ...record, ...change }, guaranteed, model)).toContain(expected);
  });

  it("of a cascade's second shortcut is made of the rows that the first sends on", () => {
    const rows = Array.from({ length: 1_000 }, (_, index) => ({
      answers: {
        micro: { label: index % 2 === 0 || index >= 400 ? 'a' : 'b', confidence: index / 1_000 },
        base: { label: 'a', confidence: 0.5 + index / 2_000 },
      },
      reference: 'a',
    }));
    const [micro, base] = calibrateInOrder(rows, ['micro', 'base'], promise, { ...subject, idPrefix: 'x' });
    expect(micro?.record).toMatchObject({ id: 'x-micro', labels: 1_000 });
    expect(base?.record.id).toBe('x-base');
    expect(base?.record.labels).toBeLessThan(400);
    expect(base?.record.labels).toBeGreaterThan(300);
    const [, none] = calibrateInOrder(rows, ['micro', 'absent'], promise, { ...subject, idPrefix: 'x' });
    expect(none?.record).toMatchObject({ labels: 0, threshold: null });
  });
});

describe('stored text', () => {
  it('comes back as it was', () => {
    const state = audited(1, [60, 30, 300, 1]);
    expect(parseAuditState(JSON.stringify(state))).toEqual(state);
    expect(parseWindowCounts('{"c1":[1,0]}')).toEqual({ c1: [1, 0] });
  });

  it.each(['', '{', 'null', '[]', '{"a":1}', '{"a":[-1]}'])('is refused where it is something else: %s', (text) => {
    expect(parseAuditState(text)).toBeUndefined();
    expect(parseWindowCounts(text)).toBeUndefined();
    expect(parseRecord(text)).toBeUndefined();
  });
});
