/**
 * The steps that stand before the reference in a model's shipped cascade, in its order: what there is to calibrate where an
 * operator names nothing.
 */
import { join } from 'node:path';
import { REPOSITORY_ROOT } from '../local/bundle-worker.ts';
import { readCards } from '../local/read-cards.ts';
import { defaultConfig } from '../shared/config/default-config.ts';

/** Undefined for a model that has no card in `models`, or whose route is no cascade. */
export async function shippedShortcuts(model: string): Promise<readonly string[] | undefined> {
  const { routes } = defaultConfig(await readCards(join(REPOSITORY_ROOT, 'models')), {
    region: '',
    lambdaFunctionUrl: null,
    sagemakerEndpointName: null,
    sagemakerBaseUrl: null,
  });
  const policy = routes.find((route) => route.model === model)?.policy;
  return policy?.kind === 'cascade' ? policy.steps.slice(0, -1).map(({ variant }) => variant) : undefined;
}
