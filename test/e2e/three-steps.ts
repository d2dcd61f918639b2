/**
 * The chain that tests of the cloud places are about: micro in the isolate, base on Lambda, large on SageMaker. The shipped
 * configuration asks a second variant at the edge instead of base, and so leaves hardly anything to escalate.
 */
import type { Config, RouteSpec } from '../../shared/schema/config.ts';

const STEPS = [
  { variant: 'micro', accept_confidence: 0.9 },
  { variant: 'base', accept_confidence: 0.9 },
  { variant: 'large', accept_confidence: 0 },
];

export function threeSteps(config: Config): Config {
  const hasSteps = (model: string): boolean => {
    const names = config.models.find(({ name }) => name === model)?.variants.map(({ name }) => name) ?? [];
    return STEPS.every(({ variant }) => names.includes(variant));
  };
  return {
    ...config,
    targets: config.targets.map((target) => ({
      ...target,
      serves: target.serves.filter(({ variant }) => variant !== 'small'),
    })),
    routes: config.routes.map((route): RouteSpec =>
      hasSteps(route.model) ? { ...route, policy: { kind: 'cascade', steps: STEPS } } : route,
    ),
  };
}
