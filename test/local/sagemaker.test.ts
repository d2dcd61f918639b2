/** SageMaker's stand-in: what reaches the container, what comes back, and what its own life looks like from outside. */
import { AwsClient } from 'aws4fetch';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startSageMaker } from '../../local/aws/sagemaker.ts';
import type { SageMaker, SageMakerOptions } from '../../local/aws/sagemaker.ts';
import { KEY, REGION, findKey } from '../fixtures/local/keys.ts';

const CONTAINER = fileURLToPath(new URL('../fixtures/local/container.ts', import.meta.url));
const caller = new AwsClient({ ...KEY, region: REGION, service: 'sagemaker', retries: 0 });

function options(more: Partial<SageMakerOptions> = {}): SageMakerOptions {
  return { region: REGION, findKey, endpointName: 'large', containerFile: CONTAINER, ...more };
}

function invoke(
  endpoint: SageMaker,
  body: unknown,
  headers: Record<string, string> = {},
  name = 'large',
): Promise<Response> {
  return caller.fetch(`${endpoint.url}/endpoints/${name}/invocations`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
}

async function until(isTrue: () => boolean): Promise<void> {
  const giveUpAtMs = performance.now() + 10_000;
  while (!isTrue()) {
    if (performance.now() > giveUpAtMs) throw new Error('waited too long');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

let endpoint: SageMaker;
beforeAll(async () => {
  endpoint = await startSageMaker(options());
  await endpoint.waitUntilReady();
});
afterAll(() => endpoint.close());

describe('an invocation', () => {
  it('passes content type, accept and the SageMaker headers to the container, and no other', async () => {
    const response = await invoke(
      endpoint,
      { a: 1 },
      { accept: 'application/x-ndjson', 'x-amzn-sagemaker-inference-id': 'i-1', 'x-request-id': 'r-1' },
    );
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('application/x-ndjson');
    expect(response.headers.get('x-amzn-invoked-production-variant')).toBe('AllTraffic');
    expect(response.headers.get('x-amzn-sagemaker-custom-attributes')).toBe('echoed');
    const { headers } = JSON.parse((await response.text()).split('\n')[0] ?? '') as { headers: Record<string, string> };
    expect(headers).toMatchObject({
      accept: 'application/x-ndjson',
      'content-type': 'application/json',
      'x-amzn-sagemaker-inference-id': 'i-1',
    });
    expect(Object.keys(headers)).not.toEqual(expect.arrayContaining(['authorization']));
    expect(headers).not.toHaveProperty('x-request-id');
  });

  it.each([
    ['an unknown endpoint', 'other', {}, 'Endpoint other of account 000000000000 not found.'],
    [
      'an unknown variant',
      'large',
      { 'x-amzn-sagemaker-target-variant': 'Blue' },
      'Variant Blue not found for Endpoint large of account 000000000000.',
    ],
  ])('is refused with ValidationError for %s', async (_name, name, headers, message) => {
    const response = await invoke(endpoint, {}, headers, name);
    expect([response.status, response.headers.get('x-amzn-errortype')]).toEqual([400, 'ValidationError']);
    expect(await response.json()).toEqual({ Message: message });
  });

  it('accepts the variant it has', async () => {
    const response = await invoke(endpoint, {}, { 'x-amzn-sagemaker-target-variant': 'AllTraffic' });
    expect(response.status).toBe(200);
    await response.text();
  });

  it.each([
    ['bad', 400, 'bad input', 'CLIENT_ERROR_FROM_MODEL'],
    ['fail', 500, 'no memory', 'INTERNAL_FAILURE_FROM_MODEL'],
  ])('turns the container’s error into ModelError (%s)', async (action, status, message, code) => {
    const response = await invoke(endpoint, { do: action });
    expect([response.status, response.headers.get('x-amzn-errortype')]).toEqual([424, 'ModelError']);
    expect(await response.json()).toMatchObject({
      ErrorCode: code,
      OriginalStatusCode: status,
      OriginalMessage: message,
      LogStreamArn: expect.stringMatching(/^arn:aws:logs:/) as unknown,
      Message: expect.stringContaining(`error (${status}) from primary with message "${message}"`) as unknown,
    });
  });

  it('is refused with 413 over 6 MB, and answered at 6 MB', async () => {
    const sizeBytes = 6 * 1024 * 1024;
    expect((await invoke(endpoint, 'a'.repeat(sizeBytes + 1))).status).toBe(413);
    const response = await invoke(endpoint, 'a'.repeat(sizeBytes));
    expect(response.status).toBe(200);
    expect(await response.text()).toContain(`"size":${sizeBytes}`);
  });

  it.each([
    ['unsigned', (url: string) => fetch(url, { method: 'POST', body: '{}' }), 'MissingAuthenticationTokenException'],
    [
      'of another region',
      (url: string) =>
        new AwsClient({ ...KEY, region: 'us-east-1', service: 'sagemaker', retries: 0 }).fetch(url, {
          method: 'POST',
          body: '{}',
        }),
      'InvalidSignatureException',
    ],
    [
      'of another service',
      (url: string) =>
        new AwsClient({ ...KEY, region: REGION, service: 'lambda', retries: 0 }).fetch(url, {
          method: 'POST',
          body: '{}',
        }),
      'InvalidSignatureException',
    ],
  ])('is refused when %s', async (_name, call, type) => {
    const response = await call(`${endpoint.url}/endpoints/large/invocations`);
    expect([response.status, response.headers.get('x-amzn-errortype')]).toEqual([403, type]);
  });

  it('times out as ModelError with status 0', async () => {
    const short = await startSageMaker(options({ timeoutMs: 400 }));
    await short.waitUntilReady();
    const response = await invoke(short, { do: 'hang' });
    expect(response.status).toBe(424);
    expect(await response.json()).toMatchObject({
      OriginalStatusCode: 0,
      OriginalMessage: expect.stringContaining('timed out') as unknown,
    });
    await short.close();
  });

  it('is let go of at the container when its caller leaves', async () => {
    const lines: string[] = [];
    const left = await startSageMaker(options({ onLine: (line) => lines.push(line) }));
    await left.waitUntilReady();
    const leaving = caller.fetch(`${left.url}/endpoints/large/invocations`, {
      method: 'POST',
      body: '{"do":"hang"}',
      signal: AbortSignal.timeout(500),
    });
    await expect(leaving).rejects.toMatchObject({ name: 'TimeoutError' });
    await until(() => lines.includes('let go'));
    expect(left.counts()).toEqual({ received: 1, abandoned: 1 });
    await left.close();
  });
});

describe('the container', () => {
  it('is not ready at first: 429 until /ping answers', async () => {
    const fresh = await startSageMaker(options());
    const early = await invoke(fresh, {});
    expect([early.status, early.headers.get('x-amzn-errortype')]).toEqual([429, 'ModelNotReadyException']);
    await fresh.waitUntilReady();
    expect((await invoke(fresh, {})).status).toBe(200);
    await fresh.close();
  });

  it('is started again when it dies, on a call that sees ModelError', async () => {
    const restarted = await startSageMaker(options());
    await restarted.waitUntilReady();
    const before = restarted.containerState();
    expect((await invoke(restarted, { do: 'exit' })).status).toBe(424);
    await until(() => restarted.containerState().kind !== 'in_service');
    await restarted.waitUntilReady();
    const after = restarted.containerState();
    expect(before.kind === 'in_service' && after.kind === 'in_service' && before.pid !== after.pid).toBe(true);
    expect((await invoke(restarted, {})).status).toBe(200);
    await restarted.close();
  });

  it('that cannot start gives its last words to waitUntilReady, and 503 to callers', async () => {
    const broken = await startSageMaker(options({ environment: { FAIL_TO_START: '1' } }));
    await expect(broken.waitUntilReady()).rejects.toThrow('no model here');
    const response = await invoke(broken, {});
    expect([response.status, response.headers.get('x-amzn-errortype')]).toEqual([503, 'ServiceUnavailable']);
    await broken.close();
  });

  it('gets SIGTERM on close and is gone after it', async () => {
    const lines: string[] = [];
    const closing = await startSageMaker(options({ onLine: (line) => lines.push(line) }));
    await closing.waitUntilReady();
    const state = closing.containerState();
    await closing.close();
    expect(lines).toContain('asked to stop');
    if (state.kind !== 'in_service') throw new Error('it was not in service');
    expect(() => process.kill(state.pid, 0)).toThrow('ESRCH');
  });

  it('can be closed while it starts', async () => {
    const closing = await startSageMaker(options());
    const [waited] = await Promise.allSettled([closing.waitUntilReady(), closing.close()]);
    expect(waited).toMatchObject({ status: 'rejected', reason: { message: 'closed' } });
  });
});
