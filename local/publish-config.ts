/**
 * Publishes a configuration: a new immutable version, then the pointer, moved only from where this publisher saw it.
 * Nothing is in force until the pointer moves; two publishers at once cannot both win.
 */
import { createHash } from 'node:crypto';
import {
  ConditionalCheckFailedException,
  GetItemCommand,
  PutItemCommand,
  type DynamoDBClient,
} from '@aws-sdk/client-dynamodb';
import { movePointer, pointerKey, putVersion, type ConditionalPut } from '../shared/config/config-items.ts';
import { parseConfig } from '../shared/config/parse-config.ts';

const MAX_ABANDONED_VERSIONS = 20;

export type Published = { readonly version: number };

/** @throws where the configuration is not whole, or where another publisher was faster */
export async function publishConfig(
  client: DynamoDBClient,
  table: string,
  environment: string,
  value: unknown,
  publishedBy: string,
): Promise<Published> {
  const parsed = parseConfig(value);
  if (!parsed.ok) {
    throw new Error(
      `the configuration is not valid: ${parsed.problems.map(({ path, message }) => `${path} ${message}`).join('; ')}`,
    );
  }
  const body = JSON.stringify(parsed.config);
  const current = await currentVersion(client, table, environment);
  const stored = {
    body,
    sha256: createHash('sha256').update(body).digest('hex'),
    publishedAt: new Date().toISOString(),
    publishedBy,
  };
  // A publisher that died between its two puts leaves a version nobody points to: its number is passed over.
  const first = (current ?? 0) + 1;
  for (let version = first; version < first + MAX_ABANDONED_VERSIONS; version += 1) {
    if (!(await put(client, table, putVersion(environment, { ...stored, version })))) continue;
    if (await put(client, table, movePointer(environment, current, version))) return { version };
    throw new Error('another publisher was faster; read the current version and publish again');
  }
  throw new Error(
    `versions ${first} to ${first + MAX_ABANDONED_VERSIONS - 1} exist, but none is current; look at the table`,
  );
}

async function currentVersion(client: DynamoDBClient, table: string, environment: string): Promise<number | undefined> {
  const { Item: item } = await client.send(
    new GetItemCommand({ TableName: table, Key: pointerKey(environment), ConsistentRead: true }),
  );
  return item?.['version']?.N === undefined ? undefined : Number(item['version'].N);
}

/** False where the condition did not hold. */
async function put(client: DynamoDBClient, table: string, { item, condition }: ConditionalPut): Promise<boolean> {
  try {
    await client.send(
      new PutItemCommand({
        TableName: table,
        Item: item,
        ConditionExpression: condition.expression,
        ExpressionAttributeNames: condition.names,
        ...(Object.keys(condition.values).length === 0 ? {} : { ExpressionAttributeValues: condition.values }),
      }),
    );
    return true;
  } catch (error) {
    if (error instanceof ConditionalCheckFailedException) return false;
    throw error;
  }
}
