/**
 * Open Inference Protocol v2 (REST): health, metadata, inference. Loaded when first asked for.
 */
import { Hono } from 'hono';
import { asGatewayError, GatewayError } from '../../../shared/errors.ts';
import { breakerVerdict } from '../../../shared/resilience/breaker.ts';
import type { Config, ModelSpec } from '../../../shared/schema/config.ts';
import { PRODUCT_NAME, PRODUCT_VERSION } from '../../../shared/names.ts';
import type { Services } from '../../pipeline/services.ts';
import type { Exchange } from '../exchange.ts';
import { configForReader } from '../may-read.ts';
import { methodNotAllowed } from '../method-not-allowed.ts';
import { openInferenceError } from './error.ts';
import { inferTensors } from './infer.ts';
import { inputTensors, outputTensors } from '../../../shared/open-inference/tensor-names.ts';

type Env = { Bindings: { exchange: Exchange } };

let endpoints: Hono<Env> | undefined;

export function openInference(exchange: Exchange): Response | Promise<Response> {
  endpoints ??= createEndpoints();
  return endpoints.fetch(exchange.request, { exchange });
}

function createEndpoints(): Hono<Env> {
  const app = new Hono<Env>({ strict: false }).basePath('/v2');
  app.get('/health/live', (context) => context.json({ live: true }));
  app.get('/health/ready', async (context) => {
    const { exchange } = context.env;
    const { config } = await exchange.services.config.ready((work) => exchange.keepAlive(work));
    const isReady = config.models.some((model) => isModelReady(model, config, exchange.services));
    return context.json({ ready: isReady }, isReady ? 200 : 503);
  });
  app.get('/', (context) =>
    context.json({ name: PRODUCT_NAME, version: PRODUCT_VERSION, extensions: ['binary_tensor_data'] }),
  );
  for (const path of ['/models/:model', '/models/:model/versions/:version'] as const) {
    app.get(path, async (context) => {
      const { model } = await find(context.env.exchange, context.req.param('model'), context.req.param('version'));
      return context.json({
        name: model.name,
        versions: [model.version],
        platform: PRODUCT_NAME,
        inputs: inputTensors(model),
        outputs: outputTensors(model),
      });
    });
    app.get(`${path}/ready`, async (context) => {
      const { model, config } = await find(
        context.env.exchange,
        context.req.param('model'),
        context.req.param('version'),
      );
      const isReady = isModelReady(model, config, context.env.exchange.services);
      return context.json({ name: model.name, ready: isReady }, isReady ? 200 : 503);
    });
    app.post(`${path}/infer`, (context) =>
      inferTensors(context.env.exchange, context.req.param('model'), context.req.param('version')),
    );
    app.all(`${path}/infer`, () => {
      throw methodNotAllowed('POST');
    });
    for (const read of [path, `${path}/ready`]) app.all(read, onlyReads);
  }
  for (const path of ['/', '/health/live', '/health/ready']) app.all(path, onlyReads);
  app.notFound((context) =>
    openInferenceError(
      new GatewayError('not_found', `There is nothing at ${context.req.path}.`),
      context.env.exchange.requestId,
    ),
  );
  app.onError((error, context) => {
    const { exchange } = context.env;
    const known = asGatewayError(error);
    if (known.code === 'internal')
      exchange.services.logger.log('error', 'unexpected failure', exchange.requestId, { detail: known.detail });
    return openInferenceError(known, exchange.requestId);
  });
  return app;
}

function onlyReads(): never {
  throw methodNotAllowed('GET', 'HEAD');
}

async function find(
  exchange: Exchange,
  name: string,
  version: string | undefined,
): Promise<{ model: ModelSpec; config: Config }> {
  const config = await configForReader(exchange);
  const model = config.models.find((candidate) => candidate.name === name);
  if (model === undefined) throw new GatewayError('model_unknown', `There is no model "${name}".`);
  if (version !== undefined && version !== model.version)
    throw new GatewayError('model_unknown', `There is no version "${version}" of the model "${name}".`);
  return { model, config };
}

/** Some place that serves it is switched on, reachable and not known to be broken. */
function isModelReady(model: ModelSpec, config: Config, services: Services): boolean {
  const nowMs = services.clock.now();
  return [...services.targetsOf(config).values()].some(
    ({ spec, unreachable }) =>
      spec.enabled &&
      unreachable === undefined &&
      spec.serves.some((served) => served.model === model.name) &&
      breakerVerdict(services.state.breakerOf(spec.id), nowMs) !== 'open',
  );
}
