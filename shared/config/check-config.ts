/**
 * Whether a configuration makes sense as a whole: every reference resolves, names are unique, no threshold is impossible.
 * Shape and bounds are schema/config.ts's business; this runs when a configuration is published and when one is loaded.
 */
import { isClassification } from '../schema/task.ts';
import { MAX_ASSET_BYTES } from '../schema/assets.ts';
import { PRIORITIES } from '../schema/infer-request.ts';
import type { Config, ModelSpec } from '../schema/config.ts';
import { inputsTakenInstead } from './check-inputs.ts';
import { checkRoute } from './check-route.ts';
import { duplicates, type ConfigProblem } from './config-problem.ts';

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
    ...checkDevices(config),
  ];
}

/** Figures that each are in bounds and together can never do what they say. */
function checkThresholds({ breaker, retry_budget, limits: { shed_above: open } }: Config): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  if (retry_budget !== undefined && retry_budget.burst > 0 && retry_budget.burst < 1) {
    problems.push({ path: 'retry_budget.burst', message: 'holds no whole retry, ever: 0 says so, 1 is the least' });
  }
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
  return config.targets.flatMap((target, targetIndex) => [
    ...duplicates(
      target.serves,
      ({ model, variant }) => `${model}/${variant}`,
      `targets[${targetIndex}].serves`,
      'variant',
    ),
    ...target.serves.flatMap((served, servedIndex) => {
      const path = `targets[${targetIndex}].serves[${servedIndex}]`;
      const problems: ConfigProblem[] = [];
      const model = models.get(served.model);
      if (model === undefined) problems.push({ path: `${path}.model`, message: `names no model: ${served.model}` });
      else if (!hasVariant(model, served.variant)) {
        problems.push({ path: `${path}.variant`, message: `names no variant of ${model.name}: ${served.variant}` });
      }
      const instead = model && inputsTakenInstead(target.endpoint, model.input.kind);
      if (model !== undefined && instead !== undefined) {
        const message = `${model.name} takes ${model.input.kind}, and this place only ${instead.join(', ')}`;
        problems.push({ path: `${path}.model`, message });
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
      if (target.cold_start !== undefined && target.cold_start.p50_ms > target.cold_start.p95_ms && servedIndex === 0)
        problems.push({ path: `targets[${targetIndex}].cold_start`, message: 'has a p50_ms above its p95_ms' });
      if (served.latency_prior.p50_ms > served.latency_prior.p95_ms) {
        problems.push({ path: `${path}.latency_prior`, message: 'has a p50_ms above its p95_ms' });
      }
      return problems;
    }),
  ]);
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
    const path = `routes[${index}]`;
    if (model === undefined) return [{ path: `${path}.model`, message: `names no model: ${route.model}` }];
    return checkRoute(route, path, model, config.targets);
  });
}

function checkEveryModelHasARoute(config: Config): ConfigProblem[] {
  const routed = new Set(config.routes.map((route) => route.model));
  return config.models.flatMap((model, index) =>
    routed.has(model.name)
      ? []
      : [{ path: `models[${index}].name`, message: `no route serves the model ${model.name}` }],
  );
}

/** A pool is one target's, a device holds one model, a device dials into a pool that there is. */
function checkDevices(config: Config): ConfigProblem[] {
  const pools = new Set<string>();
  const problems = config.targets.flatMap(({ endpoint, serves }, index): ConfigProblem[] => {
    if (endpoint.kind !== 'mcu') return [];
    const taken = pools.has(endpoint.pool);
    pools.add(endpoint.pool);
    return [
      ...(taken ? [{ path: `targets[${index}].endpoint.pool`, message: `is used twice: ${endpoint.pool}` }] : []),
      ...(serves.length === 1
        ? []
        : [{ path: `targets[${index}].serves`, message: 'has more than one model, and a device holds one' }]),
    ];
  });
  const devices = config.devices ?? [];
  return [
    ...problems,
    ...duplicates(devices, (device) => device.id, 'devices', 'id'),
    ...duplicates(devices, (device) => device.sha256, 'devices', 'sha256'),
    ...devices.flatMap((device, index) =>
      pools.has(device.pool)
        ? []
        : [{ path: `devices[${index}].pool`, message: `is no target's pool: ${device.pool}` }],
    ),
  ];
}

function hasVariant(model: ModelSpec, name: string): boolean {
  return model.variants.some((variant) => variant.name === name);
}
