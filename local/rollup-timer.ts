/**
 * What the schedule and the rollup's Lambda do in AWS: sums up metrics now and then, with the function's own code.
 */
import { createAwsCaller, type AwsIdentity } from '../lambdas/lib/aws-call.ts';
import { openControlTable } from '../lambdas/lib/control-table.ts';
import { guaranteedRoutes, runRollup } from '../lambdas/rollup/handler.ts';
import { openRollupTable } from '../lambdas/rollup/table.ts';

export type RollupTimerOptions = {
  readonly identity: AwsIdentity;
  readonly region: string;
  readonly databaseUrl: string;
  readonly table: string;
  readonly shards: number;
  readonly environment: string;
  readonly everyMs: number;
  readonly onLine: (line: string) => void;
};

export type RollupTimer = { close(): Promise<void> };

export function startRollupTimer(options: RollupTimerOptions): RollupTimer {
  const { region, databaseUrl: endpoint, table: name, environment } = options;
  const aws = createAwsCaller(options.identity);
  const table = openRollupTable({ aws, region, endpoint, tableName: name, shards: options.shards });
  const control = openControlTable({ aws, region, endpoint, name });
  let running: Promise<void> = Promise.resolve();
  const begin = (): void => {
    // A table that is away: the next run catches up, and the line says why.
    running = runRollup({
      table,
      guaranteedRoutes: () => guaranteedRoutes(control, environment),
      environment,
      now: () => Date.now(),
      write: (line) => options.onLine(line.trimEnd()),
    }).catch(() => undefined);
  };
  const timer = setInterval(begin, options.everyMs);
  return {
    async close() {
      clearInterval(timer);
      await running;
    },
  };
}
