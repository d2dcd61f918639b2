/** The real model server behind both stand-ins, with the tiny models: one code base, the same answer over either wire. */
import { AwsClient } from 'aws4fetch';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startLambda } from '../../local/aws/lambda.ts';
import type { Lambda } from '../../local/aws/lambda.ts';
import { startSageMaker } from '../../local/aws/sagemaker.ts';
import type { SageMaker } from '../../local/aws/sagemaker.ts';
import { upstreamLineSchema } from '../../shared/schema/upstream.ts';
import { UPSTREAM_CONTENT_TYPE } from '../../shared/names.ts';
import type { UpstreamLine } from '../../shared/schema/upstream.ts';
import { KEY, REGION, findKey } from '../fixtures/local/keys.ts';
import { TINY_DIR, textRequest } from '../lambdas/tiny.ts';

const program = (name: string): string => fileURLToPath(new URL(`../../lambdas/infer/${name}`, import.meta.url));
const environment = { MODEL_DIR: TINY_DIR, MODEL_VARIANTS: 'base' };
let lambda: Lambda;
let sageMaker: SageMaker;

beforeAll(async () => {
  lambda = await startLambda({
    region: REGION,
    findKey,
    functionName: 'infer',
    handlerFile: program('handler.ts'),
    environment,
  });
  sageMaker = await startSageMaker({
    region: REGION,
    findKey,
    endpointName: 'large',
    containerFile: program('container.ts'),
    environment,
  });
  await Promise.all([lambda.waitUntilReady(), sageMaker.waitUntilReady()]);
});
afterAll(() => Promise.all([lambda.close(), sageMaker.close()]));

function post(service: string, url: string, body: unknown): Promise<Response> {
  const client = new AwsClient({ ...KEY, region: REGION, service, retries: 0 });
  return client.fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
}

const overLambda = (body: unknown): Promise<Response> => post('lambda', lambda.functionUrl, body);
const overSageMaker = (body: unknown): Promise<Response> =>
  post('sagemaker', `${sageMaker.url}/endpoints/large/invocations`, body);

async function lines(response: Response): Promise<UpstreamLine[]> {
  return (await response.text())
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => upstreamLineSchema.parse(JSON.parse(line)));
}

describe('the model server', () => {
  it('gives the same predictions over the Function URL and over InvokeEndpoint', async () => {
    const request = textRequest(['hello', 'see you later, bye']);
    const answers = await Promise.all([overLambda(request), overSageMaker(request)]);
    for (const response of answers) {
      expect([response.status, response.headers.get('content-type')]).toEqual([200, UPSTREAM_CONTENT_TYPE]);
    }
    const [first, second] = await Promise.all(answers.map(lines));
    expect(first?.map((line) => (line.kind === 'prediction' ? line.label : line.kind))).toEqual([
      'greet',
      'leave',
      'done',
    ]);
    expect(second?.slice(0, 2)).toEqual(first?.slice(0, 2));
  });

  it('refuses a model that it does not have: a 404 over Lambda, the same inside ModelError over SageMaker', async () => {
    const request = textRequest(['hello'], { model: 'missing' });
    const direct = await overLambda(request);
    expect(direct.status).toBe(404);
    const wrapped = await overSageMaker(request);
    expect(wrapped.status).toBe(424);
    expect(await wrapped.json()).toMatchObject({
      OriginalStatusCode: 404,
      OriginalMessage: expect.stringContaining('model_unknown') as unknown,
    });
  });

  it('answers twenty calls at once over SageMaker', async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => overSageMaker(textRequest(['hello']))));
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 200));
  });
});
