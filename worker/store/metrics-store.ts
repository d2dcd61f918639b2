/**
 * The MetricsStore port over DynamoDB: windows and rollups. Owns how many queries run at once; keys and items are
 * shared/measure/metrics-items.ts, what a body holds is shared/measure/metrics.ts.
 */
import type { Item } from '../../shared/config/config-items.ts';
import {
  parseRollup,
  parseWindow,
  putWindow,
  rollupQueries,
  windowPartitions,
} from '../../shared/measure/metrics-items.ts';
import { TABLE_PARTITION_KEY, TABLE_SORT_KEY } from '../../shared/names.ts';
import type { MetricsStore } from '../ports.ts';
import type { DynamoClient } from './dynamodb-client.ts';

export type DynamoMetricsStoreOptions = {
  readonly client: DynamoClient;
  /** Partitions a minute is spread over. Readers and writers must agree. */
  readonly shards: number;
  /** What the isolate says of itself, put beside the window. */
  readonly describeIsolate?: () => Item;
};

/** A Worker request may hold six connections; two are left for others. */
const PARALLEL_QUERIES = 4;

export function createDynamoMetricsStore(options: DynamoMetricsStoreOptions): MetricsStore {
  const { client, shards, describeIsolate } = options;
  return {
    put: (window) => client.putItem({ ...putWindow(window, shards), ...describeIsolate?.() }),
    async read(minutes, signal) {
      const partitions = minutes.flatMap((minute) => windowPartitions(minute, shards));
      const found = await inParallel(partitions, (value) => client.query({ name: TABLE_PARTITION_KEY, value }, signal));
      return found.flatMap((items) => items.flatMap((item) => parseWindow(item) ?? []));
    },
    async readRollups(wanted, signal) {
      const queries = wanted.flatMap(({ step, route, fromMinute, toMinute }) =>
        rollupQueries(step, route, fromMinute, toMinute).map((query) => ({ ...query, step, route })),
      );
      const found = await inParallel(queries, async ({ partition, from, to, step, route }) => {
        const range = { name: TABLE_SORT_KEY, from, to };
        const items = await client.query({ name: TABLE_PARTITION_KEY, value: partition, range }, signal);
        return items.flatMap((item) => parseRollup(step, route, item) ?? []);
      });
      return found.flat();
    },
  };
}

async function inParallel<T, R>(tasks: readonly T[], run: (task: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const next = tasks.values();
  const worker = async (): Promise<void> => {
    for (const task of next) results.push(await run(task));
  };
  await Promise.all(Array.from({ length: PARALLEL_QUERIES }, worker));
  return results;
}
