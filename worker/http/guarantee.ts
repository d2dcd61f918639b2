/**
 * `GET /v1/routes/:name/guarantee`: what a route promises, and per shortcut how it stands and by which evidence.
 */
import { GatewayError } from '../../shared/errors.ts';
import { auditShare } from '../../shared/guard/should-audit.ts';
import { auditSummary, type ShortcutStanding } from '../../shared/guard/shortcuts.ts';
import type { Config, RouteSpec } from '../../shared/schema/config.ts';
import type { KeepAlive } from '../ports.ts';
import type { Services } from '../pipeline/services.ts';

export function describeGuarantee(
  name: string,
  config: Config,
  services: Services,
  keepAlive: KeepAlive,
): Record<string, unknown> {
  const route = config.routes.find((candidate) => candidate.name === name);
  const model = config.models.find((candidate) => candidate.name === route?.model);
  if (route === undefined || model === undefined)
    throw new GatewayError('not_found', `There is no route "${name}"; GET /v1/models/:name shows a model's route.`);
  if (route.guarantee === undefined) return { route: name, model: model.name, guarantee: null, shortcuts: [] };
  const { calibrations: _shownPerShortcut, ...promise } = route.guarantee;
  return {
    route: name,
    model: model.name,
    reference: model.reference_variant,
    guarantee: promise,
    shortcuts: services.guard.standings(route, model, keepAlive).map((standing) => shortcut(standing, route)),
  };
}

function shortcut(standing: ShortcutStanding, route: RouteSpec): Record<string, unknown> {
  const { record, audit } = standing;
  return {
    shortcut: standing.shortcut,
    state: standing.state,
    reason: standing.reason,
    threshold: standing.threshold,
    calibration:
      record === null
        ? null
        : {
            id: record.id,
            calibrated_at: record.calibrated_at,
            model_version: record.model_version,
            threshold: record.threshold,
            labels: record.labels,
            accepted: record.accepted,
            disagreed: record.disagreed,
            agreement_lower_bound: record.agreement_lower_bound,
            coverage: record.coverage,
          },
    audit: audit === null ? null : auditOf(audit, route),
  };
}

function auditOf(audit: NonNullable<ShortcutStanding['audit']>, route: RouteSpec): Record<string, unknown> {
  const { audits, disagreed, agreementLowerBound } = auditSummary(audit);
  const iso = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString());
  return {
    audits,
    disagreed,
    agreement_lower_bound: agreementLowerBound,
    level: audit.level,
    levels: audit.plan.bandEdges.length,
    evidence_against: audit.peak[audit.level] ?? null,
    alarm_at: 1 / audit.plan.falseAlarm,
    share_now:
      route.guarantee === undefined
        ? 0
        : auditShare(audit, {
            share: route.guarantee.audit.share,
            maxPerMinute: route.guarantee.audit.max_per_minute,
          }),
    last_audit: iso(audit.lastAuditMs),
    tightened_at: iso(audit.tightenedAtMs),
  };
}
