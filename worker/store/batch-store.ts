/**
 * The Batches port over S3, SQS and DynamoDB. Owns the calls, and the order that makes a batch run only when all of its lines
 * are kept; leaves out who works through it.
 */
import {
  batchItem,
  cancelBatch,
  chunkItem,
  parseBatch,
  parseChunk,
  type BatchChunk,
} from '../../shared/batch/batch-items.ts';
import { GatewayError } from '../../shared/errors.ts';
import { toHex } from '../../shared/hash/sha256.ts';
import { batchObjectKey, batchPartition, TABLE_PARTITION_KEY } from '../../shared/names.ts';
import { createAwsSigner } from '../aws/aws-signer.ts';
import type { CredentialsSource } from '../aws/credentials.ts';
import { encodeUtf8 } from '../aws/encode-utf8.ts';
import type { Fetch } from '../aws/fetch.ts';
import type { Batches, Clock } from '../ports.ts';
import type { DynamoClient } from './dynamodb-client.ts';

export type BatchStoreOptions = {
  readonly client: DynamoClient;
  readonly credentials: CredentialsSource;
  readonly clock: Clock;
  readonly region: string;
  readonly bucket: string;
  readonly queueUrl: string;
  /** Only for a stand-in. */
  readonly s3Url: string | undefined;
  readonly tokens: Batches['tokens'];
  readonly fetch?: Fetch;
};

/** SQS takes so many messages a call. */
const MESSAGES_A_CALL = 10;
const TIMEOUT_MS = 15_000;
const EMPTY = new Uint8Array();

export function createBatchStore(options: BatchStoreOptions): Batches {
  const { client, credentials, clock, region, bucket, queueUrl, s3Url, tokens } = options;
  const send: Fetch = options.fetch ?? ((url, init) => fetch(url, init));
  const base = s3Url === undefined ? `https://${bucket}.s3.${region}.amazonaws.com` : `${s3Url}/${bucket}`;
  const queueHome = `${new URL(queueUrl).origin}/`;
  const signQueue = createAwsSigner('sqs', region, queueHome, clock);

  async function object(
    method: 'PUT' | 'GET',
    key: string,
    body: Uint8Array<ArrayBuffer>,
    signal: AbortSignal,
  ): Promise<Response> {
    const url = `${base}/${key}`;
    const digest = toHex(new Uint8Array(await crypto.subtle.digest('SHA-256', body)));
    const headers = await createAwsSigner(
      's3',
      region,
      url,
      clock,
      method,
    )({ 'x-amz-content-sha256': digest }, body, await credentials.get(signal));
    const response = await send(url, {
      method,
      headers,
      ...(method === 'PUT' ? { body } : {}),
      signal,
      redirect: 'manual',
    });
    if (response.ok) return response;
    await response.body?.cancel();
    throw away(`S3 answered ${response.status}`);
  }

  async function sendMessages(batchId: string, chunks: readonly number[]): Promise<void> {
    const Entries = chunks.map((chunk) => ({
      Id: String(chunk),
      MessageBody: JSON.stringify({ batch: batchId, chunk }),
    }));
    const body = encodeUtf8(JSON.stringify({ QueueUrl: queueUrl, Entries }));
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const headers = await signQueue(
      { 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': 'AmazonSQS.SendMessageBatch' },
      body,
      await credentials.get(signal),
    );
    const response = await send(queueHome, { method: 'POST', headers, body, signal, redirect: 'manual' });
    const answer: unknown = await response.json().catch(() => undefined);
    const failed = typeof answer === 'object' && answer !== null && 'Failed' in answer ? answer.Failed : [];
    if (!response.ok || (Array.isArray(failed) && failed.length > 0)) throw away(`SQS answered ${response.status}`);
  }

  return {
    tokens,
    begin: (batch) => client.putItem(batchItem(batch)),
    async putChunk(batch, { index, offset, lines, bytes }) {
      await object('PUT', batchObjectKey(batch.id, 'input', String(index)), bytes, AbortSignal.timeout(TIMEOUT_MS));
      const { id: batchId, expiresAtMs } = batch;
      const fresh = { doneLines: 0, failedLines: 0, costNanos: 0, revision: 0 };
      await client.putItem(chunkItem({ batchId, index, offset, lines, expiresAtMs, ...fresh }));
    },
    async submit(batch) {
      await client.putItem(batchItem(batch));
      const chunks = Array.from({ length: batch.chunks }, (_unused, at) => at + 1);
      try {
        for (let at = 0; at < chunks.length; at += MESSAGES_A_CALL) {
          await sendMessages(batch.id, chunks.slice(at, at + MESSAGES_A_CALL));
        }
      } catch (error) {
        // Its caller is told to send it again: what is queued of this one must not run as well.
        await client.putItem(batchItem({ ...batch, state: 'cancelled' })).catch(() => undefined);
        throw error;
      }
    },
    async read(id) {
      const items = await client.query({ name: TABLE_PARTITION_KEY, value: batchPartition(id) });
      const chunks: BatchChunk[] = items.flatMap((item) => parseChunk(item) ?? []);
      const [batch] = items.flatMap((item) => parseBatch(item) ?? []);
      return batch === undefined ? undefined : { batch, chunks };
    },
    async cancel(batch) {
      const { item, condition } = cancelBatch(batch);
      await client.putItemIf(item, condition);
    },
    async openResult(batchId, index, signal) {
      const response = await object('GET', batchObjectKey(batchId, 'result', String(index)), EMPTY, signal);
      if (response.body === null) throw away('S3 answered nothing');
      return response.body;
    },
  };
}

function away(what: string): GatewayError {
  return new GatewayError('target_unavailable', 'The store of batches is away.', { detail: what });
}
