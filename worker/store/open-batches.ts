/**
 * Batches of a deployment that has a bucket, a queue and a key for them. What serves them is loaded when somebody sends a batch,
 * or a batch asks for its lines: a cold start is not slowed by it.
 */
import type { CredentialsSource } from '../aws/credentials.ts';
import type { WorkerEnv } from '../env.ts';
import type { Batches, Clock } from '../ports.ts';
import type { BatchTokens } from './batch-tokens.ts';
import type { DynamoClient } from './dynamodb-client.ts';

export type OpenBatches = {
  readonly store: Batches;
  readonly tenantOf: (token: string) => Promise<string | undefined>;
};

export function openBatches(
  env: WorkerEnv,
  table: DynamoClient | undefined,
  credentials: CredentialsSource | undefined,
  clock: Clock,
): OpenBatches | undefined {
  const { BATCH_BUCKET: bucket, BATCH_QUEUE_URL: queueUrl, BATCH_KEY: secret, AWS_REGION: region, S3_URL: s3Url } = env;
  if (table === undefined || credentials === undefined) return undefined;
  if (bucket === undefined || queueUrl === undefined || secret === undefined) return undefined;
  let opening: Promise<{ readonly store: Batches; readonly tokens: BatchTokens }> | undefined;
  const open = async () => {
    const [{ createBatchTokens }, { createBatchStore }] = await Promise.all([
      import('./batch-tokens.ts'),
      import('./batch-store.ts'),
    ]);
    const tokens = createBatchTokens(secret);
    const store = createBatchStore({ client: table, credentials, clock, region, bucket, queueUrl, s3Url, tokens });
    return { store, tokens };
  };
  const opened = () => (opening ??= open());
  return {
    store: {
      tokens: { issue: async (...asked) => (await opened()).tokens.issue(...asked) },
      begin: async (...asked) => (await opened()).store.begin(...asked),
      putChunk: async (...asked) => (await opened()).store.putChunk(...asked),
      submit: async (...asked) => (await opened()).store.submit(...asked),
      read: async (...asked) => (await opened()).store.read(...asked),
      cancel: async (...asked) => (await opened()).store.cancel(...asked),
      openResult: async (...asked) => (await opened()).store.openResult(...asked),
    },
    tenantOf: async (token) => (await opened()).tokens.verify(token, clock.now()),
  };
}
