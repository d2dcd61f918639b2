/**
 * Which accepted answers are asked again of the reference. Owns the share; the draw never looks at the answer, so that
 * audited answers are a fair sample of accepted ones.
 */
import { evidenceAt, type AuditState } from './audit.ts';
import { minuteOf } from './audit-counts.ts';

export type AuditPolicy = {
  /** Of accepted answers, once there is evidence and no suspicion. */
  readonly share: number;
  /** Audits of one shortcut that one isolate begins in a minute at most: the bound of what auditing costs. */
  readonly maxPerMinute: number;
};

/** Until the level in force has so many audits, they are drawn more often; */
const THIN_EVIDENCE_AUDITS = 500;
/** and while disagreements look this much (log likelihood ratio) like a drift, so that suspicion is soon settled. */
const SUSPICION = 2;
const CLOSER_LOOK_FACTOR = 4;
const MAX_CLOSER_SHARE = 0.5;

export type AuditBudget = { readonly minute: number; readonly begun: number };

export const NO_AUDITS: AuditBudget = { minute: -1, begun: 0 };

/** Probability with which an accepted answer is audited now. */
export function auditShare(state: AuditState, policy: AuditPolicy): number {
  if (state.level >= state.plan.bandEdges.length) return 0;
  const { agreed, disagreed } = evidenceAt(state, state.level);
  if (agreed + disagreed >= THIN_EVIDENCE_AUDITS && state.drift.score < SUSPICION) return policy.share;
  return closerShare(policy);
}

function closerShare(policy: AuditPolicy): number {
  return Math.max(policy.share, Math.min(MAX_CLOSER_SHARE, policy.share * CLOSER_LOOK_FACTOR));
}

/** @param random 0 <= random < 1, drawn for this answer alone */
export function shouldAudit(
  state: AuditState,
  policy: AuditPolicy,
  budget: AuditBudget,
  random: number,
  nowMs: number,
): { readonly audit: boolean; readonly budget: AuditBudget } {
  const minute = minuteOf(nowMs);
  const current = budget.minute === minute ? budget : { minute, begun: 0 };
  // Most draws are settled without adding up the evidence.
  const mayBe = random < closerShare(policy) && current.begun < policy.maxPerMinute;
  const audit = mayBe && random < auditShare(state, policy);
  return { audit, budget: audit ? { minute, begun: current.begun + 1 } : current };
}
