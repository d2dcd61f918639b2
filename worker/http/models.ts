/**
 * `GET /v1/models` and `GET /v1/models/:name`: what can be asked, of which quality, answered where.
 */
import { PRODUCT_NAME } from '../../shared/names.ts';
import { GatewayError } from '../../shared/errors.ts';
import type { Config, ModelSpec } from '../../shared/schema/config.ts';

export function listModels(config: Config): Record<string, unknown> {
  return {
    object: 'list',
    data: config.models.map((model) => openAiModel(model, config)),
    models: config.models.map((model) => summary(model, config)),
  };
}

export function describeModel(name: string, config: Config): Record<string, unknown> {
  const model = config.models.find((candidate) => candidate.name === name);
  if (model === undefined)
    throw new GatewayError('model_unknown', `There is no model "${name}"; GET /v1/models lists them.`);
  const route = config.routes.find((candidate) => candidate.model === name);
  return { ...openAiModel(model, config), ...summary(model, config), labels: model.labels, route };
}

/** A model as OpenAI's clients list them. When it was made is not known here; when its prices were read is. */
function openAiModel(model: ModelSpec, config: Config): Record<string, unknown> {
  const created = Math.floor(Date.parse(config.gateway_price.as_of) / 1_000);
  return { id: model.name, object: 'model', created, owned_by: PRODUCT_NAME };
}

function summary(model: ModelSpec, config: Config): Record<string, unknown> {
  return {
    name: model.name,
    version: model.version,
    task: model.task,
    description: model.description,
    input: model.input,
    label_count: model.labels.length,
    out_of_scope_label: model.out_of_scope_label,
    reference_variant: model.reference_variant,
    variants: model.variants.map((variant) => ({
      ...variant,
      served_by: config.targets
        .filter((target) =>
          target.serves.some((served) => served.model === model.name && served.variant === variant.name),
        )
        .map((target) => target.id),
    })),
  };
}
