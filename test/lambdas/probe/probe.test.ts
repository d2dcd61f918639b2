/** What the probe says of places that are well, asleep, ill and away, and that it never asks one for an answer. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { createAwsCaller } from '../../../lambdas/lib/aws-call.ts';
import { probeTargets } from '../../../lambdas/probe/probe.ts';
import { createReadLoad } from '../../../lambdas/probe/read-load.ts';
import { parseStatus } from '../../../shared/control/resource-status.ts';
import type { Item } from '../../../shared/config/config-items.ts';
import type { Config, TargetSpec } from '../../../shared/schema/config.ts';
import { testConfig } from '../../worker/test-config.ts';

type Reply = { readonly status: number; readonly body?: string; readonly headers?: Record<string, string> };
type Seen = { readonly method: string; readonly path: string; readonly target: string; readonly body: string };

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

async function serve(reply: Reply): Promise<{ url: string; seen: Seen[] }> {
  const seen: Seen[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const target = request.headers['x-amz-target'];
      seen.push({
        method: request.method ?? '',
        path: request.url ?? '',
        target: typeof target === 'string' ? target : '',
        body: Buffer.concat(chunks).toString(),
      });
      response.writeHead(reply.status, reply.headers).end(reply.body ?? '');
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
}

const aws = createAwsCaller({ accessKeyId: 'AKID', secretAccessKey: 'secret' }, 500);

async function probe(endpoint: TargetSpec['endpoint'], readLoad?: Parameters<typeof probeTargets>[0]['readLoad']) {
  const [spec] = testConfig().targets;
  if (spec === undefined) throw new Error('no target');
  const config: Config = { ...testConfig(), targets: [{ ...spec, id: 'probed', region: 'eu-west-1', endpoint }] };
  const items: Item[] = [];
  const probed = await probeTargets({
    config,
    aws,
    table: { put: async (item) => void items.push(item) },
    fetch,
    readLoad,
    nowMs: () => 1_000_000,
  });
  return { probed, items, status: items[0] === undefined ? undefined : parseStatus(items[0])?.status };
}

const awsError = (status: number, name: string): Reply => ({ status, body: JSON.stringify({ __type: name }) });
const lambda = (function_url: string): TargetSpec['endpoint'] => ({ kind: 'lambda', function_url });
const gpu = (base_url: string): TargetSpec['endpoint'] => ({
  kind: 'gpu',
  base_url,
  token_secret: null,
  binary_tensors: true,
  models: {},
});
const sagemaker = (base_url: string): TargetSpec['endpoint'] => ({
  kind: 'sagemaker',
  endpoint_name: 'large',
  base_url,
});

describe('the probe', () => {
  it.each<[string, Reply, string]>([
    ['up where the model server itself refuses the method', { status: 405, headers: { 'x-request-id': 'a' } }, 'up'],
    ['up where it is throttled', { status: 429 }, 'up'],
    ['down where something else answers', { status: 405 }, 'down'],
    ['down where the function cannot start', { status: 502 }, 'down'],
  ])('calls a function %s', async (_name, reply, health) => {
    const { url, seen } = await serve(reply);
    const { status } = await probe(lambda(`${url}/`));
    expect(status).toMatchObject({ health, asOfMs: 1_000_000, loadRatio: null });
    expect(new Set(seen.map(({ method }) => method))).toEqual(new Set(['GET']));
  });

  it.each<[string, TargetSpec['endpoint']['kind'], Reply]>([
    ['a function that it may not call', 'lambda', { status: 403 }],
    ['an endpoint that it may not describe', 'sagemaker', awsError(400, 'AccessDeniedException')],
    ['an endpoint where AWS answers too many at once', 'sagemaker', awsError(400, 'ThrottlingException')],
    ['an endpoint where AWS itself is ill', 'sagemaker', awsError(500, 'InternalFailure')],
  ])('says nothing of %s: the worker may', async (_name, kind, reply) => {
    const { url } = await serve(reply);
    const { probed, items } = await probe(kind === 'lambda' ? lambda(`${url}/`) : sagemaker(url));
    expect([probed, items]).toEqual([[{ target: 'probed', health: 'unknown' }], []]);
  });

  it('puts what it saw of the others where one status cannot be put, and then says so', async () => {
    const { url } = await serve({ status: 200 });
    const [spec] = testConfig().targets;
    if (spec === undefined) throw new Error('no target');
    const targets = ['first', 'second', 'third'].map((id) => ({ ...spec, id, endpoint: gpu(url) }));
    const put: string[] = [];
    const probing = probeTargets({
      config: { ...testConfig(), targets },
      aws,
      table: {
        put: async (item) => {
          const key = JSON.stringify(item);
          if (key.includes('first')) throw new Error('throttled');
          await new Promise((resolve) => setImmediate(resolve));
          put.push(key.includes('second') ? 'second' : 'third');
        },
      },
      fetch,
      readLoad: undefined,
      nowMs: () => 1_000_000,
    });
    // Lambda freezes a function whose promise is settled.
    await probing.catch(() => put.push('rejected'));
    expect(put.toSorted()).toEqual(['rejected', 'second', 'third']);
    expect(put.at(-1)).toBe('rejected');
  });

  it.each<[string, object, string]>([
    ['up in service', { EndpointStatus: 'InService' }, 'up'],
    ['up while it is updated', { EndpointStatus: 'Updating' }, 'up'],
    ['down where it failed', { EndpointStatus: 'Failed' }, 'down'],
    ['down while it is made', { EndpointStatus: 'Creating' }, 'down'],
    [
      'asleep where it has no instance',
      { EndpointStatus: 'InService', ProductionVariants: [{ CurrentInstanceCount: 0 }] },
      'scaled_to_zero',
    ],
    [
      'up where it has none because it is serverless',
      { EndpointStatus: 'InService', ProductionVariants: [{ CurrentInstanceCount: 0, CurrentServerlessConfig: {} }] },
      'up',
    ],
  ])('calls an endpoint %s', async (_name, described, health) => {
    const { url, seen } = await serve({ status: 200, body: JSON.stringify(described) });
    expect((await probe(sagemaker(url))).status?.health).toBe(health);
    expect(seen).toEqual([
      { method: 'POST', path: '/', target: 'SageMaker.DescribeEndpoint', body: '{"EndpointName":"large"}' },
    ]);
  });

  it('calls an endpoint down that AWS does not know, in words of its own', async () => {
    const body = JSON.stringify({ __type: 'ValidationException', message: 'arn:aws:secret' });
    const { url } = await serve({ status: 400, body });
    expect((await probe(sagemaker(url))).status).toMatchObject({
      health: 'down',
      detail: 'cannot be described: ValidationException',
    });
  });

  it.each<[number, string | undefined]>([
    [200, 'up'],
    [503, 'down'],
    [401, undefined],
  ])('says of a GPU server that answers %i: %s', async (httpStatus, health) => {
    const { url, seen } = await serve({ status: httpStatus });
    expect((await probe(gpu(url))).status?.health).toBe(health);
    expect(seen.map(({ method, path }) => `${method} ${path}`)).toEqual(['GET /v2/health/ready']);
  });

  it('calls down what does not answer, without its address', async () => {
    const { status } = await probe(gpu('http://127.0.0.1:9'));
    expect(status).toMatchObject({ health: 'down' });
    expect(status?.detail).not.toContain('127.0.0.1');
  });

  it('leaves alone what is not deployed, and places at the edge', async () => {
    expect((await probe({ kind: 'lambda', function_url: null })).items).toEqual([]);
    expect((await probe({ kind: 'edge' })).probed).toEqual([]);
  });

  it('adds the load that CloudWatch measured, and none where it says nothing', async () => {
    const { url } = await serve({ status: 405, headers: { 'x-request-id': 'a' } });
    const load = async (body: string) => {
      const watch = await serve({ status: 200, body });
      const readLoad = createReadLoad({
        aws,
        endpoint: watch.url,
        functionName: 'base',
        functionConcurrency: 200,
        remembered: new Map(),
        nowMs: () => 1_000_000,
      });
      const ratio = (await probe(lambda(url), readLoad)).status?.loadRatio;
      return { ratio, target: watch.seen[0]?.target };
    };
    expect(await load('{"MetricDataResults":[{"Values":[50,10]}]}')).toEqual({
      ratio: 0.25,
      target: 'GraniteServiceVersion20100801.GetMetricData',
    });
    expect((await load('{"MetricDataResults":[{"Values":[]}]}')).ratio).toBeNull();
    expect((await load('<html>')).ratio).toBeNull();
  });

  it('reads the load of an endpoint under the variant that it really has', async () => {
    const described = { EndpointStatus: 'InService', ProductionVariants: [{ VariantName: 'main' }] };
    const { url } = await serve({ status: 200, body: JSON.stringify(described) });
    const watch = await serve({ status: 200, body: '{"MetricDataResults":[{"Values":[0.4]}]}' });
    const readLoad = createReadLoad({
      aws,
      endpoint: watch.url,
      functionName: undefined,
      functionConcurrency: 1,
      remembered: new Map(),
      nowMs: () => 1_000_000,
    });
    expect((await probe(sagemaker(url), readLoad)).status?.loadRatio).toBe(0.4);
    expect(watch.seen[0]?.body).toContain('{"Name":"VariantName","Value":"main"}');
  });
});
