/**
 * What leaves a request behind, end to end: log lines of the worker and of the model servers, traces and metrics at a collector,
 * items in the table. One trace through all of them; and of canaries planted in every place a caller can reach, nothing.
 */
import { DynamoDBClient, ScanCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LOCAL_REGION, LOCAL_TABLE, startStack, type Stack } from '../../local/stack.ts';
import { startOtlpCollector, type OtlpCollector } from '../fakes/otlp-collector.ts';

const TRACE_ID = '4bf92f3577b34da6a3ce929d0e0e4736';
const SECRETS = {
  apiKey: 'canary-key-5f1c2a77',
  wrongKey: 'canary-wrong-key-90ab',
  collectorKey: 'canary-collector-key-31',
} as const;
const INPUTS = {
  sentence: 'canary-sentence jane.doe.canary@example.com +49-30-canary-555',
  /** As models split it, a word at a time. */
  words: 'jane.doe.canary@example.com',
  badJson: 'canary-in-broken-json',
  model: 'canary-model-name',
  field: 'canary_field_name',
  variant: 'canary-variant',
  image: Buffer.from('canary-image-bytes').toString('base64'),
  trace: 'canary-traceparent',
  query: 'canary-query',
  path: 'canary-path',
} as const;
const CANARIES = [...Object.values(SECRETS), ...Object.values(INPUTS), 'canary-image-bytes', 'canary'];

let stack: Stack;
let collector: OtlpCollector;
const workerLines: string[] = [];
const serverLines: string[] = [];

beforeAll(async () => {
  collector = await startOtlpCollector();
  stack = await startStack({
    port: 0,
    apiKey: SECRETS.apiKey,
    bindings: {
      OTLP_ENDPOINT: collector.url,
      OTLP_HEADERS: `x-collector-key=${SECRETS.collectorKey}`,
      OTLP_SAMPLE_RATIO: '1',
      LOG_LEVEL: 'debug',
    },
    onWorkerLine: (line) => workerLines.push(line),
    onServerLine: (line) => serverLines.push(line),
  });
});
afterAll(async () => {
  await stack.close();
  await collector.close();
});

