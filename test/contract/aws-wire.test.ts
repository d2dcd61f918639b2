/**
 * The wire of the stand-ins, witnessed by AWS's own SDK clients and by aws4fetch: none of them knows that it is not AWS.
 * Owns the wire; what the model answers is the model server's business.
 */
import {
  BatchWriteItemCommand,
  ConditionalCheckFailedException,
  DescribeTableCommand,
  DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import {
  InvokeEndpointCommand,
  InvokeEndpointWithResponseStreamCommand,
  ModelError,
  SageMakerRuntimeClient,
} from '@aws-sdk/client-sagemaker-runtime';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startDynamoDb } from '../../local/aws/dynamodb.ts';
import type { DynamoDb } from '../../local/aws/dynamodb.ts';
import { startSageMaker } from '../../local/aws/sagemaker.ts';
import type { SageMaker } from '../../local/aws/sagemaker.ts';
import type { Fault } from '../../local/lib/fault.ts';
import { DYNAMODB_BACKEND } from '../fixtures/local/dynamodb-backend.ts';
import { KEY, REGION, TEMPORARY_KEY, findKey } from '../fixtures/local/keys.ts';

const CONTAINER = fileURLToPath(new URL('../fixtures/local/container.ts', import.meta.url));

type Credentials = { readonly accessKeyId: string; readonly secretAccessKey: string; readonly sessionToken?: string };
type Caller = { readonly credentials: Credentials; readonly region: string; readonly systemClockOffset: number };
const GOOD: Caller = { credentials: KEY, region: REGION, systemClockOffset: 0 };

const WRONG: readonly (readonly [string, Partial<Caller>, string])[] = [
  ['another secret', { credentials: { ...KEY, secretAccessKey: 'other' } }, 'InvalidSignatureException'],
  ['an unknown key', { credentials: { ...KEY, accessKeyId: 'AKIDOTHER' } }, 'UnrecognizedClientException'],
  ['another region', { region: 'us-east-1' }, 'InvalidSignatureException'],
  [
    'a temporary key with another token',
    { credentials: { ...TEMPORARY_KEY, sessionToken: 'other' } },
    'UnrecognizedClientException',
  ],
  ['an expired token', { credentials: { ...TEMPORARY_KEY, accessKeyId: 'ASIAEXPIRED' } }, 'ExpiredTokenException'],
];

type Key = { pk: { S: string }; sk: { S: string } };
const key = (pk: string, sk: string): Key => ({ pk: { S: pk }, sk: { S: sk } });

