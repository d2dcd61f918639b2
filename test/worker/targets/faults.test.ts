/** Lambda and SageMaker targets against real sockets on bad days: every fault ends in time, as a value with its reason. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Fault } from '../../../local/lib/fault.ts';
import { sendRestJsonError } from '../../../local/lib/aws-error.ts';
import type { Target } from '../../../worker/ports.ts';
import { createStaticCredentials } from '../../../worker/aws/credentials.ts';
import type { AwsCredentials, CredentialsSource } from '../../../worker/aws/credentials.ts';
import { createLambdaTarget } from '../../../worker/targets/lambda.ts';
import { createSageMakerTarget } from '../../../worker/targets/sagemaker.ts';
import { sampleTarget, textCall } from '../../fakes/sample-call.ts';
import { honestLines, sendBody, startUpstreamServer } from '../../fakes/upstream-server.ts';
import type { UpstreamServer } from '../../fakes/upstream-server.ts';
import { KEY, REGION } from '../../fixtures/local/keys.ts';

const clock = { now: () => Date.now() };
const never = new AbortController().signal;
type Kind = 'lambda' | 'sagemaker';

function open(kind: Kind, url: string, credentials: CredentialsSource | undefined, change = {}): Target {
  if (kind === 'lambda') {
    const spec = sampleTarget('lambda', { region: REGION, endpoint: { kind, function_url: url }, ...change });
    return createLambdaTarget({ spec, clock, credentials });
  }
  const spec = sampleTarget('sagemaker', {
    region: REGION,
    endpoint: { kind, endpoint_name: 'large', base_url: url },
    ...change,
  });
  return createSageMakerTarget({ spec, clock, credentials });
}

async function until(isTrue: () => boolean): Promise<void> {
  const giveUpAtMs = performance.now() + 5_000;
  while (!isTrue() && performance.now() < giveUpAtMs) await new Promise((resolve) => setTimeout(resolve, 5));
}

describe.each<Kind>(['lambda', 'sagemaker'])('%s on a bad day', (kind) => {
  let server: UpstreamServer;
  let target: Target;
  beforeEach(async () => {
    server = await startUpstreamServer(kind);
    target = open(kind, server.url, createStaticCredentials(KEY));
  });
  afterEach(() => server.close());

  it.each<[Fault, string]>([
    [{ kind: 'slow', ms: 5_000 }, 'timeout'],
    [{ kind: 'refuse' }, 'connect_failed'],
    [{ kind: 'cut_before_headers' }, 'cut'],
    [{ kind: 'stall_after_headers' }, 'timeout'],
    [{ kind: 'cut_mid_body' }, 'cut'],
    [{ kind: 'garbage' }, 'garbage|cut'],
    [{ kind: 'status', status: 429 }, 'throttled'],
    [{ kind: 'status', status: 500 }, 'upstream_error'],
    [{ kind: 'status', status: 503 }, 'upstream_error'],
    [{ kind: 'status', status: 403 }, 'credentials'],
    [{ kind: 'status', status: 400 }, 'rejected'],
    [{ kind: 'status', status: 413 }, 'rejected'],
    [{ kind: 'status', status: 302 }, 'upstream_error'],
  ])('%o ends in time as %s', async (fault, reason) => {
    await server.setFault(fault);
    const startMs = performance.now();
    const result = await target.infer(textCall(['yes', 'no'], { timeoutMs: 250 }), never);
    expect(result.kind === 'failed' ? result.reason : 'answered').toMatch(new RegExp(`^(${reason})$`));
    expect(performance.now() - startMs).toBeLessThan(1_750);
  });

  it('is slow but answers within its time', async () => {
    await server.setFault({ kind: 'slow', ms: 50 });
    expect(await target.infer(textCall(['yes']), never)).toMatchObject({ kind: 'answered', computeMs: 3.5 });
  });

  it('follows no redirect: its signature is for nobody else', async () => {
    server.answerWith((request, response, raw) => {
      if (raw.path === '/elsewhere') sendBody(response, honestLines(request).join('\n'));
      else response.writeHead(307, { location: '/elsewhere' }).end();
    });
    expect(await target.infer(textCall(['yes']), never)).toMatchObject({ reason: 'upstream_error' });
    expect(server.counts().received).toBe(1);
  });

  it('recovers as soon as the place does', async () => {
    await server.setFault({ kind: 'refuse' });
    await target.infer(textCall(['yes']), never);
    await server.setFault(null);
    expect(await target.infer(textCall(['yes']), never)).toMatchObject({ kind: 'answered' });
  });

  it('stalls in the middle of its answer, and the time still ends it', async () => {
    server.answerWith((request, response) => {
      response.writeHead(200, { 'content-type': 'application/x-ndjson' });
      response.write(`${honestLines(request)[0]}\n`);
    });
    expect(await target.infer(textCall(['yes', 'no'], { timeoutMs: 150 }), never)).toMatchObject({ reason: 'timeout' });
    await until(() => server.counts().abandoned === 1);
    expect(server.counts().abandoned).toBe(1);
  });

  it('hears that the caller left, before and in the middle of an answer', async () => {
    for (const withHeaders of [false, true]) {
      let arrived = false;
      server.answerWith((request, response) => {
        arrived = true;
        if (withHeaders) response.writeHead(200).write(`${honestLines(request)[0]}\n`);
      });
      const abandoned = server.counts().abandoned;
      const caller = new AbortController();
      const pending = target.infer(textCall(['yes', 'no']), caller.signal);
      await until(() => arrived);
      caller.abort();
      expect(await pending).toMatchObject({ reason: 'cancelled' });
      await until(() => server.counts().abandoned === abandoned + 1);
      expect(server.counts().abandoned).toBe(abandoned + 1);
    }
  });

  it('gives up an answer without end, and closes the connection', async () => {
    server.answerWith(async (_request, response, raw) => {
      response.writeHead(200);
      while (!raw.signal.aborted && !response.destroyed) {
        response.write(' '.repeat(65_536));
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    });
    expect(await target.infer(textCall(['yes']), never)).toMatchObject({ reason: 'garbage' });
    await until(() => server.counts().abandoned === 1);
    expect(server.counts().abandoned).toBe(1);
  });

  it('answers an error with a body without end, and is read only so far', async () => {
    server.answerWith(async (_request, response, raw) => {
      response.writeHead(500);
      while (!raw.signal.aborted && !response.destroyed) {
        response.write('x'.repeat(65_536));
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    });
    expect(await target.infer(textCall(['yes']), never)).toMatchObject({ reason: 'upstream_error' });
  });

  it('is sent the request-id, the time left and the body of the protocol', async () => {
    await target.infer(textCall(['yes', 'caf\u00e9 \ud800'], { timeoutMs: 1_234 }), never);
    const [request] = server.requests;
    expect(request?.body).toMatchObject({
      request_id: 'request-1',
      model: 'mood',
      variant: 'micro',
      deadline_ms: 1_234,
      input: { kind: 'text', texts: ['yes', 'caf\u00e9 \ud800'] },
    });
    expect(request?.raw.headers).toMatchObject({
      'x-request-id': 'request-1',
      'x-deadline-ms': '1234',
      'content-type': 'application/json',
    });
  });

  it('is never sent more than it takes', async () => {
    const small = open(kind, server.url, createStaticCredentials(KEY), { max_payload_bytes: 300 });
    expect(await small.infer(textCall(['x'.repeat(301)]), never)).toMatchObject({ reason: 'rejected' });
    expect(await small.infer(textCall(['"'.repeat(120)]), never)).toMatchObject({ reason: 'rejected' });
    expect(server.counts().received).toBe(0);
  });

  it('gets its own time at most, whatever the call may spend', async () => {
    await server.setFault({ kind: 'slow', ms: 5_000 });
    const hasty = open(kind, server.url, createStaticCredentials(KEY), { timeout_ms: 80 });
    expect(await hasty.infer(textCall(['yes'], { timeoutMs: 60_000 }), never)).toMatchObject({ reason: 'timeout' });
  });

  it.each<[string, AwsCredentials]>([
    [
      'expired',
      { accessKeyId: 'ASIAEXPIRED', secretAccessKey: 'temporary-secret', sessionToken: 'token/with+odd=characters' },
    ],
    ['unknown', { accessKeyId: 'AKIDNOBODY', secretAccessKey: 'x' }],
    ['wrong', { ...KEY, secretAccessKey: 'wrong' }],
  ])('refuses credentials that are %s', async (_name, credentials) => {
    const refused = await open(kind, server.url, createStaticCredentials(credentials)).infer(textCall(['yes']), never);
    expect(refused).toMatchObject({ kind: 'failed', reason: 'credentials' });
    expect(JSON.stringify(refused)).not.toContain(
      credentials.secretAccessKey === 'x' ? 'AKIDNOBODY' : credentials.secretAccessKey,
    );
  });

  it('says so where credentials fail to come, or never come', async () => {
    const failing = open(kind, server.url, { get: () => Promise.reject(new Error('sts is away')) });
    expect(await failing.infer(textCall(['yes']), never)).toMatchObject({ reason: 'credentials' });
    const hanging = open(kind, server.url, { get: () => new Promise(() => undefined) });
    expect(await hanging.infer(textCall(['yes'], { timeoutMs: 50 }), never)).toMatchObject({ reason: 'timeout' });
    expect(server.counts().received).toBe(0);
  });

  it('is unreachable without credentials or an address, and says which', async () => {
    const poor = open(kind, server.url, undefined);
    expect(poor.unreachable).toMatch(/credentials/);
    expect(await poor.infer(textCall(['yes']), never)).toMatchObject({ reason: 'credentials' });
    const nowhere =
      kind === 'lambda'
        ? createLambdaTarget({
            spec: sampleTarget('lambda', { endpoint: { kind, function_url: null } }),
            clock,
            credentials: createStaticCredentials(KEY),
          })
        : createSageMakerTarget({
            spec: sampleTarget('sagemaker', { endpoint: { kind, endpoint_name: null, base_url: null } }),
            clock,
            credentials: createStaticCredentials(KEY),
          });
    expect(nowhere.unreachable).toMatch(kind === 'lambda' ? /function_url/ : /endpoint_name/);
    expect((await nowhere.infer(textCall(['yes']), never)).kind).toBe('failed');
    expect(await nowhere.check(never)).toMatchObject({ ok: false });
  });

  it('is found reachable by an unsigned request that nothing runs for', async () => {
    expect(await target.check(never)).toEqual({ ok: true, detail: 'answers HTTP 403 to an unsigned request' });
    expect(server.requests).toEqual([]);
    await server.setFault({ kind: 'refuse' });
    expect(await target.check(never)).toMatchObject({ ok: false });
    await server.setFault({ kind: 'slow', ms: 5_000 });
    expect(await target.check(AbortSignal.timeout(50))).toMatchObject({ ok: false });
  });

  it('passes on when to come back', async () => {
    server.answerWith((_request, response) => {
      sendRestJsonError(response, {
        status: 429,
        type: 'TooManyRequestsException',
        message: 'Rate Exceeded.',
        headers: { 'retry-after': '2' },
      });
    });
    expect(await target.infer(textCall(['yes']), never)).toMatchObject({ reason: 'throttled', retryAfterMs: 2_000 });
  });

  it('never repeats what an upstream wrote in free text', async () => {
    server.answerWith((request, response) => sendBody(response, `${JSON.stringify(request)}\n`));
    expect(JSON.stringify(await target.infer(textCall(['private words']), never))).not.toContain('private');
    server.answerWith((request, response) => {
      sendRestJsonError(response, { status: 400, type: 'private words', message: JSON.stringify(request) });
    });
    expect(JSON.stringify(await target.infer(textCall(['private words']), never))).not.toContain('private');
  });
});

describe("the model server's own errors", () => {
  let server: UpstreamServer;
  afterEach(() => server.close());
  const own = (code: string): string => JSON.stringify({ error: { code, message: 'private', request_id: 'r' } });

  it.each([
    [422, 'invalid_input', 'rejected'],
    [429, 'overloaded', 'throttled'],
    [503, 'not_configured', 'model_broken'],
    [504, 'deadline_exceeded', 'timeout'],
    [500, 'internal', 'upstream_error'],
  ])('come through the function URL: %s %s is %s', async (status, code, reason) => {
    server = await startUpstreamServer('lambda');
    server.answerWith((_request, response) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(own(code));
    });
    expect(
      await open('lambda', server.url, createStaticCredentials(KEY)).infer(textCall(['yes']), never),
    ).toMatchObject({ reason });
  });

  it.each([
    [422, 'invalid_input', 'rejected'],
    [429, 'overloaded', 'throttled'],
    [504, 'deadline_exceeded', 'timeout'],
    [503, 'anything', 'upstream_error'],
    [404, 'anything', 'rejected'],
  ])('come through SageMaker as ModelError: %s %s is %s', async (status, code, reason) => {
    server = await startUpstreamServer('sagemaker');
    server.answerWith((_request, response) => {
      sendRestJsonError(response, {
        status: 424,
        type: 'ModelError',
        message: 'Received client error from primary',
        messageKey: 'Message',
        members: { OriginalStatusCode: status, OriginalMessage: own(code), LogStreamArn: 'arn:aws:logs:private' },
      });
    });
    const result = await open('sagemaker', server.url, createStaticCredentials(KEY)).infer(textCall(['yes']), never);
    expect(result).toMatchObject({ reason });
    expect(JSON.stringify(result)).not.toContain('private');
  });

  it.each([
    [429, 'ModelNotReadyException', 'not_ready'],
    [429, 'ThrottlingException', 'throttled'],
    [400, 'ValidationError', 'rejected'],
    [400, 'ExpiredTokenException', 'credentials'],
    [400, 'com.amazon.coral.service#ThrottlingException:http://internal.amazon.com/coral/', 'throttled'],
    [500, 'InternalFailure', 'upstream_error'],
    [503, 'ServiceUnavailable', 'upstream_error'],
    [530, 'InternalDependencyException', 'upstream_error'],
    [424, 'ModelError', 'upstream_error'],
    [400, 'toString', 'rejected'],
  ])('of SageMaker itself: %s %s is %s', async (status, type, reason) => {
    server = await startUpstreamServer('sagemaker');
    server.answerWith((_request, response) => sendRestJsonError(response, { status, type, message: 'words' }));
    expect(
      await open('sagemaker', server.url, createStaticCredentials(KEY)).infer(textCall(['yes']), never),
    ).toMatchObject({ reason });
  });
});

describe('the address of a SageMaker endpoint', () => {
  it('is derived from the region where none is given', async () => {
    const urls: string[] = [];
    const target = createSageMakerTarget({
      spec: sampleTarget('sagemaker', {
        region: 'eu-west-1',
        endpoint: { kind: 'sagemaker', endpoint_name: 'my endpoint', base_url: null },
      }),
      clock,
      credentials: createStaticCredentials(KEY),
      fetch: async (url) => {
        urls.push(url);
        throw new TypeError('fetch failed');
      },
    });
    expect(await target.infer(textCall(['yes']), never)).toMatchObject({ reason: 'connect_failed' });
    expect(urls).toEqual(['https://runtime.sagemaker.eu-west-1.amazonaws.com/endpoints/my%20endpoint/invocations']);
  });
});
