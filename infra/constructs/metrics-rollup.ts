/**
 * The scheduled rollup: a function that every five minutes sums up what workers flushed. Owns what it may do with the table.
 */
import type { TableV2 } from 'aws-cdk-lib/aws-dynamodb';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import { Construct } from 'constructs';
import { configPartition } from '../../shared/names.ts';
import { ROLLUP_MINUTES } from '../rollup-schedule.ts';
import type { Settings } from '../settings.ts';
import { SmallFunction } from './small-function.ts';
import { onlyPartitions } from './table-access.ts';

/** What it writes, and reads again for the next coarser step. */
export const ROLLUP_PARTITIONS = ['R5#*', 'R60#*', 'R1440#*'];
/** Raw flushes, and what audits said. */
export const ROLLUP_SOURCES = ['M1#*', 'AUDIT#*'];

export type MetricsRollupProps = {
  readonly settings: Settings;
  readonly table: TableV2;
  readonly packageDir: string;
};

export class MetricsRollup extends Construct {
  readonly lambda: IFunction;

  constructor(scope: Construct, id: string, { settings, table, packageDir }: MetricsRollupProps) {
    super(scope, id);
    const rollup = new SmallFunction(this, 'Rollup', {
      name: 'rollup',
      description: 'Sums up the metrics that workers flushed',
      packageDir,
      memoryMb: 256,
      // Catching up with two days of windows takes longest; a run that hangs must end before the next but one.
      timeoutSeconds: 240,
      logRetentionDays: settings.function.logRetentionDays,
      plainLog: true,
      environment: {
        TABLE_NAME: table.tableName,
        ENVIRONMENT: settings.environment,
        METRICS_SHARDS: String(settings.table.metricsShards),
      },
    });
    rollup.every(ROLLUP_MINUTES);
    rollup.role.addToPolicy(
      new PolicyStatement({
        sid: 'ReadMetrics',
        actions: ['dynamodb:Query'],
        resources: [table.tableArn],
        conditions: onlyPartitions([...ROLLUP_SOURCES, ...ROLLUP_PARTITIONS]),
      }),
    );
    // Which routes promise agreement: of a shortcut that audits switched off no audit speaks any more.
    rollup.role.addToPolicy(
      new PolicyStatement({
        sid: 'ReadConfiguration',
        actions: ['dynamodb:GetItem'],
        resources: [table.tableArn],
        conditions: onlyPartitions([configPartition(settings.environment)]),
      }),
    );
    rollup.role.addToPolicy(
      new PolicyStatement({
        sid: 'PutRollups',
        actions: ['dynamodb:PutItem'],
        resources: [table.tableArn],
        conditions: onlyPartitions(ROLLUP_PARTITIONS),
      }),
    );
    this.lambda = rollup.lambda;
  }
}