describe('DynamoDB, through its SDK client', () => {
  const TableName = 'hybrid';
  let database: DynamoDb;
  const clients: DynamoDBClient[] = [];
  const connect = (more: Partial<Caller> = {}): DynamoDBClient => {
    const client = new DynamoDBClient({ endpoint: database.url, maxAttempts: 1, ...GOOD, ...more });
    clients.push(client);
    return client;
  };

  beforeAll(async () => {
    database = await startDynamoDb({
      region: REGION,
      findKey,
      adminKey: KEY,
      ...DYNAMODB_BACKEND,
      tableName: TableName,
    });
    await database.waitUntilReady();
  });
  afterAll(async () => {
    for (const client of clients) client.destroy();
    await database.close();
  });

  it('has the one table, active, keyed by pk and sk', async () => {
    const { Table } = await connect().send(new DescribeTableCommand({ TableName }));
    expect(Table).toMatchObject({
      TableStatus: 'ACTIVE',
      KeySchema: [
        { AttributeName: 'pk', KeyType: 'HASH' },
        { AttributeName: 'sk', KeyType: 'RANGE' },
      ],
    });
  });

  it('moves the configuration pointer by a conditional write, once', async () => {
    const client = connect();
    const move = (from: string | undefined, to: string): Promise<unknown> =>
      client.send(
        new PutItemCommand({
          TableName,
          Item: { ...key('CFG#local', 'CURRENT'), version: { N: to } },
          ConditionExpression: from === undefined ? 'attribute_not_exists(pk)' : 'version = :from',
          ...(from === undefined ? {} : { ExpressionAttributeValues: { ':from': { N: from } } }),
        }),
      );
    await move(undefined, '1');
    await expect(move(undefined, '1')).rejects.toBeInstanceOf(ConditionalCheckFailedException);
    await move('1', '2');
    await expect(move('1', '2')).rejects.toBeInstanceOf(ConditionalCheckFailedException);
    const { Item } = await client.send(
      new GetItemCommand({ TableName, Key: key('CFG#local', 'CURRENT'), ConsistentRead: true }),
    );
    expect(Item?.['version']).toEqual({ N: '2' });
  });

  it('stores a flush sent twice once, adds counters, and pages a query in order', async () => {
    const client = connect();
    const put = new PutItemCommand({ TableName, Item: { ...key('M1#1#0', 'isolate#1'), body: { S: '{}' } } });
    await client.send(put);
    await client.send(put);
    await client.send(
      new BatchWriteItemCommand({
        RequestItems: {
          [TableName]: ['isolate#3', 'isolate#2'].map((sk) => ({ PutRequest: { Item: key('M1#1#0', sk) } })),
        },
      }),
    );
    const add = new UpdateItemCommand({
      TableName,
      Key: key('R5#r#1', '1'),
      UpdateExpression: 'ADD requests :n',
      ExpressionAttributeValues: { ':n': { N: '2' } },
      ReturnValues: 'ALL_NEW',
    });
    await client.send(add);
    expect((await client.send(add)).Attributes?.['requests']).toEqual({ N: '4' });

    const sortKeys: string[] = [];
    let ExclusiveStartKey: QueryCommand['input']['ExclusiveStartKey'];
    do {
      const page = await client.send(
        new QueryCommand({
          TableName,
          KeyConditionExpression: 'pk = :pk',
          ExpressionAttributeValues: { ':pk': { S: 'M1#1#0' } },
          Limit: 2,
          ...(ExclusiveStartKey === undefined ? {} : { ExclusiveStartKey }),
        }),
      );
      sortKeys.push(...(page.Items ?? []).map((item) => item['sk']?.S ?? ''));
      ExclusiveStartKey = page.LastEvaluatedKey;
    } while (ExclusiveStartKey !== undefined);
    expect(sortKeys).toEqual(['isolate#1', 'isolate#2', 'isolate#3']);
  });

  it('names its errors so that the SDK knows them', async () => {
    await expect(
      connect().send(new GetItemCommand({ TableName: 'missing', Key: key('a', 'b') })),
    ).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
    const large = { ...key('a', 'b'), body: { S: 'a'.repeat(400 * 1024) } };
    await expect(connect().send(new PutItemCommand({ TableName, Item: large }))).rejects.toMatchObject({
      name: 'ValidationException',
    });
  });

  it('takes temporary credentials', async () => {
    const { Table } = await connect({ credentials: TEMPORARY_KEY }).send(new DescribeTableCommand({ TableName }));
    expect(Table?.TableName).toBe(TableName);
  });

  it.each(WRONG)('refuses %s', async (_name, more, name) => {
    await expect(connect(more).send(new DescribeTableCommand({ TableName }))).rejects.toMatchObject({
      name,
      $metadata: { httpStatusCode: 400 },
    });
  });

  it.each([
    [{ kind: 'cut_before_headers' }, {}],
    [{ kind: 'cut_mid_body' }, {}],
    [{ kind: 'refuse' }, {}],
    [{ kind: 'garbage' }, {}],
    [{ kind: 'status', status: 500 }, { name: 'InternalServerError' }],
    [{ kind: 'status', status: 400 }, { name: 'ProvisionedThroughputExceededException' }],
  ] as const satisfies readonly (readonly [Fault, object])[])(
    'fails cleanly for the SDK under %j',
    async (fault, error) => {
      await database.setFault(fault);
      await expect(connect().send(new DescribeTableCommand({ TableName }))).rejects.toMatchObject(error);
      await database.setFault(null);
      await connect().send(new DescribeTableCommand({ TableName }));
    },
  );
});

