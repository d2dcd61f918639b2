/**
 * The scheduled rollup as Lambda starts it. Owns its environment, its log line and its metrics; what it does is roll-up.ts.
 */
import * as z from 'zod';
import { GATEWAY_METRICS, METRICS_DIMENSION } from '../../shared/names.ts';
import { createAwsCaller } from '../lib/aws-call.ts';
import { openControlTable, readConfig, type ControlTable } from '../lib/control-table.ts';
import { emfFields, type EmfUnit } from '../lib/emf.ts';
import { describeFailure } from '../lib/logger.ts';
import { gatewayFigures } from './gateway-figures.ts';
import { rollUp } from './roll-up.ts';
import { openRollupTable, type RollupDynamoTable } from './table.ts';

const envSchema = z.object({
  TABLE_NAME: z.string().min(1),
  ENVIRONMENT: z.string().min(1),
  METRICS_SHARDS: z.coerce.number().int().min(1).max(64).default(4),
  AWS_REGION: z.string().min(1),
  DATABASE_URL: z.url().optional(),
  // Set by Lambda itself.
  AWS_ACCESS_KEY_ID: z.string().min(1),
  AWS_SECRET_ACCESS_KEY: z.string().min(1),
  AWS_SESSION_TOKEN: z.string().min(1).optional(),
});

const UNITS: Readonly<Record<string, EmfUnit>> = {
  [GATEWAY_METRICS.requests]: 'Count',
  [GATEWAY_METRICS.p95Ms]: 'Milliseconds',
  [GATEWAY_METRICS.guaranteesAtRisk]: 'Count',
};

export type RollupJobOptions = {
  readonly table: RollupDynamoTable;
  /** Routes of the configuration in force that promise agreement. */
  readonly guaranteedRoutes: () => Promise<readonly string[]>;
  readonly environment: string;
  readonly now: () => number;
  readonly write: (line: string) => void;
};

/** One run. Rejects where it could not be finished; the next one is soon enough. */
export async function runRollup(options: RollupJobOptions): Promise<void> {
  const { table, environment, now, write } = options;
  const startedAtMs = now();
  const log = (level: string, fields: object): void =>
    write(`${JSON.stringify({ timestamp: new Date(now()).toISOString(), level, message: 'rollup', ...fields })}\n`);
  try {
    const run = await rollUp(table, startedAtMs);
    // Without a readable configuration, those that audits are about.
    const guaranteed = await options.guaranteedRoutes().catch(() => []);
    const { metrics, properties } = await gatewayFigures(table, run, guaranteed, startedAtMs);
    const fields = emfFields({
      timestampMs: startedAtMs,
      dimensions: { [METRICS_DIMENSION]: environment },
      metrics: Object.fromEntries(
        Object.entries(metrics).map(([name, value]) => [name, { value, unit: UNITS[name] ?? 'None' }]),
      ),
      properties: { ...properties, duration_ms: now() - startedAtMs },
    });
    log(run.unreadable > 0 ? 'warn' : 'info', fields);
  } catch (error) {
    log('error', { detail: describeFailure(error), duration_ms: now() - startedAtMs });
    throw error;
  }
}

export async function guaranteedRoutes(table: ControlTable, environment: string): Promise<readonly string[]> {
  const { routes } = await readConfig(table, environment);
  return routes.flatMap(({ name, guarantee }) => (guarantee === undefined ? [] : [name]));
}

/** Read at each call: Lambda's own credentials change while a process lives. */
export async function handler(): Promise<void> {
  const env = envSchema.parse(process.env);
  const aws = createAwsCaller({
    accessKeyId: env.AWS_ACCESS_KEY_ID,
    secretAccessKey: env.AWS_SECRET_ACCESS_KEY,
    sessionToken: env.AWS_SESSION_TOKEN,
  });
  const control = openControlTable({
    aws,
    region: env.AWS_REGION,
    endpoint: env.DATABASE_URL,
    name: env.TABLE_NAME,
  });
  await runRollup({
    table: openRollupTable({
      aws,
      region: env.AWS_REGION,
      endpoint: env.DATABASE_URL,
      tableName: env.TABLE_NAME,
      shards: env.METRICS_SHARDS,
    }),
    guaranteedRoutes: () => guaranteedRoutes(control, env.ENVIRONMENT),
    environment: env.ENVIRONMENT,
    now: () => Date.now(),
    write: (line) => process.stdout.write(line),
  });
}
