/**
 * One DynamoDB operation on the one table, as the small functions call it; the answer is for the caller to parse.
 */
import * as z from 'zod';
import type { AwsCaller } from './aws-call.ts';

export type DynamoDbOptions = {
  readonly aws: AwsCaller;
  readonly region: string;
  /** Only for a stand-in. */
  readonly endpoint?: string | undefined;
  readonly tableName: string;
};

export type DynamoDbCall = (operation: string, input: object) => Promise<unknown>;

/** Texts and numbers: an item with attributes of other types is somebody else's. */
export const dynamoDbItemSchema = z.record(
  z.string(),
  z.union([z.object({ S: z.string() }), z.object({ N: z.string() })]),
);

export function createDynamoDbCall({ aws, region, endpoint, tableName }: DynamoDbOptions): DynamoDbCall {
  const url = endpoint ?? `https://dynamodb.${region}.amazonaws.com/`;
  return (operation, input) =>
    aws.operation({
      service: 'dynamodb',
      region,
      url,
      target: `DynamoDB_20120810.${operation}`,
      version: '1.0',
      input: { TableName: tableName, ...input },
    });
}