function post(body: unknown, headers: Record<string, string> = {}, path = '/v1/infer'): Promise<Response> {
  return fetch(`${stack.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${SECRETS.apiKey}`, ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
}

const ask = (extra: object, headers: Record<string, string> = {}): Promise<Response> =>
  post({ model_name: 'intent', input_data: INPUTS.sentence, cache: 'bypass', ...extra }, headers);

const parsed = (lines: readonly string[]): Record<string, unknown>[] =>
  lines.flatMap((line) => {
    try {
      const value: unknown = JSON.parse(line);
      return typeof value === 'object' && value !== null ? [Object.fromEntries(Object.entries(value))] : [];
    } catch {
      return [];
    }
  });

describe('a trace', () => {
  it('goes from the caller through the worker to Lambda and SageMaker, and to the collector', async () => {
    const traceparent = `00-${TRACE_ID}-00f067aa0ba902b7-01`;
    for (const variant of ['base', 'large']) {
      const response = await ask({ variant }, { traceparent });
      expect(response.status).toBe(200);
      await response.text();
    }
    const ofTrace = (lines: readonly string[]) => parsed(lines).filter((line) => line['trace_id'] === TRACE_ID);
    await expect.poll(() => ofTrace(serverLines).length, { timeout: 10_000 }).toBe(2);
    expect(ofTrace(serverLines).map(({ variant }) => variant)).toEqual(['base', 'large']);
    expect(ofTrace(workerLines).map(({ message }) => message)).toEqual(['request', 'request']);

    await expect
      .poll(() => collector.spans.filter(({ traceId }) => traceId === TRACE_ID).length, { timeout: 20_000 })
      .toBe(4);
    const spans = collector.spans.filter(({ traceId }) => traceId === TRACE_ID);
    const servers = spans.filter(({ parentSpanId }) => parentSpanId === '00f067aa0ba902b7');
    expect(servers).toHaveLength(2);
    for (const { spanId } of servers)
      expect(spans.filter(({ parentSpanId }) => parentSpanId === spanId)).toHaveLength(1);
    expect(collector.problems).toEqual([]);
  });

  it('begins with the request where the caller has none, and is found by its id', async () => {
    const response = await ask({});
    const requestId = response.headers.get('x-request-id') ?? '';
    await response.text();
    const line = () => parsed(workerLines).find((each) => each['request_id'] === requestId);
    await expect.poll(line).toBeDefined();
    expect(line()?.['trace_id']).toBe(requestId.replaceAll('-', ''));
  });
});

describe('canaries', () => {
  it('planted wherever a caller can write are in no log, export, metric or item', async () => {
    const everywhere = [
      () => ask({ explain: true }),
      () => ask({ model_complexity: 'high' }),
      () => ask({ input_data: [INPUTS.sentence, 'another'], variant: 'base' }),
      () => ask({ variant: INPUTS.variant }),
      () => ask({ model_name: INPUTS.model }),
      () => ask({ [INPUTS.field]: 1 }),
      () => ask({ input_data: { [INPUTS.field]: INPUTS.sentence } }),
      () => ask({ priority: INPUTS.variant }),
      () => ask({ model_name: 'digits', input_data: INPUTS.image }),
      () => ask({}, { traceparent: INPUTS.trace, tracestate: INPUTS.trace, 'user-agent': INPUTS.trace }),
      () => ask({}, { authorization: `Bearer ${SECRETS.wrongKey}` }),
      () => post(`{"model_name": "intent", "input_data": "${INPUTS.badJson}`),
      () => post({ query: `{ ${INPUTS.path} }`, variables: { input: INPUTS.sentence } }, {}, '/graphql'),
      () =>
        post(
          { model: INPUTS.model, messages: [{ role: 'user', content: INPUTS.sentence }] },
          {},
          '/v1/chat/completions',
        ),
      () => post({ model: 'embed', input: INPUTS.sentence }, {}, '/v1/embeddings'),
      () =>
        post(
          { inputs: [{ name: 'text', shape: [1], datatype: 'BYTES', data: [INPUTS.sentence] }] },
          {},
          '/v2/models/intent/infer',
        ),
      () => post({}, {}, `/${INPUTS.path}?${INPUTS.query}=1`),
      () => fetch(`${stack.url}/v1/metrics?minutes=${INPUTS.query}`, { headers: { 'x-api-key': SECRETS.apiKey } }),
    ];
    for (const request of everywhere) await (await request()).text();
    // And on bad days, when errors tell more than they should.
    for (const fault of [{ kind: 'garbage' }, { kind: 'status', status: 500 }, { kind: 'cut_mid_body' }] as const) {
      await Promise.all([stack.lambda.setFault(fault), stack.sagemaker.setFault(fault)]);
      await (await ask({ model_complexity: 'medium' })).text();
    }
    await Promise.all([
      stack.lambda.setFault(null),
      stack.sagemaker.setFault(null),
      collector.setFault({ kind: 'status', status: 500 }),
    ]);
    await (await ask({})).text();
    // The exporter waits five seconds for more; then the collector's refusal is in the log too.
    await expect
      .poll(() => workerLines.filter((line) => line.includes('telemetry could not be exported')).length, {
        timeout: 20_000,
      })
      .toBeGreaterThan(0);
    await collector.setFault(null);

    expect(parsed(workerLines).length).toBeGreaterThan(everywhere.length);
    expect(collector.raw.length).toBeGreaterThan(1);
    expect(collector.problems).toEqual([]);
    const exported = collector.raw.map((raw) => raw.replaceAll(SECRETS.collectorKey, ''));
    for (const line of [...workerLines, ...serverLines, ...exported, ...(await items())])
      expect(line).not.toMatch(anyOf(CANARIES));
  });
});

/** Metrics windows and rollups as they lie in the table; configuration is the operator's own. */
async function items(): Promise<readonly string[]> {
  const client = new DynamoDBClient({
    endpoint: stack.dynamodb.url,
    region: LOCAL_REGION,
    credentials: stack.credentials,
  });
  const { Items: found = [] } = await client.send(new ScanCommand({ TableName: LOCAL_TABLE }));
  client.destroy();
  return found.filter((item) => !item['pk']?.S?.startsWith('CFG#')).map((item) => JSON.stringify(item));
}

function anyOf(texts: readonly string[]): RegExp {
  return new RegExp(texts.map((text) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|'), 'i');
}
