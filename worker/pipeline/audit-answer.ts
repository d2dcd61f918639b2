/**
 * Asks the reference again, in the background, for some of the answers that a shortcut has just given, and counts where
 * the two disagree. The answer is already on its way: nothing here delays or changes it, and no input is ever logged.
 */
import type { RouteSpec } from '../../shared/schema/config.ts';
import type { InferRequest } from '../../shared/schema/infer-request.ts';
import type { AnsweredItem } from '../../shared/schema/infer-result.ts';
import { agrees } from '../../shared/schema/prediction.ts';
import type { AuditedAnswer } from '../ports.ts';
import { askAgain, hasRoomForMore } from './ask-again.ts';
import type { Incoming } from './incoming.ts';
import type { Services } from './services.ts';
import type { Trip } from './trip.ts';

/** One accepted answer drawn for an audit. */
type Drawn = { readonly position: number; readonly item: AnsweredItem; readonly calibrationId: string };

export function auditAnswer(items: readonly AnsweredItem[], trip: Trip, services: Services, incoming: Incoming): void {
  const { request, served } = trip.mustHaveParsed();
  if (served.route.guarantee === undefined || !mayBeAudited(request, trip, services)) return;
  const standings = services.guard.standings(served.route, served.model, incoming.keepAlive);
  const drawn = items.flatMap((item, position): Drawn[] => {
    const standing = standings.find(({ shortcut }) => shortcut === item.variant);
    const calibrationId = standing?.audit?.plan.calibrationId;
    if (!item.accepted || calibrationId === undefined) return [];
    // A caller's `min_accuracy` may ask more than the guarantee; it never asks less.
    if (item.prediction.confidence < (standing?.threshold ?? Infinity)) return [];
    return services.guard.draws(served.route, served.model, item.variant) ? [{ position, item, calibrationId }] : [];
  });
  if (drawn.length > 0) incoming.keepAlive(audit(drawn, trip, services, incoming));
}

/** Not a pinned variant (no shortcut was taken), not what must stay at the edge, not while requests are being shed. */
function mayBeAudited(request: InferRequest, trip: Trip, services: Services): boolean {
  if (request.requirements.variant !== undefined || request.requirements.placement === 'edge') return false;
  return hasRoomForMore(trip, services);
}

async function audit(drawn: readonly Drawn[], trip: Trip, services: Services, incoming: Incoming): Promise<void> {
  const { served } = trip.mustHaveParsed();
  try {
    const positions = drawn.map(({ position }) => position);
    const { placement } = trip.mustHaveParsed().request.requirements;
    const variant = served.model.reference_variant;
    const execution = await askAgain({ positions, variant, target: undefined, placement }, trip, services, incoming);
    const audited = drawn.flatMap(({ item, calibrationId }, index): AuditedAnswer[] => {
      const answer = execution.items[index];
      if (answer === undefined) return [];
      const { confidence } = item.prediction;
      return [
        { shortcut: item.variant, calibrationId, confidence, agreed: agrees(answer.prediction, item.prediction) },
      ];
    });
    services.guard.count(served.route, served.model, audited);
    recordAudits(served.route, drawn.length, audited, execution.costNanos, services);
    const put = services.guard.flushWhenOver();
    if (put !== undefined) incoming.keepAlive(put);
  } catch (error) {
    services.logger.log('warn', 'an audit failed', incoming.requestId, {
      detail: error instanceof Error ? error.name : 'unknown',
    });
  }
}

function recordAudits(
  route: RouteSpec,
  drawn: number,
  audited: readonly AuditedAnswer[],
  costNanos: number,
  services: Services,
): void {
  services.sink.addAudits({
    route: route.name,
    endedAtMs: services.clock.now(),
    audits: audited.length,
    disagreements: audited.filter(({ agreed }) => !agreed).length,
    failures: drawn - audited.length,
    costNanos,
  });
}
