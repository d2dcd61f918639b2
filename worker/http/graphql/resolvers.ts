/**
 * What answers a GraphQL query: the same pipeline, the same configuration, the same figures as the native endpoints.
 */
import { GatewayError } from '../../../shared/errors.ts';
import { breakerVerdict } from '../../../shared/resilience/breaker.ts';
import type { Config, ModelSpec, RouteSpec, TargetSpec } from '../../../shared/schema/config.ts';
import type { InferResult } from '../../../shared/schema/infer-result.ts';
import { runExchange, type Exchange } from '../exchange.ts';
import { describeGuarantee } from '../guarantee.ts';
import { configForReader } from '../may-read.ts';
import { metrics } from '../metrics.ts';
import { parseWire } from '../parse-wire.ts';
import { renderDecision, renderResult } from '../render-result.ts';
import { camelCaseFields } from './camel-case.ts';

export type QueryContext = {
  readonly exchange: Exchange;
  /** Inferences begun by this query. */
  inferences: number;
  /** Results of those that have ended, for the headers. */
  readonly results: InferResult[];
};

type InferArguments = {
  readonly model: string;
  readonly input: unknown;
  readonly requirements?: Readonly<Record<string, unknown>> | null;
};

const REQUIREMENTS: Readonly<Record<string, string>> = {
  latencyRequirement: 'latency_requirement',
  modelComplexity: 'model_complexity',
  priority: 'priority',
  minAccuracy: 'min_accuracy',
  maxCostUsd: 'max_cost_usd',
  placement: 'placement',
  variant: 'variant',
  cache: 'cache',
  explain: 'explain',
};

export const resolvers = {
  async infer({ model, input, requirements }: InferArguments, query: QueryContext): Promise<unknown> {
    const { exchange, results } = query;
    const number = query.inferences;
    query.inferences += 1;
    const outcome = await runExchange(
      // One query may hold several inferences; each is a request of its own in logs and caches.
      number === 0 ? exchange : { ...exchange, requestId: `${exchange.requestId}-${number}` },
      {
        name: 'graphql',
        read: async () =>
          parseWire({
            ...Object.fromEntries(
              Object.entries(requirements ?? {})
                .filter(([, value]) => value !== null)
                .map(([field, value]) => [REQUIREMENTS[field] ?? field, value]),
            ),
            model_name: model,
            input_data: input,
          }),
      },
    );
    if (outcome.kind === 'failed') throw outcome.error;
    const { result } = outcome;
    results.push(result);
    const full = renderDecision(result.decision);
    const { decision: _said, ...rest } = renderResult(result);
    return { ...camelCaseFields(rest), model: result.modelName, decision: { ...camelCaseFields(full), full } };
  },

  async models(_: unknown, { exchange }: QueryContext): Promise<unknown> {
    const config = await configForReader(exchange);
    return config.models.map((model) => modelOf(model, config, exchange));
  },

  async model({ name }: { name: string }, { exchange }: QueryContext): Promise<unknown> {
    const config = await configForReader(exchange);
    const model = config.models.find((candidate) => candidate.name === name);
    return model === undefined ? null : modelOf(model, config, exchange);
  },

  async routes(_: unknown, { exchange }: QueryContext): Promise<unknown> {
    const config = await configForReader(exchange);
    return config.routes.map((route) => routeOf(route, config, exchange));
  },

  async route({ name }: { name: string }, { exchange }: QueryContext): Promise<unknown> {
    const config = await configForReader(exchange);
    const route = config.routes.find((candidate) => candidate.name === name);
    return route === undefined ? null : routeOf(route, config, exchange);
  },

  async targets(_: unknown, { exchange }: QueryContext): Promise<unknown> {
    const config = await configForReader(exchange);
    return config.targets.map((target) => targetOf(target, config, exchange));
  },

  async metrics({ minutes }: { minutes?: number | null }, { exchange }: QueryContext): Promise<unknown> {
    await configForReader(exchange);
    const url = new URL('/v1/metrics', exchange.request.url);
    if (minutes !== undefined && minutes !== null) url.searchParams.set('minutes', String(minutes));
    return (await metrics(new Request(url), exchange.services)).json();
  },

  async guarantee({ route }: { route: string }, { exchange }: QueryContext): Promise<unknown> {
    return describeGuarantee(route, await configForReader(exchange), exchange.services, exchange.keepAlive);
  },
};

/** Fields that lead to other things are functions: they run only where they are asked. */
function modelOf(model: ModelSpec, config: Config, exchange: Exchange): Record<string, unknown> {
  return {
    name: model.name,
    version: model.version,
    task: model.task,
    description: model.description,
    labels: model.labels,
    outOfScopeLabel: model.out_of_scope_label,
    input: model.input,
    referenceVariant: model.reference_variant,
    variants: model.variants.map((variant) => ({
      name: variant.name,
      accuracy: variant.accuracy,
      sizeBytes: variant.size_bytes,
      format: variant.format,
      servedBy: () =>
        config.targets
          .filter(({ serves }) => serves.some((one) => one.model === model.name && one.variant === variant.name))
          .map((target) => targetOf(target, config, exchange)),
    })),
    route: () => {
      const route = config.routes.find((candidate) => candidate.model === model.name);
      return route === undefined ? null : routeOf(route, config, exchange);
    },
  };
}

function routeOf(route: RouteSpec, config: Config, exchange: Exchange): Record<string, unknown> {
  return {
    name: route.name,
    model: () => {
      const model = config.models.find(({ name }) => name === route.model);
      if (model === undefined) throw new GatewayError('model_unknown', `There is no model "${route.model}".`);
      return modelOf(model, config, exchange);
    },
    policy: route.policy,
    defaultDeadlineMs: route.default_deadline_ms,
    guarantee: () => describeGuarantee(route.name, config, exchange.services, exchange.keepAlive),
  };
}

function targetOf(target: TargetSpec, config: Config, { services }: Exchange): Record<string, unknown> {
  return {
    id: target.id,
    kind: target.endpoint.kind,
    region: target.region,
    enabled: target.enabled,
    unreachable: services.targetsOf(config).get(target.id)?.unreachable ?? null,
    breaker: breakerVerdict(services.state.breakerOf(target.id), services.clock.now()),
    inFlight: services.state.inFlightOf(target.id),
    price: target.price,
    serves: target.serves.map(({ model, variant }) => ({ model, variant })),
  };
}
