/** Configuration and metrics in DynamoDB, end to end: publishing, broken versions, an absent table, keys, flushed windows. */
import { createHash } from 'node:crypto';
import { DynamoDBClient, PutItemCommand, ScanCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { LOCAL_ENVIRONMENT, LOCAL_REGION, LOCAL_TABLE, startStack, type Stack } from '../../local/stack.ts';
import { movePointer, pointerKey, putVersion } from '../../shared/config/config-items.ts';
import { decodeMetrics, emptyMetrics, mergeMetrics } from '../../shared/measure/metrics.ts';
import { summarizeMetrics } from '../../shared/measure/summary.ts';
import { metricsPartition, metricsSortKey, TABLE_PARTITION_KEY, TABLE_SORT_KEY } from '../../shared/names.ts';
import { ask as askUrl, metricsOf, publishAndWait, readiness, SOON, type Reply } from './gateway-client.ts';
import { sampleSentences } from './samples.ts';

let stack: Stack;
let client: DynamoDBClient;
let text: string;
const lines: string[] = [];
/** Every call of /v1/infer this file makes, refused ones too: what the metrics must add up to. */
let sent = 0;
let refused = 0;

beforeAll(async () => {
  stack = await startStack({ port: 0, onWorkerLine: (line) => lines.push(line) });
  client = new DynamoDBClient({
    endpoint: stack.dynamodb.url,
    region: LOCAL_REGION,
    credentials: stack.credentials,
    maxAttempts: 1,
  });
  const [sentence] = await sampleSentences(1);
  text = sentence?.input ?? '';
});
afterAll(async () => {
  client.destroy();
  await stack.close();
});
afterEach(() => stack.dynamodb.setFault(null));

async function ask(extra: Record<string, unknown> = {}, headers: Record<string, string> = {}): Promise<Reply> {
  const reply = await askUrl(stack.url, { model_name: 'intent', input_data: text, ...extra }, headers);
  sent += 1;
  if (reply.status >= 400) refused += 1;
  return reply;
}

async function configVersionOf(reply: Promise<Reply>): Promise<string> {
  return (await reply).body.decision.config_version;
}

describe('a published version', () => {
  it('is in force within 30 s without anybody asking for it, and requests say so', async () => {
    const before = await readiness(stack.url);
    expect(before.config).toMatchObject({ version: '1', source: 'dynamodb', last_error: null });
    expect(await configVersionOf(ask())).toBe('1');
    const publishedAtMs = Date.now();
    expect(await stack.publish({ ...stack.config, description: 'the second one' })).toBe(2);
    // Requests alone: asking for readiness would make the worker look at once.
    await expect.poll(() => configVersionOf(ask()), { timeout: 30_000, interval: 250 }).toBe('2');
    const { config } = await readiness(stack.url);
    expect(config).toMatchObject({ version: '2', description: 'the second one', last_error: null });
    const sinceMs = Date.parse(config.in_force_since);
    expect(sinceMs).toBeGreaterThanOrEqual(publishedAtMs);
    expect(sinceMs).toBeLessThanOrEqual(Date.now());
  });

  it('is never overwritten, and of two publishers one is told that the other was faster', async () => {
    const outcomes = await Promise.allSettled([stack.publish(stack.config), stack.publish(stack.config)]);
    const lost = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [String(outcome.reason)] : []));
    expect(lost.length).toBeLessThanOrEqual(1);
    for (const reason of lost) expect(reason).toContain('Another publisher was faster');
    const stored = putVersion(LOCAL_ENVIRONMENT, {
      version: 1,
      body: '{}',
      sha256: '',
      publishedAt: '',
      publishedBy: '',
    });
    const overwrite = new PutItemCommand({
      TableName: LOCAL_TABLE,
      Item: stored.item,
      ConditionExpression: stored.condition.expression,
      ExpressionAttributeNames: stored.condition.names,
    });
    await expect(client.send(overwrite)).rejects.toMatchObject({ name: 'ConditionalCheckFailedException' });
  });

  it('that is not whole is refused before anything is written', async () => {
    const { config } = await readiness(stack.url);
    const [route] = stack.config.routes;
    if (route === undefined) throw new Error('the configuration has no route');
    const dangling = { ...stack.config, routes: [{ ...route, model: 'nobody' }, ...stack.config.routes.slice(1)] };
    await expect(stack.publish(dangling)).rejects.toThrow(/names no model: nobody/);
    expect((await readiness(stack.url)).config.version).toBe(config.version);
  });
});

