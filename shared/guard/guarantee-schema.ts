/**
 * The guarantee a route states, and the calibration records that back it, as configuration and storage hold them.
 * Owns shape and bounds; whether they fit the route is checked in config/check-config.ts.
 */
import * as z from 'zod';

const name = z.string().min(1).max(64);
const ratio = z.number().min(0).max(1);
/** Below one half "agreement" means little, and certainty cannot be shown. */
const agreement = z.number().min(0.5).lt(1);
const confidence = z.number().min(0.5).lt(1);
const horizonAnswers = z.number().int().positive().max(10_000_000).nullable();
const count = z.number().int().nonnegative();

const MAX_BANDS = 16;

export const calibrationRecordSchema = z.strictObject({
  /** New for every calibration: audits of another one say nothing about this one. */
  id: z.string().regex(/^[A-Za-z0-9._-]{1,80}$/),
  /** The variant, or later the cache, whose answers are taken in the reference's place. */
  shortcut: name,
  reference: name,
  model_version: z.string().min(1).max(64),
  min_agreement: agreement,
  confidence,
  horizon_answers: horizonAnswers,
  calibrated_at: z.iso.datetime(),
  labels: count,
  accepted: count,
  disagreed: count,
  /** Share of the calibration answers that were accepted. */
  coverage: ratio,
  /** Of the agreement among accepted answers in the long run. 0 where the shortcut is off. */
  agreement_lower_bound: ratio,
  /** Answers with at least this confidence are accepted; null: none, for the reason given. */
  threshold: ratio.nullable(),
  reason: z.string().max(400).nullable(),
  /** Lower edges of the bands of accepted confidence, ascending; the first is the threshold. */
  band_edges: z.array(ratio).max(MAX_BANDS),
});

export const guaranteeSchema = z.strictObject({
  /** Of the answers that a shortcut gives, at least this share is what the reference variant would say. */
  min_agreement: agreement,
  /** Probability that a calibration keeps that promise. */
  confidence,
  /** The promise is about the next so many accepted answers of a shortcut and any longer run; null: the long run only. */
  horizon_answers: horizonAnswers,
  audit: z.strictObject({
    /** Of a shortcut's accepted answers; four times as many until 500 have been audited. */
    share: ratio,
    /** Begun by one isolate for one shortcut. */
    max_per_minute: z.number().int().positive(),
    /** Bound of the probability that a shortcut whose agreement is as promised is ever tightened. */
    false_alarm: z.number().gt(0).max(0.5),
  }),
  /** Records stored in DynamoDB, where there are any, stand above these. A shortcut without any is off. */
  calibrations: z.array(calibrationRecordSchema).max(MAX_BANDS),
});

export type CalibrationRecord = z.infer<typeof calibrationRecordSchema>;
export type GuaranteeSpec = z.infer<typeof guaranteeSchema>;
