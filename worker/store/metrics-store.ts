/**
 * The MetricsStore port over DynamoDB. Owns keys, shards and expiry of flushed windows; leaves out what a window holds.
 */
import type { Item } from '../../shared/config/config-items.ts';
import {
  metricsPartition,
  metricsSortKey,
  TABLE_PARTITION_KEY,
  TABLE_SORT_KEY,
  TABLE_TTL_ATTRIBUTE,
} from '../../shared/names.ts';
import type { MetricsStore, PackedWindow } from '../ports.ts';
import type { DynamoClient } from './dynamodb-client.ts';

export type DynamoMetricsStoreOptions = {
  readonly client: DynamoClient;
  /** Partitions a minute is spread over. Readers and writers must agree. */
  readonly shards: number;
  /** After its minute, how long a window is kept. */
  readonly keepMs: number;
  /** What the isolate says of itself, put beside the window. */
  readonly describeIsolate?: () => Item;
};

/** A Worker request may hold six connections; two are left for others. */
const PARALLEL_QUERIES = 4;

export function createDynamoMetricsStore(options: DynamoMetricsStoreOptions): MetricsStore {
  const { client, shards, keepMs } = options;
  return {
    async put(window) {
      await client.putItem({
        [TABLE_PARTITION_KEY]: { S: metricsPartition(window.minute, shardOf(window.isolateId, shards)) },
        [TABLE_SORT_KEY]: { S: metricsSortKey(window.isolateId, window.sequence) },
        [TABLE_TTL_ATTRIBUTE]: { N: String(Math.ceil((window.minute * 60_000 + keepMs) / 1000)) },
        minute: { N: String(window.minute) },
        isolate_id: { S: window.isolateId },
        sequence: { N: String(window.sequence) },
        body: { S: window.body },
        ...options.describeIsolate?.(),
      });
    },
    async read(minutes, signal) {
      const partitions = minutes.flatMap((minute) =>
        Array.from({ length: shards }, (_unused, shard) => metricsPartition(minute, shard)),
      );
      const windows: PackedWindow[] = [];
      const next = partitions.values();
      const worker = async (): Promise<void> => {
        for (const value of next) {
          const items = await client.query({ name: TABLE_PARTITION_KEY, value }, signal);
          windows.push(...items.flatMap((item) => toWindow(item) ?? []));
        }
      };
      await Promise.all(Array.from({ length: PARALLEL_QUERIES }, worker));
      return windows;
    },
  };
}

/** An item that is not a window is left out: one bad item must not blind the whole view. */
function toWindow(item: Item): PackedWindow | undefined {
  const minute = numberOf(item['minute']);
  const sequence = numberOf(item['sequence']);
  const isolateId = textOf(item['isolate_id']);
  const body = textOf(item['body']);
  if (minute === undefined || sequence === undefined || isolateId === undefined || body === undefined) return undefined;
  return { minute, isolateId, sequence, body };
}

function textOf(value: Item[string] | undefined): string | undefined {
  return value !== undefined && 'S' in value ? value.S : undefined;
}

function numberOf(value: Item[string] | undefined): number | undefined {
  const number = value !== undefined && 'N' in value ? Number(value.N) : Number.NaN;
  return Number.isSafeInteger(number) ? number : undefined;
}

/** The same isolate always writes to the same shard of a minute, so that a repeated put meets its first. FNV-1a. */
function shardOf(isolateId: string, shards: number): number {
  let hash = 0x811c9dc5;
  for (const character of isolateId) hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193);
  return (hash >>> 0) % shards;
}
