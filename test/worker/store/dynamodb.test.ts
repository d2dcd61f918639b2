/** The DynamoDB client and the stores over it, against dynalite behind signatures, on good days and bad. */
import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  movePointer,
  parseConfigBody,
  parsePointer,
  parseVersion,
  pointerKey,
  putVersion,
  versionKey,
} from '../../../shared/config/config-items.ts';
import type { StoredVersion } from '../../../shared/config/config-items.ts';
import { GatewayError } from '../../../shared/errors.ts';
import { startDynamoDb } from '../../../local/aws/dynamodb.ts';
import type { DynamoDb } from '../../../local/aws/dynamodb.ts';
import type { Fault } from '../../../local/lib/fault.ts';
import { createDynamoClient } from '../../../worker/store/dynamodb-client.ts';
import type { DynamoClient, DynamoClientOptions } from '../../../worker/store/dynamodb-client.ts';
import { createDynamoConfigStore } from '../../../worker/store/dynamodb-config-store.ts';
import { createDynamoMetricsStore } from '../../../worker/store/metrics-store.ts';
import { createStaticCredentials } from '../../../worker/aws/credentials.ts';
import { DYNAMODB_BACKEND } from '../../fixtures/local/dynamodb-backend.ts';
import { findKey, KEY, REGION } from '../../fixtures/local/keys.ts';
import { testConfig } from '../test-config.ts';

const TABLE = 'hybrid';
const never = new AbortController().signal;
let database: DynamoDb;
let client: DynamoClient;

function open(change: Partial<DynamoClientOptions> = {}): DynamoClient {
  return createDynamoClient({
    table: TABLE,
    region: REGION,
    endpoint: database.url,
    credentials: createStaticCredentials(KEY),
    clock: { now: () => Date.now() },
    ...change,
  });
}

beforeEach(async () => {
  database = await startDynamoDb({ region: REGION, tableName: TABLE, findKey, adminKey: KEY, ...DYNAMODB_BACKEND });
  await database.waitUntilReady();
  client = open();
});
afterEach(() => database.close());

async function failureOf(work: Promise<unknown>): Promise<GatewayError> {
  const error = await work.then(
    () => undefined,
    (caught: unknown) => caught,
  );
  if (!(error instanceof GatewayError)) throw new Error(`expected a GatewayError, got ${String(error)}`);
  return error;
}

describe('the client', () => {
  it('puts and gets an item, and nothing where there is none', async () => {
    const item = { pk: { S: 'a' }, sk: { S: 'b' }, n: { N: '7' }, text: { S: 'caf\u00e9 \u{1F600}' } };
    await client.putItem(item);
    expect(await client.getItem({ pk: { S: 'a' }, sk: { S: 'b' } })).toEqual(item);
    expect(await client.getItem({ pk: { S: 'a' }, sk: { S: 'c' } })).toBeUndefined();
  });

  it('puts on a condition once', async () => {
    const item = { pk: { S: 'a' }, sk: { S: 'b' } };
    const condition = { expression: 'attribute_not_exists(#pk)', names: { '#pk': 'pk' }, values: {} };
    expect(await client.putItemIf(item, condition)).toBe('stored');
    expect(await client.putItemIf(item, condition)).toBe('condition_failed');
  });

  it('queries a partition page by page to its end', async () => {
    // A page of DynamoDB ends at 1 MB: three of these do not fit one.
    const text = 'x'.repeat(390_000);
    for (let index = 0; index < 7; index += 1)
      await client.putItem({ pk: { S: 'p' }, sk: { S: String(index) }, text: { S: text } });
    await client.putItem({ pk: { S: 'other' }, sk: { S: '0' } });
    const received = database.counts().received;
    const items = await client.query({ name: 'pk', value: 'p' });
    expect(items.map((item) => item['sk'])).toEqual(
      Array.from({ length: 7 }, (_unused, index) => ({ S: String(index) })),
    );
    expect(database.counts().received - received).toBeGreaterThan(2);
  });

  it.each<[Fault, boolean]>([
    [{ kind: 'slow', ms: 5_000 }, true],
    [{ kind: 'refuse' }, true],
    [{ kind: 'cut_before_headers' }, true],
    [{ kind: 'stall_after_headers' }, true],
    [{ kind: 'cut_mid_body' }, true],
    [{ kind: 'garbage' }, true],
    [{ kind: 'status', status: 429 }, true],
    [{ kind: 'status', status: 400 }, true],
    [{ kind: 'status', status: 500 }, true],
    [{ kind: 'status', status: 503 }, true],
  ])('ends in time with one clear error under %o', async (fault, retryable) => {
    await database.setFault(fault);
    const hasty = open({ timeoutMs: 150 });
    const startMs = performance.now();
    const error = await failureOf(hasty.getItem(pointerKey('test')));
    expect(performance.now() - startMs).toBeLessThan(1_650);
    expect(error.code === 'target_unavailable').toBe(retryable);
    expect(error.message).toMatch(/^DynamoDB /);
  });

  it.each([
    ['unknown', { accessKeyId: 'AKIDNOBODY', secretAccessKey: 'x' }, /UnrecognizedClientException/],
    ['wrong', { ...KEY, secretAccessKey: 'wrong' }, /InvalidSignatureException/],
    [
      'expired',
      { accessKeyId: 'ASIAEXPIRED', secretAccessKey: 'temporary-secret', sessionToken: 'token/with+odd=characters' },
      /ExpiredToken/,
    ],
  ])('names credentials that are %s, and does not call them passing', async (_name, credentials, said) => {
    const error = await failureOf(
      open({ credentials: createStaticCredentials(credentials) }).getItem(pointerKey('test')),
    );
    expect(error.code).toBe('not_configured');
    expect(error.message).toMatch(said);
  });

  it('names a table that does not exist', async () => {
    const error = await failureOf(open({ table: 'nowhere' }).putItem({ pk: { S: 'a' }, sk: { S: 'b' } }));
    expect(error).toMatchObject({
      code: 'not_configured',
      message: 'DynamoDB refused PutItem: ResourceNotFoundException.',
    });
  });

  it('ends when its caller leaves, and where credentials never come', async () => {
    await database.setFault({ kind: 'slow', ms: 5_000 });
    const caller = new AbortController();
    const pending = failureOf(client.getItem(pointerKey('test'), caller.signal));
    setTimeout(() => caller.abort(), 20);
    expect((await pending).code).toBe('target_unavailable');
    const hanging = open({ credentials: { get: () => new Promise(() => undefined) }, timeoutMs: 30 });
    expect((await failureOf(hanging.getItem(pointerKey('test')))).code).toBe('target_unavailable');
  });

  it('does not take items of other types for its own', async () => {
    const answering = open({ fetch: async () => new Response('{"Item":{"pk":{"M":{}}}}') });
    expect((await failureOf(answering.getItem(pointerKey('test')))).message).toMatch(/does not understand/);
  });
});

