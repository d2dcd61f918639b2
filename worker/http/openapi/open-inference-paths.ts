/**
 * The Open Inference Protocol v2 in the OpenAPI document.
 */
import * as z from 'zod/mini';
import { DATATYPES } from '../../../shared/schema/tensor.ts';
import { operation, type JsonSchema, type Operation, type Parameter } from './operation.ts';

const errorSchema = z.toJSONSchema(z.looseObject({ error: z.string() }));

const tensorSchema = z.looseObject({
  name: z.string(),
  datatype: z.enum(DATATYPES),
  shape: z.array(z.int()),
});

const inferAnswer = z.looseObject({
  model_name: z.string(),
  model_version: z.string(),
  outputs: z.array(tensorSchema),
});

const metadataAnswer = z.looseObject({
  name: z.string(),
  versions: z.array(z.string()),
  platform: z.string(),
  inputs: z.array(tensorSchema),
  outputs: z.array(tensorSchema),
});

const requestBody: JsonSchema = {
  type: 'object',
  required: ['inputs'],
  properties: {
    id: { type: 'string', maxLength: 256 },
    parameters: { type: 'object' },
    inputs: {
      type: 'array',
      minItems: 1,
      maxItems: 64,
      items: {
        type: 'object',
        required: ['name', 'datatype', 'shape', 'data'],
        properties: {
          name: { type: 'string' },
          datatype: { enum: DATATYPES },
          shape: { type: 'array', maxItems: 8, items: { type: 'integer', minimum: 0 } },
          data: { type: 'array' },
        },
      },
    },
    outputs: { type: 'array', items: { type: 'object', required: ['name'], properties: { name: { type: 'string' } } } },
  },
};

const example = { inputs: [{ name: 'text', datatype: 'BYTES', shape: [1], data: ['wake me up at seven'] }] };

function inPath(name: 'model' | 'version'): Parameter {
  return {
    name,
    in: 'path',
    required: true,
    description: name === 'model' ? 'A model of the registry.' : 'Its version.',
    schema: { type: 'string', minLength: 1, pattern: '^[A-Za-z0-9._-]+$' },
  };
}

export function openInferencePaths(): Readonly<Record<string, Readonly<Record<string, Operation>>>> {
  const common = { tag: 'Open Inference v2', error: errorSchema };
  const open = { ...common, isOpen: true };
  const server = {
    '/v2': {
      get: operation({
        ...open,
        id: 'serverMetadata',
        summary: 'What this server is.',
        answer: z.looseObject({ name: z.string(), version: z.string(), extensions: z.array(z.string()) }),
      }),
    },
    '/v2/health/live': {
      get: operation({ ...open, id: 'serverLive', summary: 'It runs.', answer: z.looseObject({ live: z.boolean() }) }),
    },
    '/v2/health/ready': {
      get: operation({
        ...open,
        id: 'serverReady',
        summary: 'Some model can be answered for.',
        answer: z.looseObject({ ready: z.boolean() }),
      }),
    },
  };
  const models = (['', '/versions/{version}'] as const).map((ofVersion) => {
    const path = `/v2/models/{model}${ofVersion}`;
    const suffix = ofVersion === '' ? '' : 'Version';
    const parameters = [inPath('model'), ...(ofVersion === '' ? [] : [inPath('version')])];
    return {
      [path]: {
        get: operation({
          ...common,
          id: `modelMetadata${suffix}`,
          summary: 'Its tensors.',
          parameters,
          answer: metadataAnswer,
        }),
      },
      [`${path}/ready`]: {
        get: operation({
          ...common,
          id: `modelReady${suffix}`,
          summary: 'Some place can answer for it.',
          parameters,
          answer: z.looseObject({ name: z.string(), ready: z.boolean() }),
        }),
      },
      [`${path}/infer`]: {
        post: operation({
          ...common,
          id: `modelInfer${suffix}`,
          summary:
            'Tensors in, tensors out. With `Inference-Header-Content-Length` tensors may be binary, behind the JSON.',
          parameters,
          body: { schema: requestBody, example },
          answer: inferAnswer,
        }),
      },
    };
  });
  return Object.fromEntries([server, ...models].flatMap((paths) => Object.entries(paths)));
}
