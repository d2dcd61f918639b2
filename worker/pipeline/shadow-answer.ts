/**
 * A background copy of some requests, for a variant or a place that is to be tried without being believed: bounded, at the
 * lowest priority, compared with the answer that was given. Says what came of it in one log line; holds no input.
 */
import { CHANCE_OF, drawFor } from '../../shared/decide/chance.ts';
import { usdFromNanos } from '../../shared/measure/pricing.ts';
import type { AnsweredItem } from '../../shared/schema/infer-result.ts';
import { agrees } from '../../shared/schema/prediction.ts';
import { askAgain, hasRoomForMore, type AskedAgain } from './ask-again.ts';
import type { Incoming } from './incoming.ts';
import type { Services } from './services.ts';
import type { Trip } from './trip.ts';

export function shadowAnswer(items: readonly AnsweredItem[], trip: Trip, services: Services, incoming: Incoming): void {
  const { request, served } = trip.mustHaveParsed();
  const { shadow } = served.route;
  if (shadow === undefined || drawFor(trip.random, CHANCE_OF.shadow) >= shadow.share) return;
  // What must not leave the edge does not leave it as a copy either.
  const { placement } = request.requirements;
  if (!hasRoomForMore(trip, services) || !services.state.takeShadow(served.route, services.clock.now())) return;
  const asked = {
    positions: items.map((_, position) => position),
    variant: shadow.variant,
    target: shadow.target,
    placement,
  };
  incoming.keepAlive(compare(asked, items, trip, services, incoming));
}

async function compare(
  asked: AskedAgain,
  items: readonly AnsweredItem[],
  trip: Trip,
  services: Services,
  incoming: Incoming,
): Promise<void> {
  const startedAtMs = services.clock.now();
  try {
    const { items: copies, attempts, costNanos } = await askAgain(asked, trip, services, incoming);
    const answered = copies.filter((copy) => copy !== undefined).length;
    const agreed = copies.filter((copy, index) => {
      const item = items[index];
      return copy !== undefined && item !== undefined && agrees(copy.prediction, item.prediction);
    }).length;
    services.logger.log('info', 'shadow', incoming.requestId, {
      route: trip.mustHaveParsed().served.route.name,
      variant: asked.variant,
      target: attempts.at(-1)?.target ?? null,
      reason: attempts.at(-1)?.reason ?? null,
      items: items.length,
      answered,
      agreed,
      latency_ms: services.clock.now() - startedAtMs,
      cost_usd: usdFromNanos(costNanos),
    });
  } catch (error) {
    services.logger.log('warn', 'a shadow failed', incoming.requestId, {
      detail: error instanceof Error ? error.name : 'unknown',
    });
  }
}
