/**
 * Whether a route makes sense with its model and the places there are: every policy it may choose names variants and
 * targets that exist, its guarantee has a reference to agree with, its shadow something to ask.
 */
import { recordProblem } from '../guard/calibration-record.ts';
import { shortcutsOf } from '../guard/shortcuts.ts';
import { isClassification } from '../schema/task.ts';
import type { ModelSpec, RouteSpec, TargetSpec } from '../schema/config.ts';
import type { BasePolicy, RoutePolicy } from '../schema/route-policy.ts';
import type { ConfigProblem } from './config-problem.ts';
import { duplicates } from './config-problem.ts';

export function checkRoute(
  route: RouteSpec,
  path: string,
  model: ModelSpec,
  targets: readonly TargetSpec[],
): ConfigProblem[] {
  const places = targets.filter(({ serves }) => serves.some((served) => served.model === model.name));
  const rules = route.rules ?? [];
  return [
    ...checkPolicy(route.policy, `${path}.policy`, model, places),
    ...duplicates(rules, (rule) => rule.name, `${path}.rules`, 'name'),
    ...rules.flatMap((rule, index) => [
      ...checkPolicy(rule.policy, `${path}.rules[${index}].policy`, model, places),
      ...checkLengths(rule.when, `${path}.rules[${index}].when`),
      ...checkUnderGuarantee(rule.policy, `${path}.rules[${index}].policy`, route),
    ]),
    ...checkShadow(route, path, model, places),
    ...checkGuarantee(route, `${path}.guarantee`, model),
  ];
}

/** What a policy may come down to, each with its path. */
function basesOf(
  policy: RoutePolicy,
  path: string,
): readonly { policy: BasePolicy; path: string; targets?: readonly string[] | undefined }[] {
  switch (policy.kind) {
    case 'cascade':
    case 'cheapest':
    case 'fastest':
    case 'most_accurate':
      return [{ policy, path }];
    case 'split':
      return policy.arms.map((arm, index) => ({ ...arm, path: `${path}.arms[${index}]` }));
    case 'canary':
      return [
        { ...policy.base, path: `${path}.base` },
        { ...policy.canary, path: `${path}.canary` },
      ];
  }
}

function checkPolicy(
  policy: RoutePolicy,
  path: string,
  model: ModelSpec,
  places: readonly TargetSpec[],
): ConfigProblem[] {
  const bases = basesOf(policy, path);
  return [
    ...(policy.kind === 'split' ? duplicates(policy.arms, (arm) => arm.name, `${path}.arms`, 'name') : []),
    ...bases.flatMap((base) => {
      // An arm that names no place of the model's at all is told so below.
      const own = places.filter(({ id }) => base.targets?.includes(id) !== false);
      const at = base.policy === policy ? path : `${base.path}.policy`;
      return checkBase(base.policy, at, model, own.length === 0 ? places : own);
    }),
    ...bases.flatMap((base) =>
      (base.targets ?? []).flatMap((target, index) =>
        places.some(({ id }) => id === target)
          ? []
          : [
              {
                path: `${base.path}.targets[${index}]`,
                message: `names no target that serves ${model.name}: ${target}`,
              },
            ],
      ),
    ),
  ];
}

function checkBase(policy: BasePolicy, path: string, model: ModelSpec, places: readonly TargetSpec[]): ConfigProblem[] {
  if (policy.kind !== 'cascade') return [];
  const twice = duplicates(policy.steps, ({ variant }) => variant, `${path}.steps`, 'variant');
  const unserved = policy.steps.flatMap(({ variant }, index) => {
    const at = `${path}.steps[${index}].variant`;
    if (!hasVariant(model, variant)) return [{ path: at, message: `names no variant of ${model.name}: ${variant}` }];
    const isServed = places.some(({ serves }) =>
      serves.some((served) => served.model === model.name && served.variant === variant),
    );
    return isServed ? [] : [{ path: at, message: `is served by no target: ${variant}` }];
  });
  return [...twice, ...unserved];
}

function checkLengths(when: NonNullable<RouteSpec['rules']>[number]['when'], path: string): ConfigProblem[] {
  const { min_input_chars: least = 0, max_input_chars: most = Infinity } = when;
  return least > most ? [{ path: `${path}.min_input_chars`, message: 'is above max_input_chars: no text fits' }] : [];
}

function checkShadow(
  { shadow }: RouteSpec,
  path: string,
  model: ModelSpec,
  places: readonly TargetSpec[],
): ConfigProblem[] {
  if (shadow === undefined) return [];
  const { variant, target } = shadow;
  if (!hasVariant(model, variant))
    return [{ path: `${path}.shadow.variant`, message: `names no variant of ${model.name}: ${variant}` }];
  const isServed = places.some(
    ({ id, serves }) =>
      (target === undefined || id === target) &&
      serves.some((served) => served.model === model.name && served.variant === variant),
  );
  if (isServed) return [];
  const where = target === undefined ? 'no target' : `the target ${target} does not exist or no longer`;
  return [{ path: `${path}.shadow`, message: `${where} serves ${model.name}/${variant}` }];
}

/** A promise about agreement needs someone to agree with at the end, and records that are about this route. */
function checkGuarantee(route: RouteSpec, path: string, model: ModelSpec): ConfigProblem[] {
  const { guarantee, policy } = route;
  if (guarantee === undefined) return [];
  if (!isClassification(model.task)) return [{ path, message: `agreement has no meaning for the task ${model.task}` }];
  if (policy.kind !== 'cascade') return [{ path, message: 'needs the policy cascade: others take no shortcuts' }];
  const problems: ConfigProblem[] = [];
  if (policy.steps.at(-1)?.variant !== model.reference_variant) {
    problems.push({ path, message: `needs the reference variant ${model.reference_variant} as the last step` });
  }
  const shortcuts = shortcutsOf(route, model);
  for (const [at, record] of guarantee.calibrations.entries()) {
    const problem = shortcuts.includes(record.shortcut)
      ? recordProblem(record, guarantee, model)
      : `is of ${record.shortcut}, which is no shortcut of this route`;
    if (problem !== undefined) problems.push({ path: `${path}.calibrations[${at}]`, message: problem });
  }
  problems.push(...duplicates(guarantee.calibrations, (record) => record.shortcut, `${path}.calibrations`, 'shortcut'));
  return problems;
}

/** A rule must not be a way around the promise: only shorter walks over the same calibrated steps, to the same end. */
function checkUnderGuarantee(policy: RoutePolicy, path: string, route: RouteSpec): ConfigProblem[] {
  if (route.guarantee === undefined || route.policy.kind !== 'cascade') return [];
  const known = route.policy.steps.map((step) => step.variant);
  const keepsIt = basesOf(policy, path).every(
    ({ policy: base }) =>
      base.kind === 'cascade' &&
      base.steps.every((step) => known.includes(step.variant)) &&
      base.steps.at(-1)?.variant === known.at(-1),
  );
  return keepsIt
    ? []
    : [{ path, message: 'breaks the guarantee: only a cascade over the steps of the route keeps it' }];
}

function hasVariant(model: ModelSpec, name: string): boolean {
  return model.variants.some((variant) => variant.name === name);
}
