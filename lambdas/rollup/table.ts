/**
 * The rollup's port over DynamoDB. Owns queries and pages; keys and items are shared/measure/metrics-items.ts.
 */
import * as z from 'zod';
import type { Item } from '../../shared/config/config-items.ts';
import {
  parseRollup,
  parseWindow,
  putRollup,
  rollupQueries,
  windowPartitions,
  type Rollup,
} from '../../shared/measure/metrics-items.ts';
import {
  auditPartition,
  auditSnapshotSortKey,
  ROLLUP_PROGRESS_PARTITION,
  TABLE_PARTITION_KEY,
  TABLE_SORT_KEY,
} from '../../shared/names.ts';
import { createDynamoDbCall, dynamoDbItemSchema, type DynamoDbOptions } from '../lib/dynamodb-call.ts';
import type { RollupTable } from './roll-up.ts';

export type RollupDynamoTable = RollupTable & {
  /** What audits said of a route's shortcuts, as stored. */
  auditStates(route: string): Promise<readonly string[]>;
};

export type RollupTableOptions = DynamoDbOptions & {
  /** As METRICS_SHARDS of the workers. */
  readonly shards: number;
};

/** Items are read one by one: one that is not ours is left out. */
const pageSchema = z.object({ Items: z.array(z.unknown()), LastEvaluatedKey: dynamoDbItemSchema.optional() });

export function openRollupTable({ aws, region, endpoint, tableName, shards }: RollupTableOptions): RollupDynamoTable {
  const call = createDynamoDbCall({ aws, region, endpoint, tableName });

  async function* query(
    partition: string,
    range?: { readonly from: string; readonly to: string },
  ): AsyncGenerator<Item> {
    const condition =
      range === undefined
        ? {
            KeyConditionExpression: '#pk = :pk',
            ExpressionAttributeNames: { '#pk': TABLE_PARTITION_KEY },
            ExpressionAttributeValues: { ':pk': { S: partition } },
          }
        : {
            KeyConditionExpression: '#pk = :pk AND #sk BETWEEN :from AND :to',
            ExpressionAttributeNames: { '#pk': TABLE_PARTITION_KEY, '#sk': TABLE_SORT_KEY },
            ExpressionAttributeValues: { ':pk': { S: partition }, ':from': { S: range.from }, ':to': { S: range.to } },
          };
    let from: Item | undefined;
    do {
      const page = pageSchema.parse(
        await call('Query', { ...condition, ...(from === undefined ? {} : { ExclusiveStartKey: from }) }),
      );
      for (const item of page.Items) {
        const parsed = dynamoDbItemSchema.safeParse(item);
        if (parsed.success) yield parsed.data;
      }
      from = page.LastEvaluatedKey;
    } while (from !== undefined);
  }

  return {
    async *windowBodies(minute) {
      for (const partition of windowPartitions(minute, shards)) {
        for await (const item of query(partition)) {
          // A body that is none is counted as unreadable, not passed over.
          yield parseWindow(item)?.body ?? '';
        }
      }
    },
    async rollups(step, route, fromMinute, toMinute) {
      const found: Rollup[] = [];
      for (const { partition, from, to } of rollupQueries(step, route, fromMinute, toMinute)) {
        for await (const item of query(partition, { from, to })) {
          const rollup = parseRollup(step, route, item);
          if (rollup !== undefined) found.push(rollup);
        }
      }
      return found;
    },
    async put(rollup) {
      await call('PutItem', { Item: putRollup(rollup) });
    },
    async finishedThrough() {
      for await (const item of query(ROLLUP_PROGRESS_PARTITION)) {
        const through = item['through'];
        if (through !== undefined && 'N' in through) return Number(through.N);
      }
      return undefined;
    },
    async finish(throughMinute) {
      const key = { [TABLE_PARTITION_KEY]: { S: ROLLUP_PROGRESS_PARTITION }, [TABLE_SORT_KEY]: { S: 'FINISHED' } };
      await call('PutItem', { Item: { ...key, through: { N: String(throughMinute) } } });
    },
    async auditStates(route) {
      const states: string[] = [];
      const from = auditSnapshotSortKey('');
      for await (const item of query(auditPartition(route), { from, to: `${from}\u007F` })) {
        const body = item['body'];
        if (body !== undefined && 'S' in body) states.push(body.S);
      }
      return states;
    },
  };
}
