/**
 * What works beside the way of a request: the scheduled look at the targets, the rollup of metrics, batches. Stopping it stops
 * no answer.
 */
/* oxlint-disable no-new -- a construct joins its scope when made */
import { CfnOutput, Stack } from 'aws-cdk-lib';
import type { StackProps } from 'aws-cdk-lib';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import type { Construct } from 'constructs';
import { Batches } from '../constructs/batches.ts';
import { MetricsRollup } from '../constructs/metrics-rollup.ts';
import { ResourceProbe } from '../constructs/resource-probe.ts';
import type { Settings } from '../settings.ts';
import type { ComputeStack } from './compute.ts';
import type { DataStack } from './data.ts';

export type OperationsStackProps = StackProps & {
  readonly settings: Settings;
  readonly data: DataStack;
  readonly compute: ComputeStack;
  /** Directory of the small functions, `<name>.mjs` each. */
  readonly packageDir: string;
};

export class OperationsStack extends Stack {
  readonly rollup: IFunction;

  constructor(scope: Construct, id: string, props: OperationsStackProps) {
    super(scope, id, props);
    const { settings, data, compute, packageDir } = props;
    new ResourceProbe(this, 'ResourceProbe', {
      settings,
      table: data.table,
      alias: compute.alias,
      endpointArn: compute.endpointArn,
      packageDir,
    });
    this.rollup = new MetricsRollup(this, 'MetricsRollup', { settings, table: data.table, packageDir }).lambda;
    const batches = new Batches(this, 'Batches', {
      settings,
      table: data.table,
      workerRole: compute.workerRole,
      packageDir,
    });
    new CfnOutput(this, 'BatchBucketName', {
      value: batches.bucket.bucketName,
      description: 'Lines and results of batches',
    });
    new CfnOutput(this, 'BatchQueueUrl', {
      value: batches.queue.queueUrl,
      description: 'Chunks of batches to work through',
    });
    new CfnOutput(this, 'BatchPolicyArn', {
      value: batches.policy.managedPolicyArn,
      description: 'Attached to the worker role; without one, attach it to the user whose keys the worker has',
    });
  }
}
