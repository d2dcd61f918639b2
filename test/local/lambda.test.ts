/** Lambda's stand-in as a caller sees it: Function URL, Invoke, failures, limits, environments. The fixture handler misbehaves on demand. */
import { AwsClient } from 'aws4fetch';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startLambda } from '../../local/aws/lambda.ts';
import type { Lambda, LambdaOptions } from '../../local/aws/lambda.ts';
import { decodeEvents } from '../fixtures/local/decode-events.ts';
import { KEY, REGION, TEMPORARY_KEY, findKey } from '../fixtures/local/keys.ts';

const HANDLER = fileURLToPath(new URL('../fixtures/local/handler.ts', import.meta.url));
const MEBIBYTE = 1024 * 1024;

function options(more: Partial<LambdaOptions> = {}): LambdaOptions {
  return { region: REGION, findKey, functionName: 'infer', handlerFile: HANDLER, ...more };
}

function client(more: Partial<ConstructorParameters<typeof AwsClient>[0]> = {}): AwsClient {
  return new AwsClient({ ...KEY, region: REGION, service: 'lambda', retries: 0, ...more });
}

function json(body: unknown): RequestInit {
  return { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
}

type Echo = { readonly event: Record<string, unknown>; readonly requestId: string; readonly size: number };

async function firstLine(response: Response): Promise<Echo> {
  return JSON.parse((await response.text()).split('\n')[0] ?? '') as Echo;
}

async function withLambda(more: Partial<LambdaOptions>, use: (lambda: Lambda) => Promise<void>): Promise<void> {
  const lambda = await startLambda(options(more));
  try {
    await use(lambda);
  } finally {
    await lambda.close();
  }
}

let lambda: Lambda;
beforeAll(async () => {
  lambda = await startLambda(options({ environment: { SETTING: 'on' } }));
  await lambda.waitUntilReady();
});
afterAll(() => lambda.close());

describe('the Function URL', () => {
  it('hands the handler an event of payload format 2.0', async () => {
    const response = await client().fetch(`${lambda.functionUrl}a%20b/c?x=1&x=2&y=%26`, {
      ...json({ do: 'ok' }),
      headers: { 'content-type': 'application/json', cookie: 'k=v; l=w', 'x-request-id': 'r-1' },
    });
    expect(response.status).toBe(200);
    const { event, requestId } = await firstLine(response);
    expect(event).toMatchObject({
      version: '2.0',
      routeKey: '$default',
      rawPath: '/a b/c',
      rawQueryString: 'x=1&x=2&y=%26',
      queryStringParameters: { x: '1,2', y: '&' },
      cookies: ['k=v', 'l=w'],
      headers: { 'x-request-id': 'r-1', 'x-forwarded-proto': 'https', 'content-type': 'application/json' },
      requestContext: {
        http: { method: 'POST', path: '/a b/c', protocol: 'HTTP/1.1', sourceIp: '127.0.0.1' },
        authorizer: { iam: { accessKey: KEY.accessKeyId } },
        stage: '$default',
        requestId,
      },
      body: '{"do":"ok"}',
      isBase64Encoded: false,
    });
    expect(response.headers.get('x-amzn-requestid')).toBe(requestId);
    expect(JSON.stringify(event)).not.toContain('Signature=');
  });

  it('encodes a body that is not text in base64 and loses no byte of it', async () => {
    const body = Uint8Array.from({ length: 256 }, (_, index) => index);
    const { event, size } = await firstLine(
      await client().fetch(lambda.functionUrl, {
        method: 'POST',
        headers: { 'content-type': 'application/octet-stream' },
        body,
      }),
    );
    expect(event).toMatchObject({ isBase64Encoded: true, body: Buffer.from(body).toString('base64') });
    expect(size).toBe(256);
  });

  it('answers with the status, headers and cookies that the handler put in front of its stream', async () => {
    const response = await client().fetch(lambda.functionUrl, json({ do: 'teapot' }));
    expect([response.status, response.headers.get('content-type'), response.headers.get('set-cookie')]).toEqual([
      418,
      'application/x-ndjson',
      'a=1',
    ]);
    await response.text();
  });

  it('streams: the first line arrives before the handler is done', async () => {
    const response = await client().fetch(lambda.functionUrl, json({ do: 'slow_stream' }));
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    await reader.read();
    const firstAtMs = performance.now();
    while (!(await reader.read()).done);
    expect(performance.now() - firstAtMs).toBeGreaterThan(100);
  });

  it('takes temporary credentials with their token', async () => {
    const response = await client(TEMPORARY_KEY).fetch(lambda.functionUrl, json({}));
    expect(response.status).toBe(200);
    await response.text();
  });

  it.each([
    ['another secret', client({ secretAccessKey: 'other' }), 'InvalidSignatureException'],
    ['another region', client({ region: 'us-east-1' }), 'InvalidSignatureException'],
    ['another service', client({ service: 'sagemaker' }), 'InvalidSignatureException'],
    ['an unknown key', client({ accessKeyId: 'AKIDOTHER' }), 'UnrecognizedClientException'],
    [
      'a temporary key without its token',
      client({ accessKeyId: TEMPORARY_KEY.accessKeyId, secretAccessKey: TEMPORARY_KEY.secretAccessKey }),
      'UnrecognizedClientException',
    ],
    ['an expired token', client({ ...TEMPORARY_KEY, accessKeyId: 'ASIAEXPIRED' }), 'ExpiredTokenException'],
  ])('refuses %s', async (_name, caller, type) => {
    const response = await caller.fetch(lambda.functionUrl, json({}));
    expect([response.status, response.headers.get('x-amzn-errortype')]).toEqual([403, type]);
    expect(await response.json()).toHaveProperty('message');
  });

  it('refuses an unsigned call as IAM does', async () => {
    const response = await fetch(lambda.functionUrl, json({}));
    expect([response.status, response.headers.get('x-amzn-errortype')]).toEqual([403, 'AccessDeniedException']);
    expect(((await response.json()) as { Message: string }).Message).toMatch(/^Forbidden/);
  });

  it('refuses a body that was changed after it was signed', async () => {
    const signed = await client().sign(lambda.functionUrl, json({ do: 'ok' }));
    const response = await fetch(lambda.functionUrl, { method: 'POST', headers: signed.headers, body: '{"do":"xx"}' });
    expect(response.status).toBe(403);
  });

  it('refuses an old date', async () => {
    const signed = await client().sign(lambda.functionUrl, { ...json({}), aws: { datetime: '20200101T000000Z' } });
    const response = await fetch(signed);
    expect(response.status).toBe(403);
    expect(((await response.json()) as { message: string }).message).toMatch(/^Signature expired: 20200101T000000Z/);
  });

  it.each(['throw', 'exit'])('answers 502 when the handler does %s', async (action) => {
    const response = await client().fetch(lambda.functionUrl, json({ do: action }));
    expect([response.status, await response.text()]).toEqual([502, 'Internal Server Error']);
  });

  it.each(['throw_later', 'exit_later'])('breaks the answer off when the handler does %s', async (action) => {
    const response = await client().fetch(lambda.functionUrl, json({ do: action }));
    expect(response.status).toBe(200);
    await expect(response.text()).rejects.toThrow('terminated');
  });

  it('starts another environment after one died', async () => {
    await withLambda({ concurrency: 1 }, async (one) => {
      await one.waitUntilReady();
      const [before] = one.pids();
      await (await client().fetch(one.functionUrl, json({ do: 'exit' }))).text();
      const after = await client().fetch(one.functionUrl, json({}));
      expect(after.status).toBe(200);
      expect(Number(after.headers.get('x-pid'))).not.toBe(before);
      expect(await after.text()).toContain('"line":2');
    });
  });

  it('refuses more than 6 MB with 413, base64 counted', async () => {
    const fits = await client().fetch(lambda.functionUrl, {
      method: 'POST',
      headers: { 'content-type': 'text/plain' },
      body: 'a'.repeat(5 * MEBIBYTE),
    });
    expect([fits.status, (await firstLine(fits)).size]).toEqual([200, 5 * MEBIBYTE]);
    for (const contentType of ['application/octet-stream', 'text/plain']) {
      const sizeBytes = contentType === 'text/plain' ? 6 * MEBIBYTE + 1 : 5 * MEBIBYTE;
      const response = await client().fetch(lambda.functionUrl, {
        method: 'POST',
        headers: { 'content-type': contentType },
        body: 'a'.repeat(sizeBytes),
      });
      expect([response.status, response.headers.get('x-amzn-errortype')]).toEqual([413, 'RequestTooLargeException']);
      await response.text();
    }
  });
});

describe('environments', () => {
  it('reuses a warm one for calls one after another', async () => {
    await withLambda({ concurrency: 1 }, async (one) => {
      const pids = new Set<string | null>();
      for (let call = 0; call < 10; call += 1) {
        const response = await client().fetch(one.functionUrl, json({}));
        expect(response.status).toBe(200);
        pids.add(response.headers.get('x-pid'));
        await response.text();
      }
      expect(pids.size).toBe(1);
    });
  });

  it('are at most as many as the concurrency; one call more is throttled on both faces', async () => {
    await withLambda({ concurrency: 2 }, async (two) => {
      const url = `${two.url}/2015-03-31/functions/infer/invocations`;
      const both = async (): Promise<Response[]> =>
        Promise.all([1, 2].map(() => client().fetch(two.functionUrl, json({ do: 'sleep' }))));
      // Once before, so that both have been used: an environment with a past must not count as free.
      for (const response of await both()) await response.text();
      const busy = both();
      await new Promise((resolve) => setTimeout(resolve, 100));
      const viaUrl = await client().fetch(two.functionUrl, json({}));
      expect([viaUrl.status, await viaUrl.json()]).toEqual([429, { Message: 'Rate Exceeded.' }]);
      const viaInvoke = await client().fetch(url, json({}));
      expect([viaInvoke.status, viaInvoke.headers.get('x-amzn-errortype')]).toEqual([429, 'TooManyRequestsException']);
      expect(await viaInvoke.json()).toMatchObject({ Reason: 'ReservedFunctionConcurrentInvocationLimitExceeded' });
      const answers = await busy;
      expect(answers.map(({ status }) => status)).toEqual([200, 200]);
      expect(new Set(answers.map(({ headers }) => headers.get('x-pid'))).size).toBe(2);
    });
  });

  it('time out: 502, the process is killed, and the next call gets a fresh one', async () => {
    await withLambda({ concurrency: 1, timeoutMs: 1_500 }, async (short) => {
      await short.waitUntilReady();
      const [before] = short.pids();
      const response = await client().fetch(short.functionUrl, json({ do: 'hang' }));
      expect(response.status).toBe(502);
      const next = await client().fetch(short.functionUrl, json({}));
      expect(next.status).toBe(200);
      expect(Number(next.headers.get('x-pid'))).not.toBe(before);
      const late = await client().fetch(short.functionUrl, json({ do: 'hang_later' }));
      expect(late.status).toBe(200);
      await expect(late.text()).rejects.toThrow('terminated');
    });
  });

  it('that cannot load their handler say why to waitUntilReady and answer 502', async () => {
    const handlerFile = fileURLToPath(new URL('../fixtures/local/broken-handler.ts', import.meta.url));
    await withLambda({ handlerFile }, async (broken) => {
      await expect(broken.waitUntilReady()).rejects.toThrow('cannot be loaded on purpose');
      const response = await client().fetch(broken.functionUrl, json({}));
      expect(response.status).toBe(502);
    });
  });

  it('see the function’s own variables and none of the parent’s', async () => {
    process.env['PARENT_SECRET'] = 'x';
    await withLambda({ handlerExport: 'buffered', environment: { SETTING: 'on' } }, async (plain) => {
      const response = await client().fetch(plain.functionUrl, json({}));
      expect([response.status, response.headers.get('x-made')]).toEqual([201, 'here']);
      const { environment } = (await response.json()) as { environment: string[] };
      expect(environment).toEqual(expect.arrayContaining(['SETTING', 'AWS_REGION', 'AWS_LAMBDA_FUNCTION_NAME']));
      expect(environment).not.toContain('PARENT_SECRET');
    });
    delete process.env['PARENT_SECRET'];
  });

  it('are gone after close, a hanging one too', async () => {
    const closing = await startLambda(options({ concurrency: 1 }));
    await closing.waitUntilReady();
    const hanging = client()
      .fetch(closing.functionUrl, json({ do: 'hang' }))
      .catch(() => 'cut');
    await new Promise((resolve) => setTimeout(resolve, 50));
    const pids = closing.pids();
    await closing.close();
    expect(await hanging).toBe('cut');
    expect(pids.length).toBe(1);
    for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow('ESRCH');
  });
});

describe('the Invoke API', () => {
  const path = '/2015-03-31/functions/infer/invocations';

  it('collects a streaming handler, and takes the name as an ARN with a qualifier', async () => {
    for (const name of ['infer', 'infer:$LATEST', `arn:aws:lambda:${REGION}:000000000000:function:infer`]) {
      const response = await client().fetch(
        `${lambda.url}/2015-03-31/functions/${encodeURIComponent(name)}/invocations`,
        json({ do: 'ok' }),
      );
      expect([response.status, response.headers.get('x-amz-executed-version')]).toEqual([200, '$LATEST']);
      expect(await response.text()).toContain('"line":2');
    }
  });

  it.each([
    ['throw', { errorType: 'TypeError', errorMessage: 'thrown on purpose' }],
    ['throw_later', { errorType: 'RangeError', errorMessage: 'thrown after the first line' }],
    ['exit', { errorType: 'Runtime.ExitError', errorMessage: expect.stringContaining('exit status 7') as unknown }],
  ])('answers 200 with X-Amz-Function-Error when the handler does %s', async (action, document) => {
    const response = await client().fetch(`${lambda.url}${path}`, json({ do: action }));
    expect([response.status, response.headers.get('x-amz-function-error')]).toEqual([200, 'Unhandled']);
    expect(await response.json()).toMatchObject(document);
  });

  it('names a time-out Sandbox.Timedout', async () => {
    await withLambda({ timeoutMs: 500, concurrency: 1 }, async (short) => {
      const response = await client().fetch(`${short.url}${path}`, json({ do: 'hang' }));
      expect(response.headers.get('x-amz-function-error')).toBe('Unhandled');
      expect(await response.json()).toMatchObject({
        errorType: 'Sandbox.Timedout',
        errorMessage: expect.stringContaining('Task timed out after 0.50 seconds') as unknown,
      });
    });
  });

  it('refuses a result over 6 MB as a function error', async () => {
    await withLambda({ handlerExport: 'buffered' }, async (plain) => {
      const response = await client().fetch(`${plain.url}${path}`, json({ do: 'big' }));
      expect(await response.json()).toMatchObject({ errorType: 'Function.ResponseSizeTooLarge' });
    });
  });

  it.each([
    ['not JSON', 'POST', path, '{', 400, 'InvalidRequestContentException'],
    ['another function', 'POST', '/2015-03-31/functions/other/invocations', '{}', 404, 'ResourceNotFoundException'],
    ['another path', 'POST', '/2015-03-31/functions', '{}', 404, 'UnknownOperationException'],
    ['over 6 MB', 'POST', path, `"${'a'.repeat(6 * MEBIBYTE)}"`, 413, 'RequestTooLargeException'],
  ])('refuses %s', async (_name, method, at, body, status, type) => {
    const response = await client().fetch(`${lambda.url}${at}`, { method, body });
    expect([response.status, response.headers.get('x-amzn-errortype')]).toEqual([status, type]);
    await response.text();
  });

  it('answers DryRun with 204 and Event with 202', async () => {
    for (const [type, status] of [
      ['DryRun', 204],
      ['Event', 202],
    ] as const) {
      const response = await client().fetch(`${lambda.url}${path}`, {
        ...json({}),
        headers: { 'x-amz-invocation-type': type },
      });
      expect(response.status).toBe(status);
      await response.text();
    }
  });

  it('refuses an unsigned call', async () => {
    const response = await fetch(`${lambda.url}${path}`, json({}));
    expect([response.status, response.headers.get('x-amzn-errortype')]).toEqual([
      403,
      'MissingAuthenticationTokenException',
    ]);
  });
});

describe('InvokeWithResponseStream', () => {
  const invoke = async (action: string) => {
    const url = `${lambda.url}/2021-11-15/functions/infer/response-streaming-invocations`;
    const response = await client().fetch(url, json({ do: action }));
    expect([response.status, response.headers.get('content-type')]).toEqual([
      200,
      'application/vnd.amazon.eventstream',
    ]);
    const events = decodeEvents(Buffer.from(await response.arrayBuffer()));
    const parts = events
      .filter(({ headers }) => headers[':event-type'] === 'PayloadChunk')
      .map(({ payload }) => payload);
    const last = events.at(-1);
    expect(last?.headers[':event-type']).toBe('InvokeComplete');
    return { text: Buffer.concat(parts).toString('utf8'), complete: JSON.parse(String(last?.payload)) as unknown };
  };

  it('sends the stream in PayloadChunks, then InvokeComplete', async () => {
    const { text, complete } = await invoke('ok');
    expect(text).toContain('"line":2');
    expect(complete).toEqual({});
  });

  it.each([
    ['throw', '', 'TypeError'],
    ['throw_later', '"requestId"', 'RangeError'],
    ['exit_later', '"requestId"', 'Runtime.ExitError'],
  ])('says in InvokeComplete that the handler did %s', async (action, sent, ErrorCode) => {
    const { text, complete } = await invoke(action);
    expect(text).toContain(sent);
    expect(complete).toMatchObject({ ErrorCode });
  });
});
