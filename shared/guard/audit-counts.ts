/**
 * Counts of audits by minute and band of confidence: the sufficient statistics that isolates add up. Owns adding only;
 * what counts say is audit.ts.
 */

/** Audits and disagreements per band, lowest band first: [audits, disagreements, audits, ...]. */
export type BandCounts = readonly number[];

/** Counts by minute since the epoch. Adding them up is commutative and associative: the order of arrival is nothing. */
export type AuditCounts = Readonly<Record<string, BandCounts>>;

const MS_PER_MINUTE = 60_000;

export function minuteOf(ms: number): number {
  return Math.floor(ms / MS_PER_MINUTE);
}

export function startOfMinuteMs(minute: number): number {
  return minute * MS_PER_MINUTE;
}

/** The counts of one audit, or undefined where the answer lies below every band: it was not accepted. */
export function countAudit(
  bandEdges: readonly number[],
  confidence: number,
  agreed: boolean,
  nowMs: number,
): AuditCounts | undefined {
  const band = bandEdges.findLastIndex((edge) => confidence >= edge);
  if (band < 0) return undefined;
  const counts = noCounts(bandEdges.length);
  counts[2 * band] = 1;
  counts[2 * band + 1] = agreed ? 0 : 1;
  return { [minuteOf(nowMs)]: counts };
}

export function mergeCounts(a: AuditCounts, b: AuditCounts): AuditCounts {
  const merged: Record<string, BandCounts> = { ...a };
  for (const [minute, counts] of Object.entries(b)) merged[minute] = addBands(merged[minute] ?? [], counts);
  return merged;
}

export function noCounts(bands: number): number[] {
  return Array.from({ length: 2 * bands }, () => 0);
}

export function addBands(a: BandCounts, b: BandCounts): BandCounts {
  return b.map((count, index) => count + (a[index] ?? 0));
}

export type Tally = { readonly agreed: number; readonly disagreed: number };

/** Over the given band and those above it. */
export function tallyFrom(counts: BandCounts, lowestBand: number): Tally {
  let audits = 0;
  let disagreed = 0;
  for (let band = lowestBand; 2 * band < counts.length; band += 1) {
    audits += counts[2 * band] ?? 0;
    disagreed += counts[2 * band + 1] ?? 0;
  }
  return { agreed: audits - disagreed, disagreed };
}
