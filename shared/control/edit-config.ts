/**
 * Changes that an operator makes to a configuration, each a new document. Pure. Whether the result makes sense as a whole is
 * check-config.ts's business, asked when it is published; only what could not be named at all is refused here.
 */
import type { ApiKeySpec, Config, ModelSpec, RouteSpec, TargetSpec } from '../schema/config.ts';

export type Edited =
  | { readonly ok: true; readonly config: Config }
  | { readonly ok: false; readonly missing: string; readonly known: readonly string[] };

export function setTargetEnabled(config: Config, id: string, enabled: boolean): Edited {
  if (!config.targets.some((target) => target.id === id)) return missing(`target ${id}`, config.targets, (t) => t.id);
  return edited({ ...config, targets: config.targets.map((t) => (t.id === id ? { ...t, enabled } : t)) });
}

export type RouteChange = {
  readonly [Field in keyof RouteSpec]?: RouteSpec[Field] | undefined;
};

/** Changes the fields that are given. A route that does not exist is made where its model is given. */
export function setRoute(config: Config, name: string, change: RouteChange): Edited {
  const given = Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined));
  const present = config.routes.find((route) => route.name === name);
  if (present !== undefined) {
    const route: RouteSpec = { ...present, ...given };
    return edited({ ...config, routes: config.routes.map((r) => (r.name === name ? route : r)) });
  }
  const model = config.models.find((candidate) => candidate.name === change.model);
  if (model === undefined) return missing(`route ${name}`, config.routes, (route) => route.name);
  return edited({ ...config, routes: [...config.routes, { ...routeFor(model, name), ...given }] });
}

/** One attempt at the reference variant: nothing is known yet of when a smaller one may answer. */
function routeFor(model: ModelSpec, name: string): RouteSpec {
  return {
    name,
    model: model.name,
    policy: { kind: 'cascade', steps: [{ variant: model.reference_variant, accept_confidence: 0 }] },
    default_deadline_ms: 10_000,
    deadline_probability: 0.95,
    cache: { ttl_ms: 300_000, stale_if_error_ms: 3_600_000 },
  };
}

export type Placement = { readonly target: string; readonly serves: TargetSpec['serves'] };

/**
 * Adds a model, or puts a new version in place of the one with its name. What targets served of it before is replaced by
 * what is given; a route is made for it where none is there.
 */
export function addModel(config: Config, model: ModelSpec, placements: readonly Placement[]): Edited {
  const unknown = placements.find(({ target }) => !config.targets.some(({ id }) => id === target));
  if (unknown !== undefined) return missing(`target ${unknown.target}`, config.targets, (target) => target.id);
  const without = config.models.filter(({ name }) => name !== model.name);
  return edited({
    ...config,
    models: [...without, model],
    targets: config.targets.map((target) => {
      const kept = target.serves.filter((served) => served.model !== model.name);
      const added = placements.filter((placement) => placement.target === target.id).flatMap(({ serves }) => serves);
      return { ...target, serves: [...kept, ...added] };
    }),
    routes: config.routes.some((route) => route.model === model.name)
      ? config.routes
      : [...config.routes, routeFor(model, model.name)],
  });
}

/** With its routes, and with targets that served nothing else. */
export function removeModel(config: Config, name: string): Edited {
  if (!config.models.some((model) => model.name === name)) {
    return missing(`model ${name}`, config.models, (model) => model.name);
  }
  return edited({
    ...config,
    models: config.models.filter((model) => model.name !== name),
    routes: config.routes.filter((route) => route.model !== name),
    targets: config.targets
      .map((target) => ({ ...target, serves: target.serves.filter((served) => served.model !== name) }))
      .filter((target) => target.serves.length > 0),
  });
}

export function addKey(config: Config, key: ApiKeySpec): Edited {
  return edited({ ...config, api_keys: [...config.api_keys, key] });
}

/** A revoked key stays, disabled: the audit keeps it, and a configuration whose last key went would be open to all. */
export function revokeKey(config: Config, id: string): Edited {
  if (!config.api_keys.some((key) => key.id === id)) return missing(`key ${id}`, config.api_keys, (key) => key.id);
  return edited({
    ...config,
    api_keys: config.api_keys.map((key) => (key.id === id ? { ...key, enabled: false } : key)),
  });
}

function edited(config: Config): Edited {
  return { ok: true, config };
}

function missing<T>(what: string, list: readonly T[], nameOf: (element: T) => string): Edited {
  return { ok: false, missing: what, known: list.map(nameOf) };
}
