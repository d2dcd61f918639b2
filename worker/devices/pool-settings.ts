/**
 * What the configuration in force says of one pool: the model its devices should hold and how sure a device must be of an
 * answer of its own. Pure.
 */
import type { ShortcutStanding } from '../../shared/guard/shortcuts.ts';
import type { Config, ModelSpec, RouteSpec } from '../../shared/schema/config.ts';

export type PoolSettings = {
  readonly model: ModelSpec;
  readonly variant: string;
  readonly route: RouteSpec;
};

export function poolSettings(config: Config, pool: string): PoolSettings | undefined {
  const target = config.targets.find(({ endpoint }) => endpoint.kind === 'mcu' && endpoint.pool === pool);
  const served = target?.serves[0];
  const model = config.models.find(({ name }) => name === served?.model);
  const route = config.routes.find((candidate) => candidate.model === served?.model);
  if (served === undefined || model === undefined || route === undefined) return undefined;
  return { model, variant: served.variant, route };
}

/** More than any confidence: a device that is held to it asks every time. */
const ALWAYS_ASK = 2;

/** As the gateway itself is held to: by the guarantee where the route states one, else by its step of the cascade. */
export function thresholdOf(settings: PoolSettings, standings: readonly ShortcutStanding[]): number {
  const { route, variant } = settings;
  if (route.guarantee !== undefined) {
    const standing = standings.find(({ shortcut }) => shortcut === variant);
    if (standing !== undefined) return standing.threshold ?? ALWAYS_ASK;
  }
  if (route.policy.kind !== 'cascade') return 0;
  const position = route.policy.steps.findIndex((step) => step.variant === variant);
  // The cascade's last step takes any answer: there is nothing better to ask.
  if (position < 0 || position === route.policy.steps.length - 1) return 0;
  return route.policy.steps[position]?.accept_confidence ?? 0;
}
