import { describe, expect, it } from 'vitest';
import {
  latestReports,
  parseReport,
  reportAttributes,
  versionsHeld,
  type IsolateReport,
} from '../../../shared/control/isolate-report.ts';

const report = (isolateId: string, configVersion: string, reportedAtMs: number, change = {}): IsolateReport => ({
  isolateId,
  place: 'FRA',
  configVersion,
  inForceSinceMs: 1_000,
  reportedAtMs,
  problem: null,
  ...change,
});

describe("an isolate's report", () => {
  it.each([report('a', '7', 5_000), report('b', 'embedded', 5_000, { problem: 'the table is away' })])(
    'is read as it was put: %o',
    (put) => {
      expect(parseReport({ sk: { S: `${put.isolateId}#7` }, ...reportAttributes(put) })).toEqual(put);
    },
  );

  it.each([{}, { sk: { S: 'a#0' } }, { sk: { S: 'a#0' }, config_version: { S: '1' }, place: { S: 'x' } }])(
    'is none where a window says nothing of its isolate: %o',
    (item) => {
      expect(parseReport(item)).toBeUndefined();
    },
  );

  it('counts once an isolate that reported often, as it reported last', () => {
    const reports = latestReports([
      report('a', '6', 10),
      report('b', '6', 40),
      report('a', '7', 30),
      report('a', '6', 20),
    ]);
    expect(versionsHeld(reports)).toEqual([
      { version: '7', isolates: 1, places: { FRA: 1 }, lastReportedMs: 30, problems: [] },
      { version: '6', isolates: 1, places: { FRA: 1 }, lastReportedMs: 40, problems: [] },
    ]);
  });

  it('adds up by version, places counted and each problem said once', () => {
    const held = versionsHeld([
      report('a', '7', 10),
      report('b', '6', 10, { problem: 'altered' }),
      report('c', '6', 20, { problem: 'altered', place: 'IAD' }),
    ]);
    expect(held[0]).toEqual({
      version: '6',
      isolates: 2,
      places: { FRA: 1, IAD: 1 },
      lastReportedMs: 20,
      problems: ['altered'],
    });
  });
});
