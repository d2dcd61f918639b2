/** Every store, real over dynalite and fake, against its port's contract. */
import { movePointer, putVersion } from '../../shared/config/config-items.ts';
import { startDynamoDb } from '../../local/aws/dynamodb.ts';
import type { DynamoDb } from '../../local/aws/dynamodb.ts';
import { createCacheApi } from '../../worker/store/cache-api.ts';
import { createDynamoClient } from '../../worker/store/dynamodb-client.ts';
import type { DynamoClient } from '../../worker/store/dynamodb-client.ts';
import { createDynamoConfigStore } from '../../worker/store/dynamodb-config-store.ts';
import { createDynamoGuardStore } from '../../worker/store/guard-store.ts';
import { createDynamoMetricsStore } from '../../worker/store/metrics-store.ts';
import { createStaticCredentials } from '../../worker/aws/credentials.ts';
import { createHash } from 'node:crypto';
import { createMemoryConfigStore } from '../fakes/memory-config-store.ts';
import { calibrationSortKey, guardPartition, TABLE_PARTITION_KEY, TABLE_SORT_KEY } from '../../shared/names.ts';
import { createMemoryGuardStore } from '../fakes/memory-guard-store.ts';
import { createMemoryHttpCache } from '../fakes/memory-http-cache.ts';
import { putRollup } from '../../shared/measure/metrics-items.ts';
import { createMemoryMetricsStore } from '../fakes/memory-metrics-store.ts';
import { createMemorySharedCache } from '../fakes/memory-shared-cache.ts';
import { DYNAMODB_BACKEND } from '../fixtures/local/dynamodb-backend.ts';
import { findKey, KEY, REGION } from '../fixtures/local/keys.ts';
import { describeConfigStoreContract } from './config-store-contract.ts';
import { describeGuardStoreContract } from './guard-store-contract.ts';
import { describeMetricsStoreContract } from './metrics-store-contract.ts';
import { describeSharedCacheContract } from './shared-cache-contract.ts';

const TABLE = 'hybrid';

async function openTable(): Promise<{ database: DynamoDb; client: DynamoClient }> {
  const database = await startDynamoDb({
    region: REGION,
    tableName: TABLE,
    findKey,
    adminKey: KEY,
    ...DYNAMODB_BACKEND,
  });
  await database.waitUntilReady();
  const client = createDynamoClient({
    table: TABLE,
    region: REGION,
    endpoint: database.url,
    credentials: createStaticCredentials(KEY),
    clock: { now: () => Date.now() },
  });
  return { database, client };
}

describeSharedCacheContract('the fake', createMemorySharedCache);
describeSharedCacheContract('the Cache API', (clock) => {
  const cache = createMemoryHttpCache(clock);
  return createCacheApi({ open: () => cache });
});

describeMetricsStoreContract('the fake', async () => {
  const store = createMemoryMetricsStore();
  return {
    store,
    putRollup: async (rollup) => store.putRollup(rollup),
    breakDown: async () => store.misbehave('fail'),
  };
});
describeMetricsStoreContract('DynamoDB', async () => {
  const { database, client } = await openTable();
  return {
    store: createDynamoMetricsStore({ client, shards: 3 }),
    putRollup: (rollup) => client.putItem(putRollup(rollup)),
    breakDown: () => database.setFault({ kind: 'refuse' }),
    close: () => database.close(),
  };
});

describeGuardStoreContract('the fake', async () => {
  const store = createMemoryGuardStore();
  return {
    store,
    putRecord: async (route, record) => store.putRecord(route, record),
    breakDown: async () => store.misbehave('fail'),
  };
});
describeGuardStoreContract('DynamoDB', async () => {
  const { database, client } = await openTable();
  return {
    store: createDynamoGuardStore(client),
    putRecord: (route, record) =>
      client.putItem({
        [TABLE_PARTITION_KEY]: { S: guardPartition(route) },
        [TABLE_SORT_KEY]: { S: calibrationSortKey(record.shortcut) },
        body: { S: JSON.stringify(record) },
      }),
    breakDown: () => database.setFault({ kind: 'refuse' }),
    close: () => database.close(),
  };
});

describeConfigStoreContract('the fake', async () => {
  const store = createMemoryConfigStore();
  return { store, publish: async (config) => store.publish(config), breakDown: async () => store.misbehave('fail') };
});
describeConfigStoreContract('DynamoDB', async () => {
  const { database, client } = await openTable();
  let current: number | undefined;
  async function move(version: number): Promise<void> {
    const { item, condition } = movePointer('test', current, version);
    if ((await client.putItemIf(item, condition)) !== 'stored') throw new Error('the pointer did not move');
    current = version;
  }
  return {
    store: createDynamoConfigStore(client, 'test'),
    async publish(config) {
      const body = JSON.stringify(config);
      const version = (current ?? 0) + 1;
      const sha256 = createHash('sha256').update(body).digest('hex');
      const { item, condition } = putVersion('test', {
        version,
        body,
        sha256,
        publishedAt: '2026-11-24T00:00:00Z',
        publishedBy: 'test',
      });
      if ((await client.putItemIf(item, condition)) !== 'stored') throw new Error('the version exists');
      await move(version);
    },
    rollBack: move,
    breakDown: () => database.setFault({ kind: 'stall_after_headers' }),
    close: () => database.close(),
  };
});