describe('SageMaker runtime, through its SDK client', () => {
  const EndpointName = 'large';
  let endpoint: SageMaker;
  const clients: SageMakerRuntimeClient[] = [];
  const connect = (more: Partial<Caller> = {}, url = endpoint.url): SageMakerRuntimeClient => {
    const client = new SageMakerRuntimeClient({ endpoint: url, maxAttempts: 1, ...GOOD, ...more });
    clients.push(client);
    return client;
  };
  const input = (body: unknown): { EndpointName: string; ContentType: string; Body: Uint8Array } => ({
    EndpointName,
    ContentType: 'application/json',
    Body: Buffer.from(JSON.stringify(body)),
  });

  beforeAll(async () => {
    endpoint = await startSageMaker({
      region: REGION,
      findKey,
      endpointName: EndpointName,
      containerFile: CONTAINER,
      streamTimeoutMs: 800,
    });
    await endpoint.waitUntilReady();
  });
  afterAll(async () => {
    for (const client of clients) client.destroy();
    await endpoint.close();
  });

  async function stream(
    body: unknown,
  ): Promise<{ text: string; parts: number; contentType: string | undefined; error: unknown }> {
    const pieces: Uint8Array[] = [];
    let contentType: string | undefined;
    let error: unknown;
    try {
      const answer = await connect().send(new InvokeEndpointWithResponseStreamCommand(input(body)));
      contentType = answer.ContentType;
      for await (const event of answer.Body ?? []) {
        if (event.PayloadPart?.Bytes === undefined) throw new Error(`not a PayloadPart: ${JSON.stringify(event)}`);
        pieces.push(event.PayloadPart.Bytes);
      }
    } catch (cause) {
      error = cause;
    }
    return { text: Buffer.concat(pieces).toString('utf8'), parts: pieces.length, contentType, error };
  }

  it('answers InvokeEndpoint with body, variant and custom attributes', async () => {
    const answer = await connect().send(
      new InvokeEndpointCommand({
        ...input({ a: 1 }),
        Accept: 'application/x-ndjson',
        InferenceId: 'i-1',
        CustomAttributes: 'c',
        TargetVariant: 'AllTraffic',
      }),
    );
    expect(answer).toMatchObject({
      ContentType: 'application/x-ndjson',
      InvokedProductionVariant: 'AllTraffic',
      CustomAttributes: 'echoed',
    });
    const { headers } = JSON.parse(answer.Body.transformToString().split('\n')[0] ?? '') as {
      headers: Record<string, string>;
    };
    expect(headers).toMatchObject({
      'x-amzn-sagemaker-inference-id': 'i-1',
      'x-amzn-sagemaker-custom-attributes': 'c',
    });
  });

  it('answers InvokeEndpointWithResponseStream in PayloadParts that the SDK decodes', async () => {
    const { text, parts, contentType, error } = await stream({ a: 1 });
    expect([error, contentType, parts]).toEqual([undefined, 'application/x-ndjson', 2]);
    expect(text.split('\n').filter((line) => line !== '').length).toBe(2);
  });

  it('reports a stream that the container cut as ModelStreamError StreamBroken', async () => {
    const { error, parts } = await stream({ do: 'cut' });
    expect(parts).toBe(1);
    expect(error).toMatchObject({ name: 'ModelStreamError', ErrorCode: 'StreamBroken' });
  });

  it('reports a stream that takes too long as ModelStreamError ModelInvocationTimeExceeded', async () => {
    const { error } = await stream({ do: 'hang_later' });
    expect(error).toMatchObject({ name: 'ModelStreamError', ErrorCode: 'ModelInvocationTimeExceeded' });
  });

  it.each([
    ['bad', 400, 'bad input'],
    ['fail', 500, 'no memory'],
  ])(
    'reports the container’s error as ModelError, on both paths (%s)',
    async (action, OriginalStatusCode, OriginalMessage) => {
      const failure: unknown = await connect()
        .send(new InvokeEndpointCommand(input({ do: action })))
        .catch((cause: unknown) => cause);
      const { error } = await stream({ do: action });
      expect(error).toMatchObject({ name: 'ModelError', OriginalStatusCode, OriginalMessage });
      expect(failure).toBeInstanceOf(ModelError);
      expect(failure).toMatchObject({
        OriginalStatusCode,
        OriginalMessage,
        LogStreamArn: expect.stringContaining('/aws/sagemaker/Endpoints/large') as unknown,
      });
    },
  );

  it.each([
    [400, 'ValidationError'],
    [424, 'ModelError'],
    [429, 'ModelNotReadyException'],
    [500, 'InternalFailure'],
    [503, 'ServiceUnavailable'],
    [530, 'InternalDependencyException'],
  ])('gives status %i the name %s', async (status, name) => {
    await endpoint.setFault({ kind: 'status', status });
    await expect(connect().send(new InvokeEndpointCommand(input({})))).rejects.toMatchObject({
      name,
      $metadata: { httpStatusCode: status },
    });
    await endpoint.setFault(null);
  });

  it('refuses an endpoint that is not there', async () => {
    await expect(
      connect().send(new InvokeEndpointCommand({ ...input({}), EndpointName: 'other' })),
    ).rejects.toMatchObject({ name: 'ValidationError' });
  });

  it.each(WRONG)('refuses %s', async (_name, more, name) => {
    await expect(connect(more).send(new InvokeEndpointCommand(input({})))).rejects.toMatchObject({
      name,
      $metadata: { httpStatusCode: 403 },
    });
  });

  it('refuses a clock that is ten minutes off', async () => {
    await expect(connect({ systemClockOffset: -600_000 }).send(new InvokeEndpointCommand(input({})))).rejects.toThrow(
      /^Signature expired/,
    );
    await expect(connect({ systemClockOffset: 600_000 }).send(new InvokeEndpointCommand(input({})))).rejects.toThrow(
      /^Signature not yet current/,
    );
  });

  it('fails cleanly for the SDK when a stream is cut inside an event or is no event stream', async () => {
    for (const kind of ['cut_mid_body', 'garbage'] as const) {
      await endpoint.setFault({ kind });
      const { error, parts } = await stream({});
      expect(error).toBeInstanceOf(Error);
      expect(parts).toBe(0);
      await endpoint.setFault(null);
    }
  });
});
