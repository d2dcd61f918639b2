/** Each fault, on each stand-in, does on the wire what its name says; and nothing once it is taken back. */
import { AwsClient } from 'aws4fetch';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startDynamoDb } from '../../local/aws/dynamodb.ts';
import { startLambda } from '../../local/aws/lambda.ts';
import { startSageMaker } from '../../local/aws/sagemaker.ts';
import type { Fault } from '../../local/lib/fault.ts';
import { startHttpService } from '../../local/lib/http-service.ts';
import { KEY, REGION, findKey } from '../fixtures/local/keys.ts';

type Piece = {
  setFault(fault: Fault | null): Promise<void>;
  call(signal?: AbortSignal): Promise<Response>;
  close(): Promise<void>;
};

const fixture = (name: string): string => fileURLToPath(new URL(`../fixtures/local/${name}`, import.meta.url));
const client = (service: string): AwsClient => new AwsClient({ ...KEY, region: REGION, service, retries: 0 });
const post = (body: string, signal?: AbortSignal): RequestInit => ({
  method: 'POST',
  body,
  ...(signal === undefined ? {} : { signal }),
});

async function dynamoDb(): Promise<Piece> {
  const piece = await startDynamoDb({ region: REGION, findKey, adminKey: KEY, tableName: 'table' });
  await piece.waitUntilReady();
  const headers = { 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': 'DynamoDB_20120810.ListTables' };
  return { ...piece, call: (signal) => client('dynamodb').fetch(piece.url, { ...post('{}', signal), headers }) };
}

async function functionUrl(): Promise<Piece> {
  const piece = await startLambda({
    region: REGION,
    findKey,
    functionName: 'infer',
    handlerFile: fixture('handler.ts'),
  });
  await piece.waitUntilReady();
  return { ...piece, call: (signal) => client('lambda').fetch(piece.functionUrl, post('{}', signal)) };
}

async function sageMaker(path: string): Promise<Piece> {
  const piece = await startSageMaker({
    region: REGION,
    findKey,
    endpointName: 'large',
    containerFile: fixture('container.ts'),
  });
  await piece.waitUntilReady();
  return {
    ...piece,
    call: (signal) => client('sagemaker').fetch(`${piece.url}/endpoints/large/${path}`, post('{}', signal)),
  };
}

describe.each([
  ['DynamoDB', dynamoDb],
  ['a Function URL', functionUrl],
  ['SageMaker', () => sageMaker('invocations')],
  ['a SageMaker response stream', () => sageMaker('invocations-response-stream')],
])('%s', (_name, start) => {
  let piece: Piece;
  let goodBody = Buffer.alloc(0);
  beforeAll(async () => {
    piece = await start();
    goodBody = Buffer.from(await (await piece.call()).arrayBuffer());
  });
  afterAll(() => piece.close());

  async function during(fault: Fault, check: () => Promise<void>): Promise<void> {
    await piece.setFault(fault);
    await check();
    await piece.setFault(null);
    const response = await piece.call();
    expect(response.status).toBe(200);
    await response.arrayBuffer();
  }

  it('slow: the right answer, later', async () => {
    await during({ kind: 'slow', ms: 150 }, async () => {
      const startedAtMs = performance.now();
      const response = await piece.call();
      expect(response.status).toBe(200);
      expect(performance.now() - startedAtMs).toBeGreaterThanOrEqual(145);
      await response.arrayBuffer();
    });
  });

  it('refuse: nobody listens, and the same port does again afterwards', async () => {
    await during({ kind: 'refuse' }, async () => {
      const failure: unknown = await piece.call().catch((cause: unknown) => cause);
      expect(failure).toMatchObject({ cause: { code: 'ECONNREFUSED' } });
    });
  });

  it('cut_before_headers: the connection ends without an answer', async () => {
    await during({ kind: 'cut_before_headers' }, async () => {
      await expect(piece.call()).rejects.toThrow('fetch failed');
    });
  });

  it('stall_after_headers: 200, then nothing until the caller leaves', async () => {
    await during({ kind: 'stall_after_headers' }, async () => {
      const response = await piece.call(AbortSignal.timeout(600));
      expect(response.status).toBe(200);
      await expect(response.arrayBuffer()).rejects.toMatchObject({ name: 'TimeoutError' });
    });
  });

  it('cut_mid_body: 200, some of the true bytes, then the connection ends', async () => {
    await during({ kind: 'cut_mid_body' }, async () => {
      const response = await piece.call();
      expect(response.status).toBe(200);
      const reader = (response.body as ReadableStream<Uint8Array>).getReader();
      const { value } = await reader.read();
      expect(value?.length).toBeGreaterThan(0);
      expect(value?.length).toBeLessThan(goodBody.length);
      await expect(reader.read()).rejects.toThrow('terminated');
    });
  });

  it('garbage: 200 with bytes that are neither text nor an answer', async () => {
    await during({ kind: 'garbage' }, async () => {
      const response = await piece.call();
      expect(response.status).toBe(200);
      const bytes = Buffer.from(await response.arrayBuffer());
      expect(() => new TextDecoder('utf-8', { fatal: true }).decode(bytes)).toThrow(/not valid/);
    });
  });

  it.each([429, 500, 503])('status %i: the service’s own error', async (status) => {
    await during({ kind: 'status', status }, async () => {
      const response = await piece.call();
      expect(response.status).toBe(status);
      expect(await response.text()).not.toBe('');
    });
  });

  it('close ends a stalled call at once', async () => {
    await piece.setFault({ kind: 'stall_after_headers' });
    const response = await piece.call();
    const body = response.arrayBuffer().catch(() => 'cut');
    await piece.close();
    expect(await body).toBe('cut');
    await expect(piece.call()).rejects.toThrow('fetch failed');
  });
});

describe('a listener', () => {
  it('says which port is taken', async () => {
    const answers = {
      maxBodyBytes: 1,
      contentType: () => '',
      sendStatus: () => undefined,
      sendTooLarge: () => undefined,
      handle: () => Promise.resolve(),
    };
    const first = await startHttpService(answers);
    await expect(startHttpService({ ...answers, port: first.port })).rejects.toThrow(
      `port ${first.port} on 127.0.0.1 is taken`,
    );
    await first.close();
    const again = await startHttpService({ ...answers, port: first.port });
    await again.close();
    await again.close();
  });
});
