/** A batch on the whole local stack: taken as a stream, run behind the queue, killed on the way, read, cancelled. */
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startStack, type Stack } from '../../local/stack.ts';
import { publishAndWait } from './gateway-client.ts';
import { sampleSentences } from './samples.ts';

const CANARY = 'canary-line-77ab';
const KEYS = { a: 'batch-team-a-key-0001', b: 'batch-team-b-key-0002' };

let stack: Stack;
const log: string[] = [];

beforeAll(async () => {
  const onLine = (line: string): void => void log.push(line);
  stack = await startStack({ port: 0, onWorkerLine: onLine, onServerLine: onLine });
});
afterAll(() => stack.close());

type Status = {
  readonly id: string;
  readonly status: string;
  readonly lines: number;
  readonly done: number;
  readonly failed: number;
  readonly cost_usd: number;
  readonly error?: { readonly code: string };
};
type Result = {
  readonly line: number;
  readonly id?: string;
  readonly status: number;
  readonly answer?: { readonly model_name: string; readonly predictions: readonly { readonly label: string }[] };
  readonly error?: { readonly code: string; readonly message: string };
};

function call(method: string, path: string, key?: string, body?: BodyInit): Promise<Response> {
  const request: RequestInit & { duplex?: 'half' } = {
    method,
    headers: {
      ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/x-ndjson' }),
    },
    ...(body === undefined ? {} : { body, duplex: 'half' }),
  };
  return fetch(`${stack.url}/v1/batches${path}`, request);
}

async function submit(lines: readonly string[], key?: string, query = ''): Promise<Status> {
  const response = await call('POST', query, key, lines.join('\n'));
  const status = (await response.json()) as Status;
  expect(response.status, JSON.stringify(status)).toBe(202);
  return status;
}

async function statusOf(id: string, key?: string): Promise<Status> {
  return (await (await call('GET', `/${id}`, key)).json()) as Status;
}

async function completed(id: string, key?: string): Promise<Status> {
  await expect.poll(async () => (await statusOf(id, key)).status, { timeout: 90_000, interval: 100 }).toBe('completed');
  return statusOf(id, key);
}

async function resultsOf(id: string, key?: string): Promise<Result[]> {
  const response = await call('GET', `/${id}/results`, key);
  expect(response.status).toBe(200);
  const text = await response.text();
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Result);
}

const ask = (input: unknown, extra: object = {}) =>
  JSON.stringify({ model_name: 'intent', input_data: input, ...extra });

