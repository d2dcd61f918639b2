/**
 * The one table as the small functions use it, and the configuration in it. Owns the calls; what items mean is shared's.
 */
import { createHash } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import * as z from 'zod';
import {
  MAX_CONFIG_BYTES,
  parseConfigBody,
  parsePointer,
  parseVersion,
  pointerKey,
  versionKey,
  type ConditionalPut,
  type Item,
} from '../../shared/config/config-items.ts';
import { StoredConfigError } from '../../shared/config/stored-config-error.ts';
import type { Config } from '../../shared/schema/config.ts';
import { AwsError, type AwsCaller } from './aws-call.ts';
import { createDynamoDbCall, dynamoDbItemSchema } from './dynamodb-call.ts';

export type TableOptions = {
  readonly aws: AwsCaller;
  readonly region: string;
  /** Only for a stand-in. */
  readonly endpoint?: string | undefined;
  readonly name: string;
};

export type ControlTable = {
  get(key: Item): Promise<Item | undefined>;
  put(item: Item): Promise<void>;
  /** False where the condition did not hold. */
  putIf(put: ConditionalPut): Promise<boolean>;
};

const getSchema = z.object({ Item: dynamoDbItemSchema.optional() });

export function openControlTable({ aws, region, endpoint, name }: TableOptions): ControlTable {
  const call = createDynamoDbCall({ aws, region, endpoint, tableName: name });
  return {
    async get(key) {
      return getSchema.parse(await call('GetItem', { Key: key, ConsistentRead: true })).Item;
    },
    async put(item) {
      await call('PutItem', { Item: item });
    },
    async putIf({ item, condition }) {
      try {
        await call('PutItem', {
          Item: item,
          ConditionExpression: condition.expression,
          ExpressionAttributeNames: condition.names,
          ...(Object.keys(condition.values).length === 0 ? {} : { ExpressionAttributeValues: condition.values }),
        });
        return true;
      } catch (error) {
        if (error instanceof AwsError && error.code === 'ConditionalCheckFailedException') return false;
        throw error;
      }
    },
  };
}

/** The configuration in force. @throws StoredConfigError where there is none that can be used */
export async function readConfig(table: ControlTable, environment: string): Promise<Config> {
  const pointer = await table.get(pointerKey(environment));
  if (pointer === undefined) throw new StoredConfigError(`no configuration was ever published for ${environment}`);
  const version = parsePointer(pointer);
  const item = await table.get(versionKey(environment, version));
  if (item === undefined) throw new StoredConfigError(`the pointer names version ${version}, which does not exist`);
  const stored = parseVersion(item);
  const body =
    stored.encoding === 'gzip'
      ? gunzipSync(Buffer.from(stored.body, 'base64'), { maxOutputLength: MAX_CONFIG_BYTES }).toString('utf8')
      : stored.body;
  if (createHash('sha256').update(body).digest('hex') !== stored.sha256) {
    throw new StoredConfigError(`version ${version} was altered after it was published: its checksum differs`);
  }
  return parseConfigBody(body);
}
