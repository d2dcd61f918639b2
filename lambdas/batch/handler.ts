/**
 * The batch function: works through the chunks that a queue's messages name. Owns its environment, which messages go back to
 * the queue, and its log lines, which hold no input.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import { createAwsCaller } from '../lib/aws-call.ts';
import { openControlTable } from '../lib/control-table.ts';
import { GatewayBusyError } from './ask-gateway.ts';
import { openBatchStore, type BatchStore } from './batch-store.ts';
import { runChunk, type Ran } from './run-chunk.ts';

const envSchema = z.object({
  TABLE_NAME: z.string().min(1),
  BATCH_BUCKET: z.string().min(1),
  AWS_REGION: z.string().min(1),
  DATABASE_URL: z.url().optional(),
  S3_URL: z.url().optional(),
  GROUP_LINES: z.coerce.number().int().min(1).max(1_000).default(50),
  PARALLEL_REQUESTS: z.coerce.number().int().min(1).max(64).default(4),
  // Set by Lambda itself.
  AWS_ACCESS_KEY_ID: z.string().min(1),
  AWS_SECRET_ACCESS_KEY: z.string().min(1),
  AWS_SESSION_TOKEN: z.string().min(1).optional(),
});
const eventSchema = z.object({ Records: z.array(z.object({ messageId: z.string(), body: z.string() })) });
const messageSchema = z.object({ batch: z.string().min(1), chunk: z.number().int().min(1) });

type Env = z.infer<typeof envSchema>;
type Context = { getRemainingTimeInMillis?: () => number };
type Outcome = { readonly batchItemFailures: readonly { readonly itemIdentifier: string }[] };

const S3_TIMEOUT_MS = 20_000;
const DEFAULT_REMAINING_MS = 300_000;

export async function handler(event: unknown, context: Context = {}): Promise<Outcome> {
  const env = envSchema.parse(process.env);
  const store = storeFrom(env);
  const failures: { itemIdentifier: string }[] = [];
  for (const { messageId, body } of eventSchema.parse(event).Records) {
    const message = messageSchema.safeParse(parseJson(body));
    // Nothing will ever make sense of it: kept, it would come back for days.
    if (!message.success) {
      log('error', { outcome: 'unreadable_message' });
      continue;
    }
    const { batch, chunk } = message.data;
    const ran = await run(batch, chunk, store, env, context);
    log(ran === 'done' || ran === 'cancelled' ? 'info' : 'warn', { batch, chunk, outcome: ran });
    if (ran !== 'done' && ran !== 'cancelled') failures.push({ itemIdentifier: messageId });
  }
  return { batchItemFailures: failures };
}

async function run(
  batch: string,
  chunk: number,
  store: BatchStore,
  env: Env,
  context: Context,
): Promise<Ran | 'busy' | 'failed'> {
  try {
    return await runChunk(batch, chunk, {
      store,
      fetch,
      sleep: (ms) => sleep(ms),
      random: () => Math.random(),
      groupLines: env.GROUP_LINES,
      parallel: env.PARALLEL_REQUESTS,
      remainingMs: () => context.getRemainingTimeInMillis?.() ?? DEFAULT_REMAINING_MS,
    });
  } catch (error) {
    if (error instanceof GatewayBusyError) return 'busy';
    // The message of an unexpected error could quote a line.
    log('error', { batch, chunk, outcome: 'failed', error: error instanceof Error ? error.name : 'unknown' });
    return 'failed';
  }
}

function storeFrom(env: Env): BatchStore {
  const aws = createAwsCaller(
    {
      accessKeyId: env.AWS_ACCESS_KEY_ID,
      secretAccessKey: env.AWS_SECRET_ACCESS_KEY,
      sessionToken: env.AWS_SESSION_TOKEN,
    },
    S3_TIMEOUT_MS,
  );
  return openBatchStore({
    table: openControlTable({ aws, region: env.AWS_REGION, endpoint: env.DATABASE_URL, name: env.TABLE_NAME }),
    aws,
    region: env.AWS_REGION,
    bucket: env.BATCH_BUCKET,
    endpoint: env.S3_URL,
  });
}

function log(level: 'info' | 'warn' | 'error', fields: object): void {
  process.stdout.write(
    `${JSON.stringify({ timestamp: new Date().toISOString(), level, message: 'batch', ...fields })}\n`,
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