describe('a batch', () => {
  it('answers each line in order, and gives each its own error', async () => {
    const lines = [
      ask('wake me up at seven', { id: 'first' }),
      '',
      '{"not": json',
      ask('what is my balance', { model_name: 'nobody' }),
      ask(7),
      '[]',
      ask('', { variant: 'giant' }),
      `  ${ask(`${CANARY} how do i reset my pin`)}\r`,
      ask(['one', 'two']),
      '   ',
    ];
    const { id } = await submit(lines);
    const status = await completed(id);
    expect(status).toMatchObject({ lines: 8, done: 8, failed: 5 });
    expect(status.cost_usd).toBeGreaterThan(0);
    const results = await resultsOf(id);
    expect(results.map(({ line, status: code, error }) => [line, code, error?.code])).toEqual([
      [1, 200, undefined],
      [2, 400, 'invalid_json'],
      [3, 404, 'model_unknown'],
      [4, 422, 'invalid_input'],
      [5, 400, 'invalid_json'],
      [6, 400, 'invalid_request'],
      [7, 200, undefined],
      [8, 200, undefined],
    ]);
    expect(results[0]).toMatchObject({ id: 'first', answer: { predictions: [{ label: 'alarm' }] } });
    expect(results[7]?.answer?.predictions).toHaveLength(2);
  });

  it('takes the model of lines that name none from the address', async () => {
    const { id } = await submit(['{"input_data": "wake me up at seven"}'], undefined, '?model_name=intent');
    await completed(id);
    expect((await resultsOf(id))[0]).toMatchObject({ status: 200, answer: { model_name: 'intent' } });
  });

  it('killed three times, has each line once and none lost', async () => {
    const LINES = 12_000;
    const sentences = await sampleSentences(200);
    const texts = Array.from(
      { length: LINES },
      (_unused, at) => `${sentences[at % sentences.length]?.input ?? ''} ${at}`,
    );
    const { id } = await submit(texts.map((input, at) => ask(input, { id: `row-${at}` })));
    for (let kills = 0; kills < 3; kills += 1) {
      const before = (await statusOf(id)).done;
      await expect
        .poll(async () => (await statusOf(id)).done, { timeout: 60_000, interval: 20 })
        .toBeGreaterThan(before);
      const [pid] = stack.batches.lambda.pids();
      if (pid !== undefined) process.kill(pid, 'SIGKILL');
    }
    expect(await completed(id)).toMatchObject({ lines: LINES, done: LINES, failed: 0 });
    const results = await resultsOf(id);
    expect(results.map(({ line }) => line)).toEqual(texts.map((_text, at) => at + 1));
    expect(results.map((result) => result.id)).toEqual(texts.map((_text, at) => `row-${at}`));
    expect(results.every(({ answer }) => answer?.predictions.length === 1)).toBe(true);
  }, 240_000);

  it('outlives a store that is away for a while, before and during the run', async () => {
    await stack.batches.s3.setFault({ kind: 'status', status: 503 });
    const refused = await call('POST', '', undefined, ask('wake me up at seven'));
    expect([refused.status, ((await refused.json()) as Status).error?.code]).toEqual([503, 'target_unavailable']);
    await stack.batches.s3.setFault(null);
    const { id } = await submit(
      Array.from({ length: 3_000 }, (_unused, at) => ask(`outlive me ${at}`, { placement: 'edge' })),
    );
    await expect.poll(async () => (await statusOf(id)).done, { timeout: 60_000, interval: 20 }).toBeGreaterThan(0);
    await stack.batches.s3.setFault({ kind: 'status', status: 503 });
    await stack.dynamodb.setFault({ kind: 'refuse' });
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    await stack.dynamodb.setFault(null);
    await stack.batches.s3.setFault(null);
    expect(await completed(id)).toMatchObject({ done: 3_000, failed: 0 });
    expect((await resultsOf(id)).map(({ line }) => line)).toEqual(
      Array.from({ length: 3_000 }, (_unused, at) => at + 1),
    );
  });

  it('stops where it is cancelled, and keeps what is finished', async () => {
    const { id } = await submit(Array.from({ length: 8_000 }, (_unused, at) => ask(`cancel me ${at}`)));
    await expect.poll(async () => (await statusOf(id)).done, { timeout: 60_000, interval: 20 }).toBeGreaterThan(0);
    expect((await call('GET', `/${id}/results`)).status).toBe(409);
    expect(await (await call('DELETE', `/${id}`)).json()).toMatchObject({ status: 'cancelled' });
    await expect.poll(() => stack.batches.queue.depth(), { timeout: 30_000 }).toBe(0);
    expect(await statusOf(id)).toMatchObject({ status: 'cancelled' });
    expect((await call('GET', `/${id}/results`)).status).toBe(200);
  });

  it.each([
    ['no lines', 'application/x-ndjson', '\n \n', 400, 'invalid_request'],
    ['another kind of body', 'application/json', '{}', 415, 'unsupported_media_type'],
    ['a line without end', 'application/x-ndjson', 'x'.repeat(1_200_000), 413, 'payload_too_large'],
  ])('of %s is refused', async (_name, contentType, body, status, code) => {
    const response = await fetch(`${stack.url}/v1/batches`, {
      method: 'POST',
      headers: { 'content-type': contentType },
      body,
    });
    expect([response.status, ((await response.json()) as Status).error?.code]).toEqual([status, code]);
  });

  it('that is not there is said to be so', async () => {
    expect((await call('GET', '/nothing')).status).toBe(404);
    expect((await call('GET', '/00000000-0000-0000-0000-000000000000')).status).toBe(404);
    expect((await call('PUT', '')).status).toBe(405);
  });
});

describe("a tenant's batch", () => {
  it('is nobody else’s, and its own token is good for its lines alone', async () => {
    const keyOf = (id: string, key: string) => ({
      id,
      sha256: createHash('sha256').update(key).digest('hex'),
      tenant: id,
      scopes: ['infer' as const],
      enabled: true,
    });
    await publishAndWait(stack, {
      ...stack.config,
      api_keys: [keyOf('team-a', KEYS.a), keyOf('team-b', KEYS.b)],
    });
    expect((await call('POST', '', undefined, ask('hello'))).status).toBe(401);
    const { id } = await submit([ask('wake me up at seven')], KEYS.a);
    await completed(id, KEYS.a);
    expect((await call('GET', `/${id}`, KEYS.b)).status).toBe(404);
    expect((await call('DELETE', `/${id}`, KEYS.b)).status).toBe(404);
    await expect.poll(() => log.some((line) => line.includes('"tenant":"team-a"')), { timeout: 10_000 }).toBe(true);
    for (const token of ['hb_e30.AAAA', 'hb_', 'hb_a.b.c']) {
      expect((await call('GET', `/${id}`, token)).status).toBe(401);
    }
    await publishAndWait(stack, stack.config);
  });
});

describe('what a batch leaves behind', () => {
  it('is no input, key or token in any log', () => {
    const text = log.join('\n');
    expect(text).toContain('"message":"batch"');
    for (const secret of [CANARY, KEYS.a, 'hb_', stack.credentials.secretAccessKey]) expect(text).not.toContain(secret);
  });
});
