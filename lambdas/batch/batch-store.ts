/**
 * Where a batch's state and lines are kept, as the batch function reads and writes them. Owns the objects' addresses; what
 * items mean is shared/batch.
 */
import { createHash } from 'node:crypto';
import {
  batchKey,
  chunkKey,
  moveChunk,
  parseBatch,
  parseChunk,
  type Batch,
  type BatchChunk,
} from '../../shared/batch/batch-items.ts';
import { batchObjectKey } from '../../shared/names.ts';
import type { AwsCaller } from '../lib/aws-call.ts';
import type { ControlTable } from '../lib/control-table.ts';

export type BatchStore = {
  readBatch(id: string): Promise<Batch | undefined>;
  readChunk(id: string, index: number): Promise<BatchChunk | undefined>;
  /** Undefined where somebody else has moved it. */
  move(chunk: BatchChunk, change?: Partial<BatchChunk>): Promise<BatchChunk | undefined>;
  readInput(chunk: BatchChunk): Promise<string>;
  putPart(chunk: BatchChunk, part: number, text: string): Promise<void>;
  readPart(chunk: BatchChunk, part: number): Promise<string>;
  putResult(chunk: BatchChunk, text: string): Promise<void>;
};

export type BatchStoreOptions = {
  readonly table: ControlTable;
  readonly aws: AwsCaller;
  readonly region: string;
  readonly bucket: string;
  /** Only for a stand-in. */
  readonly endpoint: string | undefined;
};

export function openBatchStore({ table, aws, region, bucket, endpoint }: BatchStoreOptions): BatchStore {
  const base = endpoint === undefined ? `https://${bucket}.s3.${region}.amazonaws.com` : `${endpoint}/${bucket}`;

  async function put(key: string, text: string): Promise<void> {
    const { status } = await aws.send('s3', region, `${base}/${key}`, {
      method: 'PUT',
      headers: { 'content-type': 'application/x-ndjson', 'x-amz-content-sha256': sha256Of(text) },
      body: text,
    });
    if (status !== 200) throw new Error(`S3 answered ${status} to a put`);
  }

  async function get(key: string): Promise<string> {
    const { status, text } = await aws.send('s3', region, `${base}/${key}`, {
      headers: { 'x-amz-content-sha256': sha256Of('') },
    });
    if (status !== 200) throw new Error(`S3 answered ${status} to a get`);
    return text;
  }

  return {
    async readBatch(id) {
      const item = await table.get(batchKey(id));
      return item === undefined ? undefined : parseBatch(item);
    },
    async readChunk(id, index) {
      const item = await table.get(chunkKey(id, index));
      return item === undefined ? undefined : parseChunk(item);
    },
    async move(chunk, change) {
      const { next, put: moved } = moveChunk(chunk, change);
      return (await table.putIf(moved)) ? next : undefined;
    },
    readInput: (chunk) => get(batchObjectKey(chunk.batchId, 'input', String(chunk.index))),
    putPart: (chunk, part, text) => put(batchObjectKey(chunk.batchId, 'part', `${chunk.index}-${part}`), text),
    readPart: (chunk, part) => get(batchObjectKey(chunk.batchId, 'part', `${chunk.index}-${part}`)),
    putResult: (chunk, text) => put(batchObjectKey(chunk.batchId, 'result', String(chunk.index)), text),
  };
}

function sha256Of(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
