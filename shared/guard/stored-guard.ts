/**
 * Calibration records, audit states and counts as stored text, read strictly: what comes from storage may be anything.
 */
import * as z from 'zod';
import type { AuditState } from './audit.ts';
import type { BandCounts } from './audit-counts.ts';
import { calibrationRecordSchema, type CalibrationRecord } from './guarantee-schema.ts';

const finite = z.number();
const count = z.number().int().nonnegative();
const bands = z.array(count).max(64);

const planSchema = z.strictObject({
  calibrationId: z.string(),
  calibratedAtMs: finite,
  bandEdges: z.array(finite).min(1),
  minAgreement: finite,
  confidence: finite,
  falseAlarm: finite,
  settleMinutes: count,
});

const auditStateSchema = z.strictObject({
  plan: planSchema,
  level: count,
  tightenedAtMs: finite.nullable(),
  settledMinute: z.number().int(),
  betMinute: z.number().int(),
  wealth: z.array(z.array(finite)),
  peak: z.array(finite),
  drift: z.strictObject({ score: finite, counts: bands }),
  settled: bands,
  open: z.record(z.string(), bands),
  lastAuditMs: finite.nullable(),
});

const countsSchema = z.record(z.string(), bands);

/** @returns undefined where the text is no state */
export function parseAuditState(text: string): AuditState | undefined {
  const parsed = auditStateSchema.safeParse(parseJson(text));
  return parsed.success ? parsed.data : undefined;
}

/** @returns undefined where the text holds no counts */
export function parseWindowCounts(text: string): Readonly<Record<string, BandCounts>> | undefined {
  const parsed = countsSchema.safeParse(parseJson(text));
  return parsed.success ? parsed.data : undefined;
}

/** @returns undefined where the text is no record */
export function parseRecord(text: string): CalibrationRecord | undefined {
  const parsed = calibrationRecordSchema.safeParse(parseJson(text));
  return parsed.success ? parsed.data : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
