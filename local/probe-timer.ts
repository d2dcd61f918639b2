/**
 * What the schedule and the probe's Lambda do in AWS: looks at every target now and then, with the function's own code.
 */
import { createAwsCaller, type AwsIdentity } from '../lambdas/lib/aws-call.ts';
import { openControlTable, readConfig } from '../lambdas/lib/control-table.ts';
import { probeTargets } from '../lambdas/probe/probe.ts';

export type ProbeTimerOptions = {
  readonly identity: AwsIdentity;
  readonly region: string;
  readonly databaseUrl: string;
  readonly table: string;
  readonly environment: string;
  readonly everyMs: number;
};

export type ProbeTimer = { close(): Promise<void> };

export function startProbeTimer(options: ProbeTimerOptions): ProbeTimer {
  const aws = createAwsCaller(options.identity);
  const table = openControlTable({ aws, region: options.region, endpoint: options.databaseUrl, name: options.table });
  let looking: Promise<unknown> = Promise.resolve();

  async function look(): Promise<void> {
    const config = await readConfig(table, options.environment);
    await probeTargets({ config, aws, table, fetch, readLoad: undefined, nowMs: () => Date.now() });
  }

  const begin = (): void => {
    // A table that is away: the next look may find it.
    looking = look().catch(() => undefined);
  };
  begin();
  const timer = setInterval(begin, options.everyMs);
  return {
    async close() {
      clearInterval(timer);
      await looking;
    },
  };
}
