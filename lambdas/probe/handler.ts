/**
 * The scheduled probe as a Lambda function. Owns its environment and its one log line.
 */
import * as z from 'zod';
import { createAwsCaller } from '../lib/aws-call.ts';
import { openControlTable, readConfig } from '../lib/control-table.ts';
import { probeTargets } from './probe.ts';
import { createReadLoad, type LoadOptions } from './read-load.ts';

const envSchema = z.object({
  TABLE_NAME: z.string().min(1),
  ENVIRONMENT: z.string().min(1),
  AWS_REGION: z.string().min(1),
  DATABASE_URL: z.url().optional(),
  FUNCTION_NAME: z.string().min(1).optional(),
  FUNCTION_CONCURRENCY: z.coerce.number().positive().default(1_000),
  // Set by Lambda itself.
  AWS_ACCESS_KEY_ID: z.string().min(1),
  AWS_SECRET_ACCESS_KEY: z.string().min(1),
  AWS_SESSION_TOKEN: z.string().min(1).optional(),
});

const remembered: LoadOptions['remembered'] = new Map();

/** Read at each call: Lambda's own credentials change while a process lives. */
export async function handler(): Promise<void> {
  const env = envSchema.parse(process.env);
  const nowMs = (): number => Date.now();
  const aws = createAwsCaller({
    accessKeyId: env.AWS_ACCESS_KEY_ID,
    secretAccessKey: env.AWS_SECRET_ACCESS_KEY,
    sessionToken: env.AWS_SESSION_TOKEN,
  });
  const table = openControlTable({ aws, region: env.AWS_REGION, endpoint: env.DATABASE_URL, name: env.TABLE_NAME });
  const probed = await probeTargets({
    config: await readConfig(table, env.ENVIRONMENT),
    aws,
    table,
    fetch,
    readLoad: createReadLoad({
      aws,
      functionName: env.FUNCTION_NAME,
      functionConcurrency: env.FUNCTION_CONCURRENCY,
      remembered,
      nowMs,
    }),
    nowMs,
  });
  process.stdout.write(
    `${JSON.stringify({ timestamp: new Date(nowMs()).toISOString(), level: 'info', message: 'probed', targets: probed })}\n`,
  );
}
