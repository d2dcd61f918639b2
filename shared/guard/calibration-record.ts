/**
 * A calibration as the record that configuration and storage hold, and whether a record backs a route's promise.
 */
import { bandEdges } from './bands.ts';
import type { AuditPlan } from './audit.ts';
import type { AgreementPromise } from './bounds.ts';
import { calibrate, type Calibration, type CalibrationPair } from './calibrate.ts';
import type { CalibrationRecord, GuaranteeSpec } from './guarantee-schema.ts';

export type CalibrationSubject = {
  readonly id: string;
  readonly shortcut: string;
  readonly reference: string;
  readonly modelVersion: string;
  readonly calibratedAtMs: number;
};

export type CalibratedShortcut = { readonly record: CalibrationRecord; readonly calibration: Calibration };

export function calibrateShortcut(
  pairs: readonly CalibrationPair[],
  promise: AgreementPromise,
  subject: CalibrationSubject,
): CalibratedShortcut {
  const calibration = calibrate(pairs, promise);
  const isOn = calibration.kind === 'on';
  const record: CalibrationRecord = {
    id: subject.id,
    shortcut: subject.shortcut,
    reference: subject.reference,
    model_version: subject.modelVersion,
    min_agreement: promise.minAgreement,
    confidence: promise.confidence,
    horizon_answers: promise.horizonAnswers,
    calibrated_at: new Date(subject.calibratedAtMs).toISOString(),
    labels: calibration.labels,
    accepted: isOn ? calibration.accepted : 0,
    disagreed: isOn ? calibration.disagreed : 0,
    coverage: isOn ? calibration.accepted / calibration.labels : 0,
    agreement_lower_bound: isOn ? calibration.agreementLowerBound : 0,
    threshold: isOn ? calibration.threshold : null,
    reason: isOn ? null : calibration.detail,
    band_edges: isOn ? [...bandEdges(pairs, calibration.threshold)] : [],
  };
  return { record, calibration };
}

/** Why a record does not back the promise, in words, or undefined where it does. */
export function recordProblem(
  record: CalibrationRecord,
  guarantee: Pick<GuaranteeSpec, 'min_agreement' | 'confidence' | 'horizon_answers'>,
  model: { readonly version: string; readonly reference_variant: string },
): string | undefined {
  if (record.model_version !== model.version)
    return `was made with model version ${record.model_version}, not ${model.version}`;
  if (record.reference !== model.reference_variant)
    return `compares with ${record.reference}, not with the reference variant ${model.reference_variant}`;
  if (record.min_agreement < guarantee.min_agreement)
    return `shows an agreement of ${record.min_agreement} only, not ${guarantee.min_agreement}`;
  if (record.confidence < guarantee.confidence)
    return `is sure at ${record.confidence} only, not ${guarantee.confidence}`;
  if ((record.horizon_answers ?? Infinity) > (guarantee.horizon_answers ?? Infinity))
    return `looks over ${record.horizon_answers ?? 'the long run'}, not over the next ${guarantee.horizon_answers} answers`;
  if ((record.threshold ?? undefined) !== record.band_edges[0]) return 'has bands that do not begin at its threshold';
  if (record.band_edges.some((edge, index) => edge <= (record.band_edges[index - 1] ?? -1)))
    return 'has bands that do not ascend';
  return undefined;
}

export function auditPlanOf(record: CalibrationRecord, guarantee: GuaranteeSpec, settleMinutes: number): AuditPlan {
  return {
    calibrationId: record.id,
    calibratedAtMs: Date.parse(record.calibrated_at),
    bandEdges: record.band_edges,
    minAgreement: guarantee.min_agreement,
    confidence: guarantee.confidence,
    falseAlarm: guarantee.audit.false_alarm,
    settleMinutes,
  };
}
