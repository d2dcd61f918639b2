/**
 * The shortcuts of a route and how each stands: what it may accept now, and why. Owns putting calibration and audits
 * together; neither asks a clock.
 */
import { evidenceAt, thresholdInForce, type AuditState } from './audit.ts';
import { lowerBound } from './bounds.ts';
import type { CalibrationRecord } from './guarantee-schema.ts';
import { recordProblem } from './calibration-record.ts';
import type { ModelSpec, RouteSpec } from '../schema/config.ts';

/** Every step of a cascade that is not the reference itself. */
export function shortcutsOf(route: RouteSpec, model: ModelSpec): readonly string[] {
  if (route.policy.kind !== 'cascade') return [];
  return route.policy.steps.map((step) => step.variant).filter((variant) => variant !== model.reference_variant);
}

export type ShortcutStanding = {
  readonly shortcut: string;
  readonly state: 'active' | 'tightened' | 'disabled' | 'uncalibrated';
  readonly reason: string;
  /** Lowest confidence accepted now; null: nothing is. */
  readonly threshold: number | null;
  readonly record: CalibrationRecord | null;
  readonly audit: AuditState | null;
};

/**
 * @param record the newest one of this shortcut
 * @param audit what audits say about that very record; undefined before it is known
 */
export function standingOf(
  shortcut: string,
  route: RouteSpec,
  model: ModelSpec,
  record: CalibrationRecord | undefined,
  audit: AuditState | undefined,
): ShortcutStanding {
  const none = { shortcut, threshold: null, record: record ?? null, audit: audit ?? null };
  const { guarantee } = route;
  if (guarantee === undefined || record === undefined)
    return { ...none, state: 'uncalibrated', reason: 'there is no calibration record; every request goes on' };
  const problem = recordProblem(record, guarantee, model);
  if (problem !== undefined) return { ...none, state: 'uncalibrated', reason: `the calibration record ${problem}` };
  if (record.threshold === null)
    return { ...none, state: 'disabled', reason: record.reason ?? 'the calibration found no threshold' };
  if (audit === undefined) return { ...none, state: 'uncalibrated', reason: 'what audits say has not been read yet' };
  const threshold = thresholdInForce(audit);
  const since = audit.tightenedAtMs === null ? '' : ` since ${new Date(audit.tightenedAtMs).toISOString()}`;
  if (threshold === null)
    return { ...none, state: 'disabled', reason: `audits disagree at every confidence${since}: calibrate anew` };
  if (audit.level > 0)
    return {
      ...none,
      state: 'tightened',
      threshold,
      reason: `audits disagree too often below it${since}: calibrate anew`,
    };
  return { ...none, state: 'active', threshold, reason: 'audits agree as often as promised' };
}

/** For the decision: what each shortcut may accept. Undefined where the route states no guarantee. */
export type AcceptConfidenceOf = Readonly<Record<string, number | null>>;

export function acceptConfidenceOf(standings: readonly ShortcutStanding[]): AcceptConfidenceOf {
  return Object.fromEntries(standings.map(({ shortcut, threshold }) => [shortcut, threshold]));
}

/** Audits of the answers accepted now, with a lower bound of their agreement at the given confidence. */
export function auditSummary(audit: AuditState): {
  readonly audits: number;
  readonly disagreed: number;
  readonly agreementLowerBound: number | null;
} {
  const { agreed, disagreed } = evidenceAt(audit, audit.level);
  const audits = agreed + disagreed;
  return {
    audits,
    disagreed,
    agreementLowerBound: audits === 0 ? null : lowerBound(agreed, audits, audit.plan.confidence),
  };
}
