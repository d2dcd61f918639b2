/**
 * Lambda's stand-in, witnessed by AWS's own client (Invoke, InvokeWithResponseStream) and by aws4fetch (the Function URL):
 * good answers, and every way in which a call fails. Owns the wire; the fixture handler misbehaves on demand.
 */
import { InvokeCommand, InvokeWithResponseStreamCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { AwsClient } from 'aws4fetch';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startLambda } from '../../local/aws/lambda.ts';
import type { Lambda } from '../../local/aws/lambda.ts';
import type { Fault } from '../../local/lib/fault.ts';
import { createStaticCredentials } from '../../worker/aws/credentials.ts';
import { createLambdaTarget } from '../../worker/targets/lambda.ts';
import { sampleTarget, textCall } from '../fakes/sample-call.ts';
import { KEY, REGION, TEMPORARY_KEY, findKey } from '../fixtures/local/keys.ts';

const FunctionName = 'infer';
const OVER_THE_LIMIT = `"${'a'.repeat(6 * 1024 * 1024)}"`;
let lambda: Lambda;
let client: LambdaClient;

beforeAll(async () => {
  lambda = await startLambda({
    region: REGION,
    findKey,
    functionName: FunctionName,
    handlerFile: fileURLToPath(new URL('../fixtures/local/handler.ts', import.meta.url)),
    concurrency: 1,
    timeoutMs: 1_200,
  });
  await lambda.waitUntilReady();
  client = connect();
});
afterAll(async () => {
  client.destroy();
  await lambda.close();
});

function connect(more: object = {}): LambdaClient {
  return new LambdaClient({ endpoint: lambda.url, region: REGION, credentials: KEY, maxAttempts: 1, ...more });
}
const payload = (action: string): Uint8Array => Buffer.from(JSON.stringify({ do: action }));
const invoke = (action: string) => client.send(new InvokeCommand({ FunctionName, Payload: payload(action) }));
const failureOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'no failure',
    (error: unknown) => error,
  );

async function withFault<T>(fault: Fault, work: () => Promise<T>): Promise<T> {
  await lambda.setFault(fault);
  try {
    return await work();
  } finally {
    await lambda.setFault(null);
  }
}

describe('Invoke, through the SDK', () => {
  it('answers with payload and version, to temporary credentials as well', async () => {
    const temporary = connect({ credentials: TEMPORARY_KEY });
    for (const caller of [client, temporary]) {
      const answer = await caller.send(new InvokeCommand({ FunctionName, Payload: payload('ok') }));
      expect(answer).toMatchObject({ StatusCode: 200, ExecutedVersion: '$LATEST' });
      expect(answer.FunctionError).toBeUndefined();
      expect(answer.Payload?.transformToString()).toContain('"line":2');
    }
    temporary.destroy();
  });

  it.each([
    ['throws', 'throw', 'TypeError'],
    ['exits', 'exit', 'Runtime.ExitError'],
    ['takes too long', 'hang', 'Sandbox.Timedout'],
  ])('answers 200 with FunctionError where the function %s', async (_what, action, errorType) => {
    const answer = await invoke(action);
    expect([answer.StatusCode, answer.FunctionError]).toEqual([200, 'Unhandled']);
    expect(JSON.parse(answer.Payload?.transformToString() ?? '')).toMatchObject({ errorType });
  });

  it('is throttled by name, with a time to come back, when every environment is busy', async () => {
    const busy = invoke('sleep');
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(await failureOf(invoke('ok'))).toMatchObject({
      name: 'TooManyRequestsException',
      Reason: 'ReservedFunctionConcurrentInvocationLimitExceeded',
      retryAfterSeconds: '1',
      $metadata: { httpStatusCode: 429 },
    });
    await busy;
  });

  it.each([
    ['more than 6 MB', { Payload: Buffer.from(OVER_THE_LIMIT) }, 'RequestTooLargeException', 413],
    ['what is not JSON', { Payload: Buffer.from('{') }, 'InvalidRequestContentException', 400],
    ['another function', { FunctionName: 'other' }, 'ResourceNotFoundException', 404],
  ])('refuses %s by name', async (_what, change, name, httpStatusCode) => {
    const refused = failureOf(client.send(new InvokeCommand({ FunctionName, ...change })));
    expect(await refused).toMatchObject({ name, $metadata: { httpStatusCode } });
  });

  it.each([
    ['another secret', { credentials: { ...KEY, secretAccessKey: 'other' } }, 'InvalidSignatureException'],
    ['an unknown key', { credentials: { ...KEY, accessKeyId: 'AKIDOTHER' } }, 'UnrecognizedClientException'],
    ['an expired token', { credentials: { ...TEMPORARY_KEY, accessKeyId: 'ASIAEXPIRED' } }, 'ExpiredTokenException'],
  ])('refuses %s', async (_what, change, name) => {
    const other = connect(change);
    expect(await failureOf(other.send(new InvokeCommand({ FunctionName })))).toMatchObject({
      name,
      $metadata: { httpStatusCode: 403 },
    });
    other.destroy();
  });

  it.each([
    { kind: 'cut_before_headers' },
    { kind: 'cut_mid_body' },
    { kind: 'refuse' },
    { kind: 'status', status: 500 },
  ] as const satisfies readonly Fault[])('fails cleanly under %j, and works after it', async (fault) => {
    expect(await withFault(fault, () => failureOf(invoke('ok')))).toBeInstanceOf(Error);
    expect((await invoke('ok')).StatusCode).toBe(200);
  });
});

