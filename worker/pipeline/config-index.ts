/**
 * Look-ups over a configuration, built once per version: configurations are immutable, so the index never goes stale.
 */
import { sha256, toHex } from '../../shared/hash/sha256.ts';
import type { Config, ModelSpec, RouteSpec, TargetSpec } from '../../shared/schema/config.ts';

export type Served = {
  readonly model: ModelSpec;
  readonly route: RouteSpec;
  readonly targets: readonly TargetSpec[];
  /** Changes with anything that may change an answer: the policy, the guarantee and what serves them. */
  readonly routeFingerprint: string;
};

const indexes = new WeakMap<Config, ReadonlyMap<string, Served>>();

export function servedModel(config: Config, modelName: string): Served | undefined {
  let index = indexes.get(config);
  if (index === undefined) {
    index = buildIndex(config);
    indexes.set(config, index);
  }
  return index.get(modelName);
}

function buildIndex(config: Config): ReadonlyMap<string, Served> {
  const index = new Map<string, Served>();
  for (const model of config.models) {
    const route = config.routes.find((candidate) => candidate.model === model.name);
    if (route === undefined) continue;
    const targets = config.targets.filter((target) => target.serves.some((served) => served.model === model.name));
    index.set(model.name, {
      model,
      route,
      targets,
      routeFingerprint: fingerprint([
        route.policy,
        route.rules,
        route.skip_above_difficulty,
        route.guarantee,
        model.variants,
      ]),
    });
  }
  return index;
}

/** Part of every cache key, so short; a digest, so that no two policies ever share answers. */
function fingerprint(parts: unknown): string {
  return toHex(sha256(new TextEncoder().encode(JSON.stringify(parts))));
}