describe('the configuration in DynamoDB', () => {
  const body = JSON.stringify(testConfig());
  const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
  const stored = (change: Partial<StoredVersion> = {}): StoredVersion => ({
    version: 1,
    body,
    sha256: sha256(change.body ?? body),
    publishedAt: '2026-11-24T00:00:00Z',
    publishedBy: 'test',
    ...change,
  });

  async function write(change: Partial<StoredVersion>, pointer = 1): Promise<void> {
    await client.putItem(putVersion('test', stored(change)).item);
    await client.putItem(movePointer('test', undefined, pointer).item);
  }

  it.each<[string, Partial<StoredVersion>, number, RegExp]>([
    ['is not JSON', { body: '{' }, 1, /not JSON/],
    ['has a key nobody knows', { body: JSON.stringify({ ...testConfig(), surprise: 1 }) }, 1, /not valid: .*surprise/],
    ['was altered after it was published', { sha256: '0'.repeat(64) }, 1, /altered/],
    ['does not exist', {}, 2, /version 2, which does not exist/],
  ])('is refused with its reason where it %s', async (_name, change, pointer, reason) => {
    await write(change, pointer);
    await expect(createDynamoConfigStore(client, 'test').load(undefined, never)).rejects.toThrow(reason);
  });

  it('is refused where an item says it is another version', async () => {
    await write({});
    const { item } = putVersion('test', stored({ version: 2 }));
    await client.putItem({ ...item, ...versionKey('test', 1) });
    await expect(createDynamoConfigStore(client, 'test').load(undefined, never)).rejects.toThrow(
      /says it is version 2/,
    );
  });

  it('is not read where the version is already known: one read a look', async () => {
    await write({});
    const received = database.counts().received;
    await createDynamoConfigStore(client, 'test').load('1', never);
    expect(database.counts().received - received).toBe(1);
  });

  it('lets one of two publishers win, and never changes a version', async () => {
    const first = putVersion('test', stored());
    expect(await client.putItemIf(first.item, first.condition)).toBe('stored');
    expect(await client.putItemIf(first.item, first.condition)).toBe('condition_failed');
    const moves = [movePointer('test', undefined, 1), movePointer('test', undefined, 1)];
    const outcomes = await Promise.all(moves.map(({ item, condition }) => client.putItemIf(item, condition)));
    expect(outcomes.sort()).toEqual(['condition_failed', 'stored']);
    const late = movePointer('test', 7, 8);
    expect(await client.putItemIf(late.item, late.condition)).toBe('condition_failed');
    const right = movePointer('test', 1, 2);
    expect(await client.putItemIf(right.item, right.condition)).toBe('stored');
  });

  it('maps to items and back', () => {
    const version = stored({ version: 12 });
    expect(parseVersion(putVersion('test', version).item)).toEqual(version);
    expect(parsePointer(movePointer('test', 11, 12).item)).toBe(12);
    expect(parseConfigBody(body)).toEqual(testConfig());
  });

  it('refuses items that are none, and a configuration that does not fit one', () => {
    expect(() => parsePointer({})).toThrow(/version number/);
    expect(() => parsePointer({ version: { N: '1.5' } })).toThrow(/version number/);
    expect(() => parsePointer({ version: { S: '1' } })).toThrow(/version number/);
    expect(() => parseVersion({ version: { N: '1' }, body: { N: '1' } })).toThrow(/no text in body/);
    expect(() => putVersion('test', stored({ body: 'x'.repeat(380_001) }))).toThrow(/380000/);
  });
});

describe('metrics windows in DynamoDB', () => {
  it('expire, are spread over shards, and one that is not a window blinds nobody', async () => {
    const store = createDynamoMetricsStore({ client, shards: 4 });
    const windows = Array.from({ length: 40 }, (_unused, index) => ({
      minute: 28_000_000,
      isolateId: `isolate-${index}`,
      sequence: 0,
      body: '{}',
    }));
    await Promise.all(windows.map((window) => store.put(window)));
    const shards = await Promise.all(
      [0, 1, 2, 3].map((shard) => client.query({ name: 'pk', value: `M1#28000000#${shard}` })),
    );
    expect(Math.min(...shards.map((items) => items.length))).toBeGreaterThan(2);
    expect(shards[0]?.[0]?.['expires_at']).toEqual({ N: String((28_000_000 + 2_880) * 60) });
    await client.putItem({ pk: { S: 'M1#28000000#0' }, sk: { S: 'stray' }, minute: { S: 'x' } });
    expect((await store.read([28_000_000], never)).length).toBe(40);
  });
});
