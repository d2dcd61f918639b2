/**
 * Loading ahead: a variant set aside because it would have to be loaded first is loaded now, in the background, for those
 * who come next. Without it, requests in a hurry would leave it cold for ever.
 */
import type { Plan } from '../../shared/decide/plan-types.ts';
import type { Target } from '../ports.ts';

export function warmTooCold(plan: Plan, model: string, targets: ReadonlyMap<string, Target>): void {
  for (const { reason, kind, target, variant } of plan.refused) {
    if (reason !== 'too_slow' || kind !== 'edge') continue;
    const place = targets.get(target);
    if (place?.cold?.(model)?.[`${model}/${variant}`]?.kind === 'loading') place.warm?.(model, variant);
  }
}
