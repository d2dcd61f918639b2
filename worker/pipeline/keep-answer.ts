/**
 * What may be cached and under which key. Only whole, accepted answers are kept: a best effort is not repeated from memory.
 */
import { cacheKey } from '../../shared/cache/key.ts';
import { choosePolicy } from '../../shared/decide/choose-policy.ts';
import type { RefusalReason } from '../../shared/decide/plan-types.ts';
import type { AnsweredItem } from '../../shared/schema/infer-result.ts';
import type { ModelInput } from '../../shared/schema/model-input.ts';
import { callerOf } from './facts-of.ts';
import type { Incoming } from './incoming.ts';
import { inputChars } from './input-size.ts';
import type { Services } from './services.ts';
import type { Trip } from './trip.ts';

export type AnswerKey = { readonly text: string; readonly readable: boolean; readonly writable: boolean };

export function cacheScope(trip: Trip, services: Services): AnswerKey {
  const { request, served } = trip.mustHaveParsed();
  const on = served.route.cache.ttl_ms > 0 && request.cacheMode !== 'bypass' && isRepeatable(request.input);
  return {
    text: on
      ? cacheKey(request, {
          tenant: trip.caller?.tenant ?? '',
          modelVersion: served.model.version,
          routeFingerprint: `${served.routeFingerprint}${wayOf(trip, services)}`,
        })
      : '',
    readable: on && request.cacheMode === 'default' && !request.explain,
    writable: on,
  };
}

/** Under another rule another answer may be right enough, and on another arm it is not that arm's. */
function wayOf(trip: Trip, { state, clock }: Services): string {
  const { request, served } = trip.mustHaveParsed();
  const { route } = served;
  if (route.rules === undefined && route.policy.kind !== 'split' && route.policy.kind !== 'canary') return '';
  const { way } = choosePolicy({
    route,
    requirements: request.requirements,
    caller: callerOf(trip),
    inputChars: inputChars(request.input),
    random: trip.random,
    arms: state.arms,
    nowMs: clock.now(),
  });
  return ` ${way}`;
}

export function keepAnswer(
  items: readonly AnsweredItem[],
  trip: Trip,
  key: AnswerKey,
  services: Services,
  incoming: Incoming,
): void {
  const { served } = trip.mustHaveParsed();
  const last = items.at(-1);
  if (!key.writable || last === undefined || !items.every((item) => item.accepted)) return;
  if (fallsShort(items, trip)) return;
  const leftTheIsolate = items.some((item) => item.target.kind !== 'edge');
  const cached = {
    items,
    variant: last.variant,
    targetUsed: last.target,
    cloudOnlyCostNanos: trip.plan?.cloudOnlyCostNanos ?? 0,
  };
  const { ttl_ms: ttlMs, stale_if_error_ms: staleIfErrorMs } = served.route.cache;
  const kept = services.cache.put(key.text, cached, { ttlMs, staleIfErrorMs, share: leftTheIsolate });
  if (leftTheIsolate) incoming.keepAlive(kept);
}

/**
 * Late or dear, an answer is as good as any; short of what was asked of it, or less than was only out of reach just now, it
 * would be repeated to those who can have better.
 */
function fallsShort(items: readonly AnsweredItem[], trip: Trip): boolean {
  const { plan, execution } = trip;
  if (plan === undefined || execution === undefined) return false;
  if (plan.missed.some((one) => one === 'min_accuracy' || one === 'model_complexity')) return true;
  // A step's answer was held to its threshold, whichever steps failed.
  if (plan.policyKind === 'cascade') return false;
  const { variants } = trip.mustHaveParsed().served.model;
  const accuracyOf = (name: string): number => variants.find((it) => it.name === name)?.accuracy ?? 0;
  const least = items.reduce((lowest, { variant }) => Math.min(lowest, accuracyOf(variant)), Infinity);
  if (execution.attempts.some(({ outcome, variant }) => outcome === 'failed' && accuracyOf(variant) > least))
    return true;
  if (plan.policyKind !== 'most_accurate') return false;
  return plan.refused.some(({ reason, variant }) => PASSES.has(reason) && accuracyOf(variant) > least);
}

/** What keeps a place from one request and not from the next. */
const PASSES: ReadonlySet<RefusalReason> = new Set([
  'too_slow',
  'over_budget',
  'budget_spent',
  'breaker_open',
  'breaker_half_open',
  'concurrency_limit',
  'reported_down',
  'model_broken',
]);

/** A text drawn at random is another one each time: only a caller who asked for no randomness gets the same one again. */
function isRepeatable(input: ModelInput): boolean {
  return input.kind !== 'chat' || input.temperature === 0;
}
