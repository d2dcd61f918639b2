/**
 * From a protocol's native terms to the internal request: the model is resolved, the input checked against its
 * specification, requirements put into the core's units.
 */
import { GatewayError } from '../../shared/errors.ts';
import { nanosFromUsd } from '../../shared/measure/pricing.ts';
import type { Config } from '../../shared/schema/config.ts';
import type { InferRequest, WireInferRequest } from '../../shared/schema/infer-request.ts';
import { servedModel, type Served } from './config-index.ts';
import type { ParseInput } from './incoming.ts';
import { parseInput } from './parse-input.ts';

export type ParsedRequest = { readonly request: InferRequest; readonly served: Served };

export async function parse(
  wire: WireInferRequest,
  config: Config,
  inputOf: ParseInput = parseInput,
): Promise<ParsedRequest> {
  const served = servedModel(config, wire.model_name);
  if (served === undefined) {
    throw new GatewayError(
      'model_unknown',
      `model_name: there is no model "${wire.model_name}"; GET /v1/models lists them.`,
      {
        field: 'model_name',
      },
    );
  }
  checkVariant(wire, served);
  const request: InferRequest = {
    modelName: wire.model_name,
    input: await inputOf(wire.input_data, served.model.input, config.limits.max_batch, served.model),
    requirements: {
      latencyMs: wire.latency_requirement,
      complexity: wire.model_complexity,
      priority: wire.priority,
      minAccuracy: wire.min_accuracy,
      maxCostNanos: wire.max_cost_usd === undefined ? undefined : nanosFromUsd(wire.max_cost_usd),
      placement: wire.placement,
      variant: wire.variant,
    },
    cacheMode: wire.cache,
    explain: wire.explain,
    metadata: wire.metadata,
  };
  return { request, served };
}

function checkVariant(wire: WireInferRequest, served: Served): void {
  if (wire.variant === undefined) return;
  const names = served.model.variants.map((variant) => variant.name);
  if (names.includes(wire.variant)) return;
  throw new GatewayError(
    'invalid_request',
    `variant: ${wire.model_name} has no variant "${wire.variant}", only ${names.join(', ')}.`,
    {
      field: 'variant',
    },
  );
}