describe('InvokeWithResponseStream, through the SDK', () => {
  async function stream(action: string) {
    const pieces: Uint8Array[] = [];
    let complete: { ErrorCode?: string | undefined } | undefined;
    const error = await failureOf(
      (async () => {
        const answer = await client.send(
          new InvokeWithResponseStreamCommand({ FunctionName, Payload: payload(action) }),
        );
        for await (const event of answer.EventStream ?? []) {
          if (event.PayloadChunk?.Payload !== undefined) pieces.push(event.PayloadChunk.Payload);
          if (event.InvokeComplete !== undefined) complete = event.InvokeComplete;
        }
      })(),
    );
    return { text: Buffer.concat(pieces).toString('utf8'), complete, error };
  }

  it('gives chunks and then that it is complete', async () => {
    const { text, complete, error } = await stream('ok');
    expect(error).toBe('no failure');
    expect(text).toContain('"line":2');
    expect(complete).toBeDefined();
    expect(complete?.ErrorCode).toBeUndefined();
  });

  it.each([
    ['throws half way', 'throw_later', 'RangeError'],
    ['exits half way', 'exit_later', 'Runtime.ExitError'],
    ['takes too long half way', 'hang_later', 'Sandbox.Timedout'],
  ])('gives what came, and the error in InvokeComplete, where the function %s', async (_what, action, ErrorCode) => {
    const { text, complete } = await stream(action);
    expect(text).toContain('"requestId"');
    expect(complete).toMatchObject({ ErrorCode });
  });

  it('fails for the SDK where the stream is cut inside an event', async () => {
    const { error, complete } = await withFault({ kind: 'cut_mid_body' }, () => stream('ok'));
    expect(error).toBeInstanceOf(Error);
    expect(complete).toBeUndefined();
  });
});

describe('the Function URL, through aws4fetch', () => {
  const call = (action: string, body = JSON.stringify({ do: action })): Promise<Response> =>
    new AwsClient({ ...KEY, region: REGION, service: 'lambda', retries: 0 }).fetch(lambda.functionUrl, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    });

  it('streams status, headers and body as the handler gives them', async () => {
    const response = await call('teapot');
    expect([response.status, response.headers.get('content-type')]).toEqual([418, 'application/x-ndjson']);
    expect(await response.text()).toContain('"line":2');
  });

  it.each([
    ['a function that throws', 'throw'],
    ['a function that exits', 'exit'],
    ['a time-out', 'hang'],
  ])('answers 502 for %s', async (_what, action) => {
    const response = await call(action);
    expect(response.status).toBe(502);
    expect(await response.text()).toBe('Internal Server Error');
  });

  it('answers 429 when every environment is busy', async () => {
    const busy = call('sleep');
    await new Promise((resolve) => setTimeout(resolve, 100));
    const refused = await call('ok');
    expect([refused.status, refused.headers.get('x-amzn-errortype')]).toEqual([429, 'TooManyRequestsException']);
    await refused.text();
    await (await busy).text();
  });

  it('answers 413 for an event over 6 MB', async () => {
    const response = await call('', OVER_THE_LIMIT);
    expect([response.status, response.headers.get('x-amzn-errortype')]).toEqual([413, 'RequestTooLargeException']);
  });

  it('is never sent an event over 6 MB by the worker, which counts as Lambda does', async () => {
    const target = createLambdaTarget({
      spec: sampleTarget('lambda', {
        region: REGION,
        endpoint: { kind: 'lambda', function_url: lambda.functionUrl },
        max_payload_bytes: 100_000_000,
      }),
      credentials: createStaticCredentials(KEY),
      clock: { now: () => Date.now() },
    });
    const never = new AbortController().signal;
    const send = (text: string) => target.infer(textCall([text], { timeoutMs: 10_000 }), never);
    const received = () => lambda.counts().functionUrl.received;
    const before = received();
    // A quote takes two bytes in the body and four in the event: the same text fits or not by what it is made of.
    for (const text of ['a'.repeat(6_275_200), '"'.repeat(1_570_000)])
      expect(await send(text)).toMatchObject({ kind: 'failed', reason: 'rejected' });
    expect(received()).toBe(before);
    for (const text of ['a'.repeat(6_274_000), '"'.repeat(1_568_000)])
      expect(await send(text)).not.toMatchObject({ reason: 'rejected' });
    expect(received()).toBe(before + 2);
  });

  it.each(['throw_later', 'exit_later', 'hang_later'])(
    'breaks the body off where the function does %s',
    async (action) => {
      const response = await call(action);
      expect(response.status).toBe(200);
      await expect(response.text()).rejects.toThrow(/terminated/);
    },
  );
});
