/**
 * HTTP endpoints over the services given. Owns routing and what all endpoints share: the request id, the form of errors.
 */
import { Hono, type Context } from 'hono';
import { asGatewayError, GatewayError } from '../shared/errors.ts';
import { REQUEST_ID_HEADER } from '../shared/names.ts';
import { errorResponse } from './http/error-response.ts';
import type { Exchange } from './http/exchange.ts';
import { describeGuarantee } from './http/guarantee.ts';
import { infer } from './http/infer.ts';
import { configForReader } from './http/may-read.ts';
import { methodNotAllowed } from './http/method-not-allowed.ts';
import { describeModel, listModels } from './http/models.ts';
import { readiness } from './http/ready.ts';
import type { Services } from './pipeline/services.ts';

type AppEnv = { Variables: { requestId: string } };

const ACCEPTABLE_REQUEST_ID = /^[A-Za-z0-9._:-]{1,128}$/;

/** Endpoints that answer GET, and so HEAD, and nothing else. */
const READ_ONLY = [
  '/v1/models',
  '/v1/models/:name',
  '/v1/routes/:name/guarantee',
  '/v1/devices',
  '/v1/metrics',
  '/openapi.json',
  '/docs',
  '/healthz',
  '/readyz',
] as const;

export function createApp(services: Services): Hono<AppEnv> {
  const app = new Hono<AppEnv>();

  app.use(async (context, next) => {
    const sent = context.req.raw.headers.get(REQUEST_ID_HEADER);
    const requestId = sent !== null && ACCEPTABLE_REQUEST_ID.test(sent) ? sent : services.newRequestId();
    context.set('requestId', requestId);
    await next();
    if (!context.res.headers.has(REQUEST_ID_HEADER)) context.header(REQUEST_ID_HEADER, requestId);
  });

  const exchangeOf = (context: Context<AppEnv>): Exchange => ({
    request: context.req.raw,
    requestId: context.get('requestId'),
    keepAlive: (work) => context.executionCtx.waitUntil(work),
    services,
  });

  app.post('/v1/infer', (context) => infer(exchangeOf(context)));

  // Loaded on the first request that speaks the protocol: a cold start is not slowed by what it does not use.
  for (const path of ['/v2', '/v2/*'])
    app.all(path, async (context) =>
      (await import('./http/open-inference/endpoints.ts')).openInference(exchangeOf(context)),
    );

  app.all('/v1/embeddings', async (context) =>
    (await import('./http/openai/endpoints.ts')).openAi(exchangeOf(context), 'embeddings'),
  );
  app.all('/v1/chat/completions', async (context) =>
    (await import('./http/openai/endpoints.ts')).openAi(exchangeOf(context), 'chat_completions'),
  );

  app.all('/graphql', async (context) =>
    (await import('./http/graphql/endpoint.ts')).graphql(exchangeOf(context), services.graphqlIntrospection),
  );

  app.get('/v1/models', async (context) => {
    return context.json(listModels(await configForReader(exchangeOf(context))));
  });
  app.get('/v1/models/:name', async (context) => {
    return context.json(describeModel(context.req.param('name'), await configForReader(exchangeOf(context))));
  });
  app.get('/v1/routes/:name/guarantee', async (context) => {
    const config = await configForReader(exchangeOf(context));
    const keepAlive = (work: Promise<void>): void => context.executionCtx.waitUntil(work);
    return context.json(describeGuarantee(context.req.param('name'), config, services, keepAlive));
  });
  app.get('/v1/devices', async (context) => {
    return context.json({ devices: await services.devices.list(await configForReader(exchangeOf(context))) });
  });
  app.get('/v1/devices/:id/connect', async (context) => {
    const { config } = await services.config.ready((work) => context.executionCtx.waitUntil(work));
    return services.devices.connect(context.req.raw, context.req.param('id'), context.get('requestId'), config);
  });
  app.get('/v1/metrics', async (context) => {
    await configForReader(exchangeOf(context));
    const { metrics } = await import('./http/metrics.ts');
    return metrics(context.req.raw, services);
  });

  for (const path of ['/v1/batches', '/v1/batches/:id', '/v1/batches/:id/:rest'])
    app.all(path, async (context) => {
      const { id, rest } = context.req.param() as { id?: string; rest?: string };
      const { batchEndpoint } = await import('./http/batches/endpoints.ts');
      return batchEndpoint(
        exchangeOf(context),
        [id, rest].filter((part) => part !== undefined),
      );
    });
  app.get('/openapi.json', async () => (await import('./http/openapi/endpoints.ts')).openApiJson());
  app.get('/docs', async (context) => (await import('./http/openapi/endpoints.ts')).docs(context.req.raw));

  app.get('/healthz', (context) => context.json({ status: 'alive' }));
  app.get('/readyz', async (context) => {
    const { ready, body } = await readiness(services);
    return context.json(body, ready ? 200 : 503);
  });

  app.all('/v1/infer', () => {
    throw methodNotAllowed('POST');
  });
  app.all('/v1/devices/:id/connect', () => {
    throw methodNotAllowed('GET');
  });
  for (const path of READ_ONLY)
    app.all(path, () => {
      throw methodNotAllowed('GET', 'HEAD');
    });
  app.notFound((context) =>
    errorResponse(new GatewayError('not_found', `There is nothing at ${context.req.path}.`), context.get('requestId')),
  );
  app.onError((error, context) => {
    const known = asGatewayError(error);
    if (known.code === 'internal') {
      services.logger.log('error', 'unexpected failure', context.get('requestId'), { detail: known.detail });
    }
    return errorResponse(known, context.get('requestId'));
  });
  return app;
}
