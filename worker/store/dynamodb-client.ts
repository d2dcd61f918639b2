/**
 * The four DynamoDB calls the worker makes, signed, JSON 1.0. Owns the wire, the time limit of one call and the mapping
 * of errors; leaves out retrying (its callers do, where it makes sense) and what items mean.
 */
import * as z from 'zod/mini';
import type { Condition, Item } from '../../shared/config/config-items.ts';
import { GatewayError } from '../../shared/errors.ts';
import type { Clock } from '../ports.ts';
import { createAwsSigner } from '../aws/aws-signer.ts';
import { readBounded } from '../aws/bounded-text.ts';
import type { CredentialsSource } from '../aws/credentials.ts';
import { encodeUtf8 } from '../aws/encode-utf8.ts';
import type { Fetch } from '../aws/fetch.ts';
import { awsErrorName, parseJson, textField } from '../aws/server-error.ts';

export type DynamoClientOptions = {
  readonly table: string;
  readonly region: string;
  /** Only for a stand-in; otherwise derived from the region. */
  readonly endpoint?: string | undefined;
  readonly credentials: CredentialsSource;
  readonly clock: Clock;
  readonly fetch?: Fetch;
  readonly timeoutMs?: number;
};

/** Every call rejects with a GatewayError, retryable where the same call may do better later. */
export type DynamoClient = {
  /** Strongly consistent: a pointer just moved must not be read as it was. */
  getItem(key: Item, signal?: AbortSignal): Promise<Item | undefined>;
  /** All items of one partition, or those within a range of its sort key (both ends included), page by page. */
  query(partition: Partition, signal?: AbortSignal): Promise<Item[]>;
  putItem(item: Item, signal?: AbortSignal): Promise<void>;
  putItemIf(item: Item, condition: Condition, signal?: AbortSignal): Promise<'stored' | 'condition_failed'>;
};

type Partition = {
  readonly name: string;
  readonly value: string;
  readonly range?: { readonly name: string; readonly from: string; readonly to: string };
};

const TIMEOUT_MS = 3_000;
/** DynamoDB ends a page at 1 MB of items; JSON escaping makes it longer. */
const MAX_ANSWER_BYTES = 8_388_608;
/** Far above what one minute and shard can hold: a loop that does not end is a defect, not data. */
const MAX_PAGES = 64;

/** Only S and N are ever written here; an item with any other type is somebody else's. */
const itemSchema = z.record(z.string(), z.union([z.object({ S: z.string() }), z.object({ N: z.string() })]));
const getAnswerSchema = z.object({ Item: z.optional(itemSchema) });
const queryAnswerSchema = z.object({ Items: z.array(itemSchema), LastEvaluatedKey: z.optional(itemSchema) });

