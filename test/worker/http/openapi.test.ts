/** The OpenAPI document, the page made from it, and answers held to it. */
import * as z from 'zod/mini';
import { describe, expect, it } from 'vitest';
import {
  errorAnswerSchema,
  guaranteeAnswerSchema,
  inferAnswerSchema,
  metricsAnswerSchema,
  modelAnswerSchema,
  modelListSchema,
  readinessAnswerSchema,
} from '../../../shared/schema/answers.ts';
import { createHarness, failing, type Harness } from '../harness.ts';

const context = { waitUntil: () => undefined, passThroughOnException: () => undefined, props: {} };

type Document = {
  openapi: string;
  paths: Record<
    string,
    Record<
      string,
      {
        operationId: string;
        parameters?: { name: string; schema: { maximum?: number } }[];
        requestBody?: { content: Record<string, { example: unknown }> };
      }
    >
  >;
};

async function get(path: string, harness: Harness = createHarness()): Promise<Response> {
  return harness.app.request(path, {}, undefined, context);
}

async function document(): Promise<Document> {
  return (await (await get('/openapi.json')).json()) as Document;
}

describe('the OpenAPI document', () => {
  it('is of version 3.1 and names every operation once', async () => {
    const { openapi, paths } = await document();
    expect(openapi).toBe('3.1.0');
    const ids = Object.values(paths).flatMap((methods) => Object.values(methods).map(({ operationId }) => operationId));
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).toEqual(
      expect.arrayContaining([
        'infer',
        'createChatCompletion',
        'createEmbedding',
        'modelInferVersion',
        'listDevices',
        'ready',
      ]),
    );
  });

  it('describes only what is there', async () => {
    const { paths } = await document();
    const harness = createHarness();
    for (const [path, methods] of Object.entries(paths)) {
      const real = path.replace('{model}', 'mood').replace('{name}', 'mood').replace('{version}', '1.0.0');
      for (const method of Object.keys(methods)) {
        const body = method === 'post' ? { body: '{', headers: { 'content-type': 'application/json' } } : {};
        const response = await harness.app.request(real, { method: method.toUpperCase(), ...body }, undefined, context);
        expect([real, response.status]).toEqual([real, method === 'post' ? 400 : 200]);
      }
    }
  });

  it('has the requirements of a request with their bounds and defaults', async () => {
    const { paths } = await document();
    expect(paths['/v1/infer']?.['post']?.requestBody?.content['application/json']).toMatchObject({
      schema: {
        required: ['model_name', 'input_data'],
        additionalProperties: false,
        properties: {
          priority: { default: 'normal', enum: ['low', 'normal', 'high', 'critical'] },
          min_accuracy: { maximum: 1 },
        },
      },
      example: { model_name: 'intent' },
    });
  });
});

describe('the document of /v1/metrics', () => {
  it('has every parameter that chooses a range, with the bounds that are held', async () => {
    const { paths } = await document();
    const parameters = paths['/v1/metrics']?.['get']?.parameters ?? [];
    expect(parameters.map(({ name }) => name)).toEqual(['minutes', 'hours', 'days', 'from', 'to']);
    for (const { name, schema } of parameters) {
      if (schema.maximum === undefined) continue;
      expect((await get(`/v1/metrics?${name}=${schema.maximum}`)).status).toBe(200);
      expect((await get(`/v1/metrics?${name}=${schema.maximum + 1}`)).status).toBe(400);
    }
  });
});

describe('the page', () => {
  it('shows every operation and needs nothing from elsewhere', async () => {
    const response = await get('/docs');
    const page = await response.text();
    for (const path of Object.keys((await document()).paths)) expect(page).toContain(path);
    expect(page).not.toMatch(/<script|src=|url\(/);
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'");
  });
});

describe('answers', () => {
  it.each([
    ['/v1/models', modelListSchema],
    ['/v1/models/mood', modelAnswerSchema],
    ['/v1/routes/mood/guarantee', guaranteeAnswerSchema],
    ['/v1/metrics', metricsAnswerSchema],
    ['/readyz', readinessAnswerSchema],
    ['/v1/models/none', errorAnswerSchema],
  ] as const)('of %s are as described', async (path, schema) => {
    const parsed = z.safeParse(schema, await (await get(path)).json());
    expect(parsed.error?.issues ?? []).toEqual([]);
  });

  it('of an inference are as described, explained or failed', async () => {
    const harness = createHarness();
    const answered = await harness.post({ model_name: 'mood', input_data: ['a', 'b'], explain: true });
    expect(inferAnswerSchema.safeParse(answered.body).error?.issues ?? []).toEqual([]);
    for (const id of ['edge', 'lambda', 'sagemaker']) harness.scripts[id] = failing('timeout');
    const failed = await harness.post({ model_name: 'mood', input_data: 'other' });
    expect(errorAnswerSchema.safeParse(failed.body).error?.issues ?? []).toEqual([]);
  });
});