describe('a broken current version', () => {
  const BROKEN = 900;
  const sha256Of = (body: string) => createHash('sha256').update(body).digest('hex');

  it.each([
    ['a body that is not JSON', '<html>', sha256Of('<html>'), /not JSON/],
    ['a body that is no configuration', '{"schema":1}', sha256Of('{"schema":1}'), /not valid: description/],
    ['a body that was altered', '{"schema":1}', sha256Of('{}'), /altered/],
    ['no item at all', undefined, '', /names version \d+, which does not exist/],
  ])('with %s leaves the last good one in force, and readiness says why', async (_name, body, sha256, says) => {
    const good = (await readiness(stack.url)).config.version;
    const version = BROKEN + sent;
    if (body !== undefined) {
      const { item } = putVersion(LOCAL_ENVIRONMENT, {
        version,
        body,
        sha256,
        publishedAt: new Date().toISOString(),
        publishedBy: 'somebody else',
      });
      await client.send(new PutItemCommand({ TableName: LOCAL_TABLE, Item: item }));
    }
    await point(version);
    const { ready, config } = await readiness(stack.url);
    expect(ready).toBe(true);
    expect(config).toMatchObject({ version: good, source: 'dynamodb', last_error: expect.stringMatching(says) });
    expect(await configVersionOf(ask())).toBe(good);

    await point(Number(good));
    expect((await readiness(stack.url)).config).toMatchObject({ version: good, last_error: null });
  });

  it('with a pointer that holds no number leaves the last good one in force, and readiness says why', async () => {
    const good = (await readiness(stack.url)).config.version;
    await client.send(
      new PutItemCommand({
        TableName: LOCAL_TABLE,
        Item: { ...pointerKey(LOCAL_ENVIRONMENT), version: { S: 'garbage' } },
      }),
    );
    const { config } = await readiness(stack.url);
    expect(config).toMatchObject({ version: good, last_error: 'the pointer holds no version number' });
    expect(await configVersionOf(ask())).toBe(good);
    await point(Number(good));
    expect((await readiness(stack.url)).config.last_error).toBeNull();
  });

  async function point(version: number): Promise<void> {
    const { item } = movePointer(LOCAL_ENVIRONMENT, undefined, version);
    await client.send(new PutItemCommand({ TableName: LOCAL_TABLE, Item: item }));
  }
});

describe('API keys of a published configuration', () => {
  const KEY = 'team-a-key-51b2';
  const READER = 'reader-key-8d0e';
  const keyOf = (id: string, key: string, scopes: ('infer' | 'read')[], enabled = true) => ({
    id,
    sha256: createHash('sha256').update(key).digest('hex'),
    tenant: id,
    scopes,
    enabled,
  });
  const bearer = (key: string) => ({ authorization: `Bearer ${key}` });

  it('are asked for from then on, each within its scopes, and no longer once they are gone', async () => {
    expect((await readiness(stack.url)).authentication).toMatch(/^open/);
    await publishAndWait(stack, {
      ...stack.config,
      api_keys: [
        keyOf('team-a', KEY, ['infer']),
        keyOf('reader', READER, ['read']),
        keyOf('former', 'former-key', ['infer', 'read'], false),
      ],
    });
    expect((await readiness(stack.url)).authentication).toBe('api_key');
    const codeOf = async (headers: Record<string, string>) => {
      const { status, body } = await ask({}, headers);
      return [status, body.error?.code];
    };
    expect(await codeOf({})).toEqual([401, 'unauthorized']);
    expect(await codeOf(bearer('guessed'))).toEqual([401, 'unauthorized']);
    expect(await codeOf(bearer('former-key'))).toEqual([401, 'unauthorized']);
    expect(await codeOf(bearer(READER))).toEqual([403, 'forbidden']);
    expect(await codeOf(bearer(KEY))).toEqual([200, undefined]);
    expect(await codeOf({ 'x-api-key': KEY })).toEqual([200, undefined]);
    expect((await fetch(`${stack.url}/v1/metrics`, { headers: bearer(KEY) })).status).toBe(403);
    expect((await fetch(`${stack.url}/v1/models`, { headers: bearer(READER) })).status).toBe(200);
    await expect.poll(() => lines.some((line) => line.includes('"tenant":"team-a"')), SOON).toBe(true);
    expect(lines.join('\n')).not.toMatch(/team-a-key|reader-key|guessed|former-key/);

    await publishAndWait(stack, stack.config);
    expect(await codeOf({})).toEqual([200, undefined]);
  });

  it("never let one tenant's cached answer out to another", async () => {
    await publishAndWait(stack, {
      ...stack.config,
      api_keys: [keyOf('team-a', KEY, ['infer']), keyOf('team-b', READER, ['infer'])],
    });
    const question = {
      input_data: 'when does the corner bakery open on sundays',
      placement: 'cloud',
      model_complexity: 'high',
    };
    const caches = [];
    for (const key of [KEY, KEY, READER]) caches.push((await ask(question, bearer(key))).body.cache);
    await publishAndWait(stack, stack.config);
    expect(caches).toEqual(['miss', 'hit', 'miss']);
  });
});

