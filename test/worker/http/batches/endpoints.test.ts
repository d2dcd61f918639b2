import { gzipSync } from 'node:zlib';
import { beforeEach, describe, expect, it } from 'vitest';
import { BATCH_TOKEN_PREFIX } from '../../../../shared/names.ts';
import { createMemoryBatches, type MemoryBatches } from '../../../fakes/memory-batches.ts';
import { createHarness, type Harness } from '../../harness.ts';

const lines = { 'content-type': 'application/x-ndjson' };
const line = '{"model_name": "mood", "input_data": "hi"}\n';

let batches: MemoryBatches;
let harness: Harness;
beforeEach(() => {
  batches = createMemoryBatches();
  harness = createHarness({ batches });
});

async function ask(path: string, init: RequestInit = {}): Promise<Response> {
  return harness.app.request(path, init, undefined, harness.context);
}

async function sent(): Promise<string> {
  const response = await ask('/v1/batches', { method: 'POST', headers: lines, body: line });
  expect(response.status).toBe(202);
  return ((await response.json()) as { id: string }).id;
}

describe('an upload', () => {
  it('that comes compressed is refused rather than taken for lines', async () => {
    const headers = { ...lines, 'content-encoding': 'gzip' };
    const response = await ask('/v1/batches', { method: 'POST', headers, body: gzipSync(line) });
    expect([response.status, response.headers.get('accept-encoding')]).toEqual([415, 'identity']);
    expect(batches.held.size).toBe(0);
  });

  it('that breaks off is no batch, and no failure of ours', async () => {
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(new TextEncoder().encode(line)),
      pull: (controller) => controller.error(new TypeError('Network connection lost.')),
    });
    const response = await ask('/v1/batches', { method: 'POST', headers: lines, body, duplex: 'half' } as RequestInit);
    expect([response.status, response.headers.get('x-error-code')]).toEqual([499, 'client_closed_request']);
    expect([...batches.held.values()].map(({ batch }) => batch.state)).toEqual(['receiving']);
    expect(harness.lines.filter((entry) => entry.includes('"level":"error"'))).toEqual([]);
  });
});

describe('the token with which a batch asks its lines', () => {
  const token = { authorization: `Bearer ${BATCH_TOKEN_PREFIX}x` };

  it('asks for answers and nothing else: it makes, reads and ends no batches', async () => {
    const access = { deploymentKeySha256: undefined, waitForStoredConfig: false, batchTenantOf: async () => 'open' };
    harness = createHarness({ batches, access });
    const id = await sent();
    const answered = await harness.post({ model_name: 'mood', input_data: 'hi' }, token);
    expect(answered.status).toBe(200);
    for (const [path, method] of [
      ['/v1/batches', 'POST'],
      [`/v1/batches/${id}`, 'GET'],
      [`/v1/batches/${id}/results`, 'GET'],
      [`/v1/batches/${id}`, 'DELETE'],
    ] as const) {
      const body = method === 'POST' ? { body: line } : {};
      const response = await ask(path, { method, headers: { ...lines, ...token }, ...body });
      expect([path, method, response.status]).toEqual([path, method, 403]);
    }
    expect([...batches.held.values()].map(({ batch }) => batch.state)).toEqual(['queued']);
  });
});

describe('a batch', () => {
  it('is there for GET and for HEAD', async () => {
    const path = `/v1/batches/${await sent()}`;
    expect((await ask(path)).status).toBe(200);
    const head = await ask(path, { method: 'HEAD' });
    expect([head.status, await head.text()]).toEqual([200, '']);
  });

  it.each([
    ['', 'PUT', 'GET, HEAD, DELETE'],
    ['/results', 'DELETE', 'GET'],
  ])('at %s has no method %s', async (rest, method, allow) => {
    const response = await ask(`/v1/batches/${await sent()}${rest}`, { method });
    expect([response.status, response.headers.get('allow')]).toEqual([405, allow]);
  });

  it.each(['/v1/batches', '/v1/batches/'])('is never listed at %s', async (path) => {
    const response = await ask(path);
    expect([response.status, response.headers.get('allow')]).toEqual(path.endsWith('/') ? [404, null] : [405, 'POST']);
  });
});
