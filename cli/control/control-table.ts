/**
 * The one table as an operator's process reaches it, through AWS's SDK. Owns the calls and what their failures are called;
 * leaves out what items mean.
 */
import {
  ConditionalCheckFailedException,
  DeleteItemCommand,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  type AttributeValue,
  type DynamoDBClient,
} from '@aws-sdk/client-dynamodb';
import type { ConditionalPut, Item } from '../../shared/config/config-items.ts';
import { TABLE_PARTITION_KEY, TABLE_SORT_KEY } from '../../shared/names.ts';
import { CommandFailure } from '../command-failure.ts';

export type ControlTable = {
  readonly name: string;
  get(key: Item): Promise<Item | undefined>;
  put(item: Item): Promise<void>;
  /** False where the condition did not hold. */
  putIf(put: ConditionalPut): Promise<boolean>;
  remove(key: Item): Promise<void>;
  /** A partition, or those of its items whose sort key starts so; the named attributes only, where some are named. */
  query(partition: string, startingWith?: string, attributes?: readonly string[]): Promise<Item[]>;
};

export function openControlTable(client: DynamoDBClient, name: string): ControlTable {
  async function told<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      throw explain(error, name);
    }
  }

  return {
    name,
    async get(key) {
      const { Item: item } = await told(
        client.send(new GetItemCommand({ TableName: name, Key: key, ConsistentRead: true })),
      );
      return item === undefined ? undefined : plainItem(item);
    },
    async put(item) {
      await told(client.send(new PutItemCommand({ TableName: name, Item: item })));
    },
    async putIf({ item, condition }) {
      try {
        await client.send(
          new PutItemCommand({
            TableName: name,
            Item: item,
            ConditionExpression: condition.expression,
            ExpressionAttributeNames: condition.names,
            ...(Object.keys(condition.values).length === 0 ? {} : { ExpressionAttributeValues: condition.values }),
          }),
        );
        return true;
      } catch (error) {
        if (error instanceof ConditionalCheckFailedException) return false;
        throw explain(error, name);
      }
    },
    async remove(key) {
      await told(client.send(new DeleteItemCommand({ TableName: name, Key: key })));
    },
    async query(partition, startingWith, attributes) {
      const items: Item[] = [];
      let from: Record<string, AttributeValue> | undefined;
      do {
        const page = await told(
          client.send(new QueryCommand(queryOf(name, partition, startingWith, attributes, from))),
        );
        items.push(...(page.Items ?? []).map(plainItem));
        from = page.LastEvaluatedKey;
      } while (from !== undefined);
      return items;
    },
  };
}

function queryOf(
  table: string,
  partition: string,
  startingWith: string | undefined,
  attributes: readonly string[] | undefined,
  from: Record<string, AttributeValue> | undefined,
): ConstructorParameters<typeof QueryCommand>[0] {
  // Every name goes through an alias: some, such as `body`, may be words DynamoDB keeps for itself.
  const aliases = Object.fromEntries((attributes ?? []).map((attribute, at) => [`#a${at}`, attribute]));
  const begins = startingWith === undefined ? '' : ' AND begins_with(#sk, :sk)';
  return {
    TableName: table,
    ConsistentRead: true,
    KeyConditionExpression: `#pk = :pk${begins}`,
    ExpressionAttributeNames: {
      '#pk': TABLE_PARTITION_KEY,
      ...(startingWith === undefined ? {} : { '#sk': TABLE_SORT_KEY }),
      ...aliases,
    },
    ExpressionAttributeValues: {
      ':pk': { S: partition },
      ...(startingWith === undefined ? {} : { ':sk': { S: startingWith } }),
    },
    ...(attributes === undefined ? {} : { ProjectionExpression: Object.keys(aliases).join(', ') }),
    ...(from === undefined ? {} : { ExclusiveStartKey: from }),
  };
}

/** Only texts and numbers are ever written; what is neither is left out and so reads as absent. */
function plainItem(item: Record<string, AttributeValue>): Item {
  const plain: Item = {};
  for (const [name, value] of Object.entries(item)) {
    if (value.S !== undefined) plain[name] = { S: value.S };
    else if (value.N !== undefined) plain[name] = { N: value.N };
  }
  return plain;
}

const DENIED = new Set([
  'AccessDeniedException',
  'UnrecognizedClientException',
  'InvalidSignatureException',
  'ExpiredTokenException',
  'MissingAuthenticationTokenException',
  'CredentialsProviderError',
]);

function explain(error: unknown, table: string): Error {
  if (!(error instanceof Error)) return new CommandFailure('failed', String(error));
  if (error.name === 'ResourceNotFoundException') {
    return new CommandFailure('not_found', `There is no table ${table} in this account and region.`);
  }
  if (DENIED.has(error.name)) {
    return new CommandFailure('denied', `DynamoDB does not let you: ${error.name}: ${error.message}`);
  }
  return new CommandFailure('unreachable', `DynamoDB cannot be asked: ${error.name}: ${error.message}`);
}