describe('a table that is away for a while', () => {
  it('changes nothing for requests, and what is published meanwhile comes into force when it is back', async () => {
    const before = (await readiness(stack.url)).config;
    await stack.dynamodb.setFault({ kind: 'refuse' });
    const away = await readiness(stack.url);
    expect(away.ready).toBe(true);
    expect(away.config).toMatchObject({ version: before.version, in_force_since: before.in_force_since });
    expect(away.config.last_error).toMatch(/cannot be reached/);
    for (const complexity of ['low', 'medium', 'high']) {
      const { status, body } = await ask({ model_complexity: complexity, cache: 'bypass' });
      expect([status, body.decision.config_version]).toEqual([200, before.version]);
    }
    expect((await metricsOf(stack.url)).source).toBe('isolate');
    await stack.dynamodb.setFault(null);
    await publishAndWait(stack, { ...stack.config, description: 'after the outage' });
    expect((await metricsOf(stack.url)).source).toBe('table');
  });
});

describe('metrics', () => {
  it('are put to the table window by window under their own keys, once even where the answer to a put is lost', async () => {
    // The put arrives and is kept, but the worker never hears so: it has to put the same window again.
    await stack.dynamodb.setFault({ kind: 'cut_mid_body' });
    const isPutLost = () => lines.some((line) => line.includes('a metrics window could not be put'));
    await expect.poll(async () => (await ask()) && isPutLost(), { timeout: 30_000, interval: 200 }).toBe(true);
    await stack.dynamodb.setFault(null);

    const [kept] = await windows();
    if (kept === undefined) throw new Error('no window was put');
    const [, minute = '', shard = ''] = kept.pk.split('#');
    const [isolate = '', sequence = ''] = kept.sk.split('#');
    expect(kept.pk).toBe(metricsPartition(Number(minute), Number(shard)));
    expect(kept.sk).toBe(metricsSortKey(isolate, Number(sequence)));
    expect(Math.abs(Number(minute) - Date.now() / 60_000)).toBeLessThan(5);
    expect(Number(kept.expiresAtSeconds)).toBeGreaterThan(Date.now() / 1_000 + 24 * 3_600);
    expect(requestsIn([kept])).toBeGreaterThan(0);

    // Until the worker has put it again it counts the window among those it still holds.
    await expect
      .poll(async () => (await ask()) && (await metricsOf(stack.url)).request_count, { timeout: 30_000, interval: 250 })
      .toSatisfy((count) => count === sent);
    const again = await windows();
    expect(again.filter(({ sk }) => sk === kept.sk)).toEqual([kept]);
    expect(requestsIn(again)).toBeLessThanOrEqual(sent);
  });

  it('say over HTTP what was sent, to the request', async () => {
    const metrics = await metricsOf(stack.url);
    expect(metrics.source).toBe('table');
    expect(metrics.request_count).toBe(sent);
    expect(metrics.error_count).toBe(refused);
    expect(metrics.response_time_ms.count).toBe(sent);
    const named = metrics.by_route.find(({ route }) => route === 'intent');
    expect(named?.request_count).toBe(sent - refused);
    const prometheus = await (await fetch(`${stack.url}/v1/metrics?minutes=15&format=prometheus`)).text();
    expect(prometheus).toContain(`hybrid_inference_request_count{route="intent"} ${sent - refused}`);
  });
});

type StoredWindow = {
  readonly pk: string;
  readonly sk: string;
  readonly body: string;
  readonly expiresAtSeconds: string;
};

async function windows(): Promise<readonly StoredWindow[]> {
  const { Items: items = [] } = await client.send(new ScanCommand({ TableName: LOCAL_TABLE, ConsistentRead: true }));
  return items.flatMap((item) => {
    const pk = item[TABLE_PARTITION_KEY]?.S ?? '';
    const stored = {
      pk,
      sk: item[TABLE_SORT_KEY]?.S ?? '',
      body: item['body']?.S ?? '',
      expiresAtSeconds: item['expires_at']?.N ?? '',
    };
    return pk.startsWith('M1#') ? [stored] : [];
  });
}

function requestsIn(stored: readonly StoredWindow[]): number {
  const sum = emptyMetrics();
  for (const { body } of stored) {
    const decoded = decodeMetrics(body);
    if (decoded === undefined) throw new Error('a stored window does not decode');
    mergeMetrics(sum, decoded);
  }
  return summarizeMetrics(sum).request_count;
}
