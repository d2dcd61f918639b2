/**
 * Batches on this machine: a bucket of files, a queue in memory, and the batch function behind them, in processes of its own as
 * in Lambda. Owns how they are wired.
 */
import { join } from 'node:path';
import { createAwsCaller } from '../lambdas/lib/aws-call.ts';
import { BATCH_NODE_OPTIONS } from '../shared/names.ts';
import { startLambda, type Lambda } from './aws/lambda.ts';
import { startS3, type S3 } from './aws/s3.ts';
import { startSqs, type Sqs, type SqsEvent } from './aws/sqs.ts';
import { REPOSITORY_ROOT } from './bundle-worker.ts';
import { fieldsOf, parseJson } from './lib/json.ts';
import type { FindKey, KnownKey } from './sigv4.ts';

export type LocalBatches = {
  readonly bucket: string;
  readonly s3: S3;
  readonly queue: Sqs;
  readonly lambda: Lambda;
  close(): Promise<void>;
};

export type LocalBatchesOptions = {
  readonly region: string;
  readonly findKey: FindKey;
  /** The function's own role. */
  readonly key: KnownKey;
  readonly databaseUrl: string;
  readonly table: string;
  readonly onLine?: (line: string) => void;
};

const BUCKET = 'hybrid-inference-batches';
const QUEUE = 'hybrid-inference-batches';
const FUNCTION_NAME = 'hybrid-inference-batch';
/** In AWS longer than the function may run; here a message of a function that died should come back soon. */
const VISIBILITY_MS = 2_000;
const CONCURRENCY = 1;
/** As deployed. */
const TIMEOUT_MS = 300_000;

export async function startBatches(options: LocalBatchesOptions): Promise<LocalBatches> {
  const { region, findKey, key } = options;
  const s3 = await startS3({ region, bucket: BUCKET, findKey });
  const lambda = await startLambda({
    region,
    findKey,
    functionName: FUNCTION_NAME,
    handlerFile: join(REPOSITORY_ROOT, 'lambdas/batch/handler.ts'),
    concurrency: CONCURRENCY,
    timeoutMs: TIMEOUT_MS,
    environment: {
      TABLE_NAME: options.table,
      BATCH_BUCKET: BUCKET,
      DATABASE_URL: options.databaseUrl,
      S3_URL: s3.url,
      NODE_OPTIONS: BATCH_NODE_OPTIONS,
      AWS_ACCESS_KEY_ID: key.accessKeyId,
      AWS_SECRET_ACCESS_KEY: key.secretAccessKey,
    },
    ...(options.onLine === undefined ? {} : { onLine: options.onLine }),
  });
  const aws = createAwsCaller(key, TIMEOUT_MS + 10_000);

  async function deliver(event: SqsEvent): Promise<boolean> {
    const { status, headers, text } = await aws.send(
      'lambda',
      region,
      `${lambda.url}/2015-03-31/functions/${FUNCTION_NAME}/invocations`,
      { method: 'POST', body: JSON.stringify(event) },
    );
    if (status !== 200 || headers.has('x-amz-function-error')) return false;
    const { batchItemFailures: failures } = fieldsOf(parseJson(text));
    return Array.isArray(failures) && failures.length === 0;
  }

  const queue = await startSqs({
    region,
    queue: QUEUE,
    findKey,
    visibilityMs: VISIBILITY_MS,
    concurrency: CONCURRENCY,
    deliver,
  });
  return {
    bucket: BUCKET,
    s3,
    queue,
    lambda,
    async close() {
      await Promise.all([lambda.close(), queue.close()]);
      await s3.close();
    },
  };
}
