/**
 * Whether a configuration makes sense as a whole: every reference resolves, names are unique, no threshold is impossible.
 * Shape and bounds are schema/config.ts's business; this runs when a configuration is published and when one is loaded.
 */
import { recordProblem } from '../guard/calibration-record.ts';
import { shortcutsOf } from '../guard/shortcuts.ts';
import { isClassification } from '../schema/card.ts';
import { MAX_ASSET_BYTES } from '../schema/weights.ts';
import { PRIORITIES } from '../schema/infer-request.ts';
import type { Config, ModelSpec, RouteSpec } from '../schema/config.ts';

export type ConfigProblem = {
  /** Path of the field, such as `routes[0].policy.steps[1].variant`. */
  readonly path: string;
  readonly message: string;
};

const INPUTS_OF_TASK: Readonly<Record<ModelSpec['task'], readonly ModelSpec['input']['kind'][]>> = {
  text_classification: ['text'],
  image_classification: ['image'],
  tabular_classification: ['numbers'],
  sentence_embedding: ['text'],
  tensors: ['tensors'],
  text_generation: ['chat'],
};

export function checkConfig(config: Config): readonly ConfigProblem[] {
  const models = new Map(config.models.map((model) => [model.name, model]));
  return [
    ...duplicates(config.models, (model) => model.name, 'models', 'name'),
    ...duplicates(config.targets, (target) => target.id, 'targets', 'id'),
    ...duplicates(config.routes, (route) => route.name, 'routes', 'name'),
    ...duplicates(config.routes, (route) => route.model, 'routes', 'model'),
    ...duplicates(config.api_keys, (key) => key.sha256, 'api_keys', 'sha256'),
    ...config.models.flatMap(checkModel),
    ...checkTargets(config, models),
    ...checkTokens(config),
    ...checkRoutes(config, models),
    ...checkEveryModelHasARoute(config),
    ...checkThresholds(config),
  ];
}

/** Figures that each are in bounds and together can never do what they say. */
function checkThresholds({ breaker, limits: { shed_above: open } }: Config): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  if (breaker.open_ms > breaker.max_open_ms) {
    problems.push({ path: 'breaker.open_ms', message: 'is above max_open_ms' });
  }
  for (const [at, priority] of PRIORITIES.entries()) {
    const lower = PRIORITIES[at - 1];
    if (lower !== undefined && open[lower] > open[priority]) {
      problems.push({
        path: `limits.shed_above.${lower}`,
        message: `is above that of ${priority}, who would be shed first`,
      });
    }
  }
  return problems;
}

function duplicates<T>(items: readonly T[], keyOf: (item: T) => string, list: string, field: string): ConfigProblem[] {
  const seen = new Set<string>();
  return items.flatMap((item, index) => {
    const key = keyOf(item);
    if (!seen.has(key)) {
      seen.add(key);
      return [];
    }
    return [{ path: `${list}[${index}].${field}`, message: `is used twice: ${key}` }];
  });
}

function checkModel(model: ModelSpec, index: number): ConfigProblem[] {
  const problems = duplicates(model.variants, (variant) => variant.name, `models[${index}].variants`, 'name');
  if (!hasVariant(model, model.reference_variant)) {
    problems.push({
      path: `models[${index}].reference_variant`,
      message: `names no variant of ${model.name}: ${model.reference_variant}`,
    });
  }
  if (isClassification(model.task) ? model.labels.length < 2 : model.labels.length > 0) {
    const needed = isClassification(model.task) ? 'needs at least two' : 'must be empty';
    problems.push({ path: `models[${index}].labels`, message: `${needed} for the task ${model.task}` });
  }
  if (!INPUTS_OF_TASK[model.task].includes(model.input.kind)) {
    problems.push({
      path: `models[${index}].input.kind`,
      message: `must be ${INPUTS_OF_TASK[model.task].join(' or ')} for the task ${model.task}`,
    });
  }
  if (model.out_of_scope_label !== null && !model.labels.includes(model.out_of_scope_label)) {
    problems.push({ path: `models[${index}].out_of_scope_label`, message: 'is not one of the labels' });
  }
  return problems;
}

/** A token on an unencrypted connection is everybody's; loopback is where a proxy that encrypts may stand. */
function checkTokens(config: Config): ConfigProblem[] {
  return config.targets.flatMap(({ endpoint }, index) => {
    if (endpoint.kind !== 'gpu' || endpoint.base_url === null || endpoint.token_secret === null) return [];
    const isSafe = /^https:|^http:\/\/(localhost|127\.0\.0\.1|\[::1\])(:|\/|$)/i.test(endpoint.base_url);
    return isSafe
      ? []
      : [{ path: `targets[${index}].endpoint.base_url`, message: 'must be https where a token is sent' }];
  });
}

