/**
 * The OpenAPI 3.1 document, made from the schemas that parse requests and describe answers. Loaded when first asked for.
 */
import * as z from 'zod/mini';
import { errorStatuses } from '../../../shared/errors.ts';
import { PRODUCT_NAME, PRODUCT_VERSION } from '../../../shared/names.ts';
import {
  devicesAnswerSchema,
  errorAnswerSchema,
  guaranteeAnswerSchema,
  inferAnswerSchema,
  metricsAnswerSchema,
  modelAnswerSchema,
  modelListSchema,
  readinessAnswerSchema,
} from '../../../shared/schema/answers.ts';
import { inferRequestSchema } from '../../../shared/schema/infer-request.ts';
import { METRICS_UNITS } from '../metrics-range.ts';
import { openInferencePaths } from './open-inference-paths.ts';
import { openAiPaths } from './openai-paths.ts';
import { inBody, operation, type Operation, type Parameter } from './operation.ts';

type Paths = Readonly<Record<string, Readonly<Record<string, Operation>>>>;

const nativeError = z.toJSONSchema(errorAnswerSchema, { unrepresentable: 'any' });

const nameInPath: Parameter = {
  name: 'name',
  in: 'path',
  required: true,
  description: 'As listed.',
  schema: { type: 'string', minLength: 1, pattern: '^[A-Za-z0-9._-]+$' },
};

function inQuery(name: string, description: string, schema: Parameter['schema']): Parameter {
  return { name, in: 'query', required: false, description, schema };
}

function nativePaths(): Paths {
  const common = { tag: 'Native', error: nativeError };
  return {
    '/v1/infer': {
      post: operation({
        ...common,
        id: 'infer',
        summary: 'Asks a model; the answer says which place gave it, why, and at what cost.',
        body: inBody(inferRequestSchema, { model_name: 'intent', input_data: 'wake me up at seven' }),
        answer: inferAnswerSchema,
      }),
    },
    '/v1/models': {
      get: operation({
        ...common,
        id: 'listModels',
        summary: 'Models, variants, held-out accuracy, and where each is served. OpenAI clients read `data`.',
        answer: modelListSchema,
      }),
    },
    '/v1/models/{name}': {
      get: operation({
        ...common,
        id: 'describeModel',
        summary: 'One model with its labels and its route.',
        parameters: [nameInPath],
        answer: modelAnswerSchema,
      }),
    },
    '/v1/routes/{name}/guarantee': {
      get: operation({
        ...common,
        id: 'describeGuarantee',
        summary: 'What a route promises, and how each shortcut stands.',
        parameters: [nameInPath],
        answer: guaranteeAnswerSchema,
      }),
    },
    '/v1/devices': {
      get: operation({
        ...common,
        id: 'listDevices',
        summary: 'Every microcontroller of the configuration, connected or not.',
        answer: devicesAnswerSchema,
      }),
    },
    '/v1/metrics': {
      get: operation({
        ...common,
        id: 'metrics',
        summary: 'Counts, rates, costs and latency quantiles over all isolates.',
        parameters: [
          ...METRICS_UNITS.map(({ name, max }) =>
            inQuery(name, 'How far back; one of minutes, hours, days and from.', {
              type: 'integer',
              minimum: 1,
              maximum: max,
            }),
          ),
          inQuery('from', 'ISO 8601, or seconds since 1970.', { type: 'string' }),
          inQuery('to', 'As `from`, which it needs beside it; now where it is left out.', { type: 'string' }),
        ],
        answer: metricsAnswerSchema,
      }),
    },
    '/healthz': {
      get: operation({
        ...common,
        tag: 'Operation',
        id: 'alive',
        summary: 'The worker runs.',
        answer: z.object({ status: z.literal('alive') }),
        isOpen: true,
      }),
    },
    '/readyz': {
      get: operation({
        ...common,
        tag: 'Operation',
        id: 'ready',
        summary: 'What can be reached, and which configuration is in force since when. 503 where nothing can answer.',
        answer: readinessAnswerSchema,
        isOpen: true,
      }),
    },
  };
}

let made: Record<string, unknown> | undefined;

export function openApiDocument(): Record<string, unknown> {
  made ??= {
    openapi: '3.1.0',
    info: {
      title: PRODUCT_NAME,
      version: PRODUCT_VERSION,
      description:
        'One URL at the CDN edge for every model: answers from the cheapest place that meets what the request asks, and says ' +
        `which, why and at what cost. Every error has a status of ${errorStatuses().join(', ')} and a code in \`x-error-code\`.`,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    tags: [
      { name: 'Native', description: 'The native contract.' },
      { name: 'Open Inference v2', description: 'For clients of Triton, KServe and MLServer.' },
      { name: 'OpenAI', description: 'For clients of OpenAI.' },
      { name: 'Operation', description: 'For those who run it.' },
    ],
    security: [{}, { bearer: [] }, { apiKey: [] }],
    paths: { ...nativePaths(), ...openInferencePaths(), ...openAiPaths() },
    components: {
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer' },
        apiKey: { type: 'apiKey', in: 'header', name: 'x-api-key' },
      },
    },
  };
  return made;
}
