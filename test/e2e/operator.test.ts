/** An operator at work on a running stack: publish and see it everywhere, drain a place, make a key, watch, roll back. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LOCAL_ENVIRONMENT, LOCAL_REGION, LOCAL_TABLE, startStack, type Stack } from '../../local/stack.ts';
import { runOnce, type Ran } from '../cli/operator/hybrid-run.ts';
import { ask, readiness, type Reply } from './gateway-client.ts';

const CANARY = 'canary-text-5d20 what is my balance';

let stack: Stack;
let traffic: AsyncDisposable;
let apiKey: string | undefined;
const lines: string[] = [];

beforeAll(async () => {
  const onLine = (line: string): void => void lines.push(line);
  stack = await startStack({ port: 0, onWorkerLine: onLine, onServerLine: onLine });
  process.env['AWS_ACCESS_KEY_ID'] = stack.credentials.accessKeyId;
  process.env['AWS_SECRET_ACCESS_KEY'] = stack.credentials.secretAccessKey;
  traffic = steadyTraffic();
});
afterAll(async () => {
  await traffic[Symbol.asyncDispose]();
  delete process.env['AWS_ACCESS_KEY_ID'];
  delete process.env['AWS_SECRET_ACCESS_KEY'];
  await stack.close();
});

function hybrid(...args: string[]): Promise<Ran> {
  return runOnce([...args, '--json'], {
    TABLE_NAME: LOCAL_TABLE,
    DATABASE_URL: stack.dynamodb.url,
    AWS_REGION: LOCAL_REGION,
    ENVIRONMENT: LOCAL_ENVIRONMENT,
    GATEWAY_URL: stack.url,
    ...(apiKey === undefined ? {} : { API_KEY: apiKey }),
  });
}

function infer(extra: Record<string, unknown> = {}): Promise<Reply> {
  const headers: Record<string, string> = apiKey === undefined ? {} : { 'x-api-key': apiKey };
  return ask(stack.url, { model_name: 'intent', input_data: CANARY, cache: 'bypass', ...extra }, headers);
}

/** Isolates look for a version, and report which they hold, while somebody asks them something. */
function steadyTraffic(): AsyncDisposable {
  const stop = new AbortController();
  const work = (async () => {
    while (!stop.signal.aborted) {
      await infer();
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  })();
  return {
    async [Symbol.asyncDispose]() {
      stop.abort();
      await work;
    },
  };
}

describe('an operator', () => {
  it('publishes, and is told within 30 s that every isolate holds it', async () => {
    const ran = await hybrid('targets', 'drain', 'lambda', '--wait');
    expect(ran.status, ran.out).toBe(0);
    expect(ran.json).toMatchObject({ version: 2, wait: { everywhere: true, holding: 1, behind: [], silent: 0 } });
    expect(ran.json.wait.slowest_ms).toBeLessThan(30_000);
    const { body } = await infer({ model_complexity: 'high', explain: true, min_accuracy: 0.99 });
    expect(body.decision.fallback_chain.map(({ target }) => target)).not.toContain('lambda');
    expect((await readiness(stack.url)).config.version).toBe('2');
  });

  it('sees in the status what is in force, and where', async () => {
    const ran = await hybrid('status');
    expect(ran).toMatchObject({ status: 0, json: { healthy: true, current: { version: 2, problem: null } } });
    // Whatever data centre workerd makes up.
    expect(ran.json.isolates).toMatchObject([{ version: '2', isolates: 1 }]);
    expect(Object.values(ran.json.isolates[0].places)).toEqual([1]);
  });

  it('sees how the places are, probed without an inference', async () => {
    const { json } = await hybrid('targets', 'list');
    const health = json.targets.map((target: { id: string; status: { health: string } | null }) => [
      target.id,
      target.status?.health,
    ]);
    expect(Object.fromEntries(health)).toMatchObject({ lambda: 'up', sagemaker: 'up' });
  });

  it('rolls back in one command', async () => {
    const ran = await hybrid('config', 'rollback', '--wait');
    expect(ran).toMatchObject({ status: 0, json: { version: 3, wait: { everywhere: true } } });
    expect((await hybrid('config', 'diff', '1', '3')).json.changes).toEqual([]);
  });

  it('reads the figures of the gateway', async () => {
    const { status, json } = await hybrid('metrics', '--minutes', '15');
    expect(status).toBe(0);
    expect(json.request_count).toBeGreaterThan(10);
    expect(json.by_route.map(({ route }: { route: string }) => route)).toContain('intent');
  });

  it('makes a key, which is asked for from then on, and revokes it', async () => {
    const { json } = await hybrid(
      'keys',
      'create',
      '--tenant',
      'team-a',
      '--scope',
      'infer',
      '--scope',
      'read',
      '--wait',
    );
    expect(json.wait.everywhere).toBe(true);
    expect((await infer()).status).toBe(401);
    expect(await hybrid('metrics')).toMatchObject({ status: 1, json: { error: { code: 'denied' } } });
    apiKey = String(json.key);
    expect((await infer()).status).toBe(200);
    await hybrid('keys', 'revoke', 'team-a-1', '--wait');
    expect((await infer()).status).toBe(401);
    await hybrid('config', 'rollback', '1', '--wait');
    expect((await infer()).status).toBe(200);
  });

  it('leaves no key, secret or input in any log', () => {
    const log = lines.join('\n');
    expect(log).toContain('"message":"request"');
    expect(apiKey).toBeDefined();
    for (const secret of ['canary-text', apiKey ?? '', stack.credentials.secretAccessKey]) {
      expect(log).not.toContain(secret);
    }
  });
});
