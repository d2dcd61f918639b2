/** What HTTP itself asks of a failed request, whatever protocol it spoke: its code in a header, and what goes with its status. */
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { createHarness, type Harness } from '../harness.ts';

const json = { 'content-type': 'application/json' };

async function ask(path: string, init: RequestInit = {}, harness: Harness = createHarness()): Promise<Response> {
  return harness.app.request(path, init, undefined, harness.context);
}

function closed(): Harness {
  const harness = createHarness();
  harness.config = {
    ...harness.config,
    api_keys: [{ id: 'k', sha256: 'a'.repeat(64), tenant: 't', scopes: ['infer'], enabled: true }],
  };
  return harness;
}

/** One that ends before it is whole: the caller has gone, or its network has. */
function brokenBody(start: string): RequestInit {
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (start !== '') controller.enqueue(new TextEncoder().encode(start));
      start = '';
      if (controller.desiredSize !== null && controller.desiredSize <= 0) return;
      controller.error(new TypeError('Network connection lost.'));
    },
  });
  return { method: 'POST', body, duplex: 'half' } as RequestInit;
}

const texts: readonly [string, string, Record<string, string>][] = [
  ['/v1/infer', '{"model_name": "mood", "input_data": "hi"}', json],
  ['/v1/embeddings', '{"model": "mood", "input": "hi"}', json],
  ['/v1/chat/completions', '{"model": "mood", "messages": []}', json],
  ['/v2/models/mood/infer', '{"inputs": []}', json],
  ['/graphql', '{"query": "{ models { name } }"}', json],
];

describe('a body', () => {
  it.each(texts)('of %s that breaks off is the caller’s doing, not ours', async (path, text, headers) => {
    const harness = createHarness();
    const response = await ask(path, { ...brokenBody(text.slice(0, 5)), headers }, harness);
    expect([response.status, response.headers.get('x-error-code')]).toEqual([499, 'client_closed_request']);
    expect(harness.lines.filter((line) => line.includes('"level":"error"'))).toEqual([]);
  });

  it.each(texts)('of %s that breaks off although its length was said is no other case', async (path, text, headers) => {
    const init = { ...brokenBody(''), headers: { ...headers, 'content-length': String(text.length) } };
    const response = await ask(path, init);
    expect([response.status, response.headers.get('x-error-code')]).toEqual([499, 'client_closed_request']);
  });

  it.each(texts)('of %s that comes compressed is refused as that', async (path, text, headers) => {
    const body = gzipSync(text);
    const response = await ask(path, { method: 'POST', body, headers: { ...headers, 'content-encoding': 'gzip' } });
    expect([response.status, response.headers.get('x-error-code')]).toEqual([415, 'unsupported_media_type']);
    expect(response.headers.get('accept-encoding')).toBe('identity');
  });

  it('of a query that is not UTF-8 is refused rather than mended', async () => {
    const body = Buffer.from('{"query": "{ infer(model: \\"mood\\", input: \\"\xff\\") { variant } }"}', 'latin1');
    const harness = createHarness();
    const response = await ask('/graphql', { method: 'POST', body, headers: json }, harness);
    expect([response.status, response.headers.get('x-error-code')]).toEqual([400, 'invalid_encoding']);
    expect(harness.calls).toEqual([]);
  });
});

describe('a method that an endpoint does not have', () => {
  it.each([
    ['GET', '/v1/infer', 'POST'],
    ['OPTIONS', '/v1/infer', 'POST'],
    ['GET', '/v1/embeddings', 'POST'],
    ['GET', '/v1/chat/completions', 'POST'],
    ['GET', '/v2/models/mood/infer', 'POST'],
    ['GET', '/v2/models/mood/versions/1.0.0/infer', 'POST'],
    ['POST', '/v2', 'GET, HEAD'],
    ['POST', '/v2/health/live', 'GET, HEAD'],
    ['POST', '/v2/health/ready', 'GET, HEAD'],
    ['DELETE', '/v2/models/mood', 'GET, HEAD'],
    ['POST', '/v2/models/mood/ready', 'GET, HEAD'],
    ['PUT', '/graphql', 'GET, POST'],
    ['POST', '/v1/models', 'GET, HEAD'],
    ['DELETE', '/v1/models/mood', 'GET, HEAD'],
    ['POST', '/v1/routes/mood/guarantee', 'GET, HEAD'],
    ['POST', '/v1/devices', 'GET, HEAD'],
    ['POST', '/v1/devices/d/connect', 'GET'],
    ['POST', '/v1/metrics', 'GET, HEAD'],
    ['POST', '/healthz', 'GET, HEAD'],
    ['POST', '/readyz', 'GET, HEAD'],
    ['POST', '/openapi.json', 'GET, HEAD'],
    ['POST', '/docs', 'GET, HEAD'],
  ])('%s %s: 405, with those it has', async (method, path, allow) => {
    const response = await ask(path, { method });
    expect([response.status, response.headers.get('allow')]).toEqual([405, allow]);
  });
});

describe('a failure', () => {
  it.each([
    ['/v1/infer', { method: 'POST' }],
    ['/v1/embeddings', { method: 'POST' }],
    ['/v1/chat/completions', { method: 'POST' }],
    ['/v2/models/mood/infer', { method: 'POST' }],
    ['/v1/models', {}],
    ['/v1/metrics', {}],
    ['/v1/batches', { method: 'POST' }],
  ])('of %s for want of a key says how to send one', async (path, init) => {
    const response = await ask(path, init, closed());
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toBe('Bearer');
    expect(response.headers.get('x-error-code')).toBe('unauthorized');
  });

  it('has its code, and whether to come back, in headers', async () => {
    const { headers } = await ask('/v1/nowhere');
    expect([headers.get('x-error-code'), headers.get('x-should-retry')]).toEqual(['not_found', 'false']);
  });
});
