/**
 * What an isolate says of itself with each metrics window it puts: which configuration it holds, since when, where it runs,
 * and why its last look failed. It travels in items that are written anyway, so knowing costs no write. Pure.
 */
import type { Item } from '../config/config-items.ts';
import { TABLE_SORT_KEY } from '../names.ts';

export type IsolateReport = {
  readonly isolateId: string;
  /** The data centre's code, or `local`. */
  readonly place: string;
  /** `embedded`, or the version number as text. */
  readonly configVersion: string;
  readonly inForceSinceMs: number;
  readonly reportedAtMs: number;
  /** Why the last look for a newer version failed, or null. */
  readonly problem: string | null;
};

/** Attributes a reader asks for, so that it need not be sent the windows themselves. */
export const REPORT_ATTRIBUTES = [
  TABLE_SORT_KEY,
  'place',
  'config_version',
  'config_since',
  'reported_at',
  'config_problem',
] as const;

export function reportAttributes(report: Omit<IsolateReport, 'isolateId'>): Item {
  return {
    place: { S: report.place },
    config_version: { S: report.configVersion },
    config_since: { N: String(report.inForceSinceMs) },
    reported_at: { N: String(report.reportedAtMs) },
    ...(report.problem === null ? {} : { config_problem: { S: report.problem } }),
  };
}

/** Undefined for a window of an older gateway, which says nothing of itself, and for what is no window. */
export function parseReport(item: Item): IsolateReport | undefined {
  const [place, configVersion] = ['place', 'config_version'].map((name) => textOf(item[name]));
  // The key of a window begins with its isolate.
  const isolateId = textOf(item[TABLE_SORT_KEY])?.split('#')[0];
  const inForceSinceMs = numberOf(item['config_since']);
  const reportedAtMs = numberOf(item['reported_at']);
  if (isolateId === undefined || place === undefined || configVersion === undefined) return undefined;
  if (inForceSinceMs === undefined || reportedAtMs === undefined) return undefined;
  return {
    isolateId,
    place,
    configVersion,
    inForceSinceMs,
    reportedAtMs,
    problem: textOf(item['config_problem']) ?? null,
  };
}

/** The newest report of each isolate. */
export function latestReports(reports: Iterable<IsolateReport>): readonly IsolateReport[] {
  const latest = new Map<string, IsolateReport>();
  for (const report of reports) {
    const known = latest.get(report.isolateId);
    if (known === undefined || known.reportedAtMs < report.reportedAtMs) latest.set(report.isolateId, report);
  }
  return [...latest.values()];
}

export type HeldVersion = {
  readonly version: string;
  readonly isolates: number;
  /** How many at each place. */
  readonly places: Readonly<Record<string, number>>;
  readonly lastReportedMs: number;
  /** What those isolates say is wrong, each sentence once. */
  readonly problems: readonly string[];
};

/** Most widely held first. */
export function versionsHeld(reports: readonly IsolateReport[]): readonly HeldVersion[] {
  const versions = new Map<string, IsolateReport[]>();
  for (const report of reports) {
    const held = versions.get(report.configVersion);
    if (held === undefined) versions.set(report.configVersion, [report]);
    else held.push(report);
  }
  return [...versions]
    .map(([version, held]) => ({
      version,
      isolates: held.length,
      places: countBy(held.map(({ place }) => place)),
      lastReportedMs: Math.max(...held.map(({ reportedAtMs }) => reportedAtMs)),
      problems: [...new Set(held.flatMap(({ problem }) => problem ?? []))],
    }))
    .sort((left, right) => right.isolates - left.isolates);
}

function countBy(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

function textOf(value: Item[string] | undefined): string | undefined {
  return value !== undefined && 'S' in value ? value.S : undefined;
}

function numberOf(value: Item[string] | undefined): number | undefined {
  const number = value !== undefined && 'N' in value ? Number(value.N) : Number.NaN;
  return Number.isFinite(number) ? number : undefined;
}