export function createDynamoClient(options: DynamoClientOptions): DynamoClient {
  const { table, credentials, clock } = options;
  const url = new URL(options.endpoint ?? `https://dynamodb.${options.region}.amazonaws.com`).href;
  const send: Fetch = options.fetch ?? ((target, init) => fetch(target, init));
  const sign = createAwsSigner('dynamodb', options.region, url, clock);
  const timeoutMs = options.timeoutMs ?? TIMEOUT_MS;

  async function post(operation: string, request: object, signal: AbortSignal): Promise<unknown> {
    const body = encodeUtf8(JSON.stringify({ TableName: table, ...request }));
    const headers = await sign(
      { 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': `DynamoDB_20120810.${operation}` },
      body,
      await credentials.get(signal),
    );
    const response = await send(url, { method: 'POST', headers, body, signal, redirect: 'manual' });
    const { text, complete } = await readBounded(response.body, MAX_ANSWER_BYTES);
    const answer = parseJson(text);
    if (!response.ok) {
      if (CREDENTIAL_ERRORS.has(awsErrorName(response.headers, answer) ?? '')) credentials.refused?.();
      throw refusal(operation, response, answer);
    }
    if (!complete || answer === undefined) throw away(operation, 'answered something that is not whole JSON');
    return answer;
  }

  /** One bound for credentials, connection, headers and body together. */
  async function call(operation: string, request: object, caller: AbortSignal | undefined): Promise<unknown> {
    const controller = new AbortController();
    const leave = (): void => controller.abort();
    const stopped = new Promise<never>((_resolve, reject) => {
      controller.signal.addEventListener('abort', () =>
        reject(away(operation, `did not answer within ${timeoutMs} ms`)),
      );
    });
    const timer = setTimeout(leave, timeoutMs);
    caller?.addEventListener('abort', leave);
    if (caller?.aborted === true) leave();
    try {
      return await Promise.race([stopped, post(operation, request, controller.signal)]);
    } catch (error) {
      throw error instanceof GatewayError ? error : away(operation, 'cannot be reached', error);
    } finally {
      clearTimeout(timer);
      caller?.removeEventListener('abort', leave);
    }
  }

  async function put(item: Item, condition: Condition | undefined, signal: AbortSignal | undefined): Promise<void> {
    const conditional = condition === undefined ? {} : toWireCondition(condition);
    await call('PutItem', { Item: item, ...conditional }, signal);
  }

  return {
    async getItem(key, signal) {
      const answer = await call('GetItem', { Key: key, ConsistentRead: true }, signal);
      return parseAnswer('GetItem', getAnswerSchema, answer).Item;
    },
    async query(partition, signal) {
      const items: Item[] = [];
      let from: Item | undefined;
      for (let page = 0; page < MAX_PAGES; page += 1) {
        const answer = await call(
          'Query',
          {
            ...keyCondition(partition),
            ...(from === undefined ? {} : { ExclusiveStartKey: from }),
          },
          signal,
        );
        const parsed = parseAnswer('Query', queryAnswerSchema, answer);
        items.push(...parsed.Items);
        from = parsed.LastEvaluatedKey;
        if (from === undefined) return items;
      }
      throw away('Query', `did not end within ${MAX_PAGES} pages`);
    },
    putItem: (item, signal) => put(item, undefined, signal),
    async putItemIf(item, condition, signal) {
      try {
        await put(item, condition, signal);
        return 'stored';
      } catch (error) {
        if (error instanceof GatewayError && error.detail?.startsWith('ConditionalCheckFailedException') === true)
          return 'condition_failed';
        throw error;
      }
    },
  };
}

function keyCondition({ name, value, range }: Partition): object {
  if (range === undefined) {
    return {
      KeyConditionExpression: '#pk = :pk',
      ExpressionAttributeNames: { '#pk': name },
      ExpressionAttributeValues: { ':pk': { S: value } },
    };
  }
  return {
    KeyConditionExpression: '#pk = :pk AND #sk BETWEEN :from AND :to',
    ExpressionAttributeNames: { '#pk': name, '#sk': range.name },
    ExpressionAttributeValues: { ':pk': { S: value }, ':from': { S: range.from }, ':to': { S: range.to } },
  };
}

function toWireCondition(condition: Condition): object {
  return {
    ConditionExpression: condition.expression,
    ExpressionAttributeNames: condition.names,
    ...(Object.keys(condition.values).length === 0 ? {} : { ExpressionAttributeValues: condition.values }),
  };
}

function parseAnswer<T>(operation: string, schema: z.ZodMiniType<T>, answer: unknown): T {
  const parsed = schema.safeParse(answer);
  if (!parsed.success) throw away(operation, 'answered with items this gateway does not understand');
  return parsed.data;
}

function away(operation: string, what: string, cause?: unknown): GatewayError {
  return new GatewayError(
    'target_unavailable',
    `DynamoDB ${what} (${operation}).`,
    cause === undefined ? {} : { cause },
  );
}

const PASSING_ERRORS = new Set([
  'ProvisionedThroughputExceededException',
  'ThrottlingException',
  'RequestLimitExceeded',
  'InternalServerError',
  'ServiceUnavailable',
  'LimitExceededException',
]);

const CREDENTIAL_ERRORS = new Set([
  'ExpiredTokenException',
  'InvalidSignatureException',
  'UnrecognizedClientException',
]);

/** AWS's own sentence names accounts and resources, so it goes into the private detail. */
function refusal(operation: string, response: Response, answer: unknown): GatewayError {
  const name = awsErrorName(response.headers, answer) ?? `HTTP ${response.status}`;
  const passing = response.status >= 500 || response.status === 429 || PASSING_ERRORS.has(name);
  return new GatewayError(
    passing ? 'target_unavailable' : 'not_configured',
    `DynamoDB refused ${operation}: ${name}.`,
    {
      detail: `${name}: ${textField(answer, 'message') ?? textField(answer, 'Message') ?? 'no message'}`,
    },
  );
}
