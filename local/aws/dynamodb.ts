/**
 * DynamoDB's stand-in: dynalite in memory, in this process, with the one table created. dynalite reads a signature's form
 * but never checks it, so this listener does, and hands dynalite only what was verified. Leaves out what dynalite lacks:
 * transactions, streams, TTL expiry.
 */
// Other folders' projects compile this file too, and find the declaration only through here.
// oxlint-disable-next-line typescript/triple-slash-reference
/// <reference path="../types/dynalite.d.ts" />
import { AwsClient } from 'aws4fetch';
import dynalite from 'dynalite';
import { randomBytes } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { TABLE_PARTITION_KEY, TABLE_SORT_KEY } from '../../shared/names.ts';
import { json10SignatureError, sendJson10Error } from '../lib/aws-error.ts';
import type { Fault } from '../lib/fault.ts';
import { startHttpService } from '../lib/http-service.ts';
import type { ServiceCounts, ServiceRequest } from '../lib/http-service.ts';
import { verifySigV4 } from '../sigv4.ts';
import type { FindKey, KnownKey } from '../sigv4.ts';

const MAX_BODY_BYTES = 16 * 1024 * 1024;
const CONTENT_TYPE = 'application/x-amz-json-1.0';

export type DynamoDbOptions = {
  readonly port?: number;
  readonly region: string;
  readonly tableName: string;
  readonly findKey: FindKey;
  /** Signs the CreateTable call. */
  readonly adminKey: KnownKey;
  readonly now?: () => number;
  /** Another DynamoDB in dynalite's place, Amazon's own for tests; this listener still checks signatures and makes faults. */
  readonly backendUrl?: string | undefined;
};

export type DynamoDb = {
  readonly url: string;
  readonly port: number;
  setFault(fault: Fault | null): Promise<void>;
  counts(): ServiceCounts;
  waitUntilReady(): Promise<void>;
  close(): Promise<void>;
};

export async function startDynamoDb(options: DynamoDbOptions): Promise<DynamoDb> {
  const now = options.now ?? Date.now;
  const hand = options.backendUrl === undefined ? toDynalite() : toBackend(options.backendUrl);
  const service = await startHttpService({
    ...(options.port === undefined ? {} : { port: options.port }),
    maxBodyBytes: MAX_BODY_BYTES,
    contentType: () => CONTENT_TYPE,
    sendTooLarge: (response) => {
      response.writeHead(413).end();
    },
    sendStatus: (response, status) => sendJson10Error(response, { status, ...errorOf(status) }),
    async handle(request, response) {
      const verification = verifySigV4(request, {
        region: options.region,
        service: 'dynamodb',
        findKey: options.findKey,
        nowMs: now(),
      });
      if (verification.kind === 'refused') sendJson10Error(response, json10SignatureError(verification));
      else await hand(request, response);
    },
  });
  const created = createTable(service.url, options);
  // A caller that never waits must not see an unhandled rejection.
  created.catch(() => undefined);
  return {
    url: service.url,
    port: service.port,
    setFault: (fault) => service.setFault(fault),
    counts: () => service.counts(),
    waitUntilReady: () => created,
    async close() {
      await created.catch(() => undefined);
      await service.close();
    },
  };
}

type Hand = (request: ServiceRequest, response: ServerResponse) => void | Promise<void>;

/**
 * dynalite's server never listens: it gets the verified request replayed. Besides saving a port this keeps a caller that
 * hangs up away from dynalite, which throws on a broken request.
 */
function toDynalite(): Hand {
  const database = dynalite({ createTableMs: 0, deleteTableMs: 0, updateTableMs: 0 });
  return (request, response) => {
    const replayed = Object.assign(Readable.from(request.body.length === 0 ? [] : [request.body]), {
      method: request.method,
      url: request.target,
      headers: request.headers,
    });
    database.emit('request', replayed, response);
  };
}

/** DynamoDB Local keeps a database per access key and never looks at a signature: a key made up here is a database of our own. */
function toBackend(url: string): Hand {
  const scope = `LOCAL${randomBytes(8).toString('hex')}/20260101/us-east-1/dynamodb/aws4_request`;
  return async (request, response) => {
    const answer = await fetch(url, {
      method: request.method,
      headers: {
        'content-type': CONTENT_TYPE,
        'x-amz-target': String(request.headers['x-amz-target']),
        authorization: `AWS4-HMAC-SHA256 Credential=${scope}, SignedHeaders=host, Signature=none`,
      },
      body: Buffer.from(request.body),
      signal: request.signal,
    });
    const body = Buffer.from(await answer.arrayBuffer());
    const checksum = answer.headers.get('x-amz-crc32');
    response.writeHead(answer.status, {
      'content-type': CONTENT_TYPE,
      'content-length': body.length,
      ...(checksum === null ? {} : { 'x-amz-crc32': checksum }),
    });
    response.end(body);
  };
}

async function createTable(url: string, options: DynamoDbOptions): Promise<void> {
  const key = options.adminKey;
  const client = new AwsClient({
    accessKeyId: key.accessKeyId,
    secretAccessKey: key.secretAccessKey,
    ...(key.sessionToken === undefined ? {} : { sessionToken: key.sessionToken }),
    region: options.region,
    service: 'dynamodb',
    retries: 0,
  });
  const call = async (operation: string, input: unknown): Promise<unknown> => {
    const response = await client.fetch(url, {
      method: 'POST',
      headers: { 'content-type': CONTENT_TYPE, 'x-amz-target': `DynamoDB_20120810.${operation}` },
      body: JSON.stringify(input),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`DynamoDB stand-in: ${operation} answered ${response.status}: ${text}`);
    return JSON.parse(text);
  };
  await call('CreateTable', {
    TableName: options.tableName,
    BillingMode: 'PAY_PER_REQUEST',
    AttributeDefinitions: [TABLE_PARTITION_KEY, TABLE_SORT_KEY].map((name) => ({
      AttributeName: name,
      AttributeType: 'S',
    })),
    KeySchema: [
      { AttributeName: TABLE_PARTITION_KEY, KeyType: 'HASH' },
      { AttributeName: TABLE_SORT_KEY, KeyType: 'RANGE' },
    ],
  });
  // Even with createTableMs 0 the table turns ACTIVE on a later turn of the loop.
  for (;;) {
    const described = await call('DescribeTable', { TableName: options.tableName });
    if (JSON.stringify(described).includes('"TableStatus":"ACTIVE"')) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function errorOf(status: number): { readonly type: string; readonly message: string } {
  const v20120810 = 'com.amazonaws.dynamodb.v20120810#';
  if (status === 429 || status === 400) {
    // DynamoDB throttles with 400; a 429 is passed on as asked, with the same name.
    return {
      type: `${v20120810}ProvisionedThroughputExceededException`,
      message: 'The level of configured provisioned throughput for the table was exceeded.',
    };
  }
  if (status === 503) return { type: `${v20120810}ServiceUnavailable`, message: 'Service is currently unavailable.' };
  return { type: `${v20120810}InternalServerError`, message: 'Internal server error' };
}