function checkTargets(config: Config, models: ReadonlyMap<string, ModelSpec>): ConfigProblem[] {
  return config.targets.flatMap((target, targetIndex) =>
    target.serves.flatMap((served, servedIndex) => {
      const path = `targets[${targetIndex}].serves[${servedIndex}]`;
      const problems: ConfigProblem[] = [];
      const model = models.get(served.model);
      if (model === undefined) problems.push({ path: `${path}.model`, message: `names no model: ${served.model}` });
      else if (!hasVariant(model, served.variant)) {
        problems.push({ path: `${path}.variant`, message: `names no variant of ${model.name}: ${served.variant}` });
      }
      const variant = model?.variants.find(({ name }) => name === served.variant);
      if (variant !== undefined && target.endpoint.kind === 'edge')
        problems.push(...checkEdgeFiles(variant, target.endpoint.runtime ?? 'engine', path));
      if (target.endpoint.kind === 'gpu' && target.endpoint.models[`${served.model}/${served.variant}`] === undefined) {
        problems.push({
          path: `targets[${targetIndex}].endpoint.models`,
          message: `does not say what the server calls ${served.model}/${served.variant}`,
        });
      }
      if (served.latency_prior.p50_ms > served.latency_prior.p95_ms) {
        problems.push({ path: `${path}.latency_prior`, message: 'has a p50_ms above its p95_ms' });
      }
      return problems;
    }),
  );
}

type VariantSpec = ModelSpec['variants'][number];

/** What the edge could never load. */
function checkEdgeFiles(variant: VariantSpec, runtime: 'engine' | 'onnx', path: string): ConfigProblem[] {
  const { weights, onnx, size_bytes: sizeBytes } = variant;
  const problems: ConfigProblem[] = [];
  const refuse = (message: string): void => void problems.push({ path: `${path}.variant`, message });
  if (weights?.kind === 'asset' && sizeBytes > MAX_ASSET_BYTES)
    refuse(`${variant.name} has ${sizeBytes} bytes, an asset at most ${MAX_ASSET_BYTES}: keep it in r2`);
  if (runtime === 'engine') return problems;
  if (onnx === undefined) refuse(`${variant.name} says nothing of onnx: its scores and, for texts, its tokenizer`);
  if (weights === undefined || weights.kind === 'bundled')
    refuse(`${variant.name} is not among the assets or in r2, where ONNX Runtime's worker could read it`);
  return problems;
}

function checkRoutes(config: Config, models: ReadonlyMap<string, ModelSpec>): ConfigProblem[] {
  return config.routes.flatMap((route, index) => {
    const model = models.get(route.model);
    if (model === undefined) return [{ path: `routes[${index}].model`, message: `names no model: ${route.model}` }];
    const problems = checkGuarantee(route, index, model);
    if (route.policy.kind !== 'cascade') return problems;
    const steps = route.policy.steps.flatMap((step, stepIndex) => {
      const path = `routes[${index}].policy.steps[${stepIndex}].variant`;
      if (!hasVariant(model, step.variant)) {
        return [{ path, message: `names no variant of ${model.name}: ${step.variant}` }];
      }
      return isServed(config, model, step.variant)
        ? []
        : [{ path, message: `is served by no target: ${step.variant}` }];
    });
    return [...steps, ...problems];
  });
}

/** A promise about agreement needs someone to agree with at the end, and records that are about this route. */
function checkGuarantee(route: RouteSpec, index: number, model: ModelSpec): ConfigProblem[] {
  const { guarantee, policy } = route;
  if (guarantee === undefined) return [];
  const path = `routes[${index}].guarantee`;
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

function checkEveryModelHasARoute(config: Config): ConfigProblem[] {
  const routed = new Set(config.routes.map((route) => route.model));
  return config.models.flatMap((model, index) =>
    routed.has(model.name)
      ? []
      : [{ path: `models[${index}].name`, message: `no route serves the model ${model.name}` }],
  );
}

function hasVariant(model: ModelSpec, name: string): boolean {
  return model.variants.some((variant) => variant.name === name);
}

function isServed(config: Config, model: ModelSpec, variant: string): boolean {
  return config.targets.some((target) =>
    target.serves.some((served) => served.model === model.name && served.variant === variant),
  );
}
