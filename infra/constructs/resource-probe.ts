/**
 * The scheduled look at every target. Owns what it may do: read the configuration, put statuses, call the function's front
 * door, describe the endpoint, read two metrics. It can ask no model for an answer at the endpoint.
 */
import { Validations } from 'aws-cdk-lib';
import type { TableV2 } from 'aws-cdk-lib/aws-dynamodb';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { Alias } from 'aws-cdk-lib/aws-lambda';
import { Construct } from 'constructs';
import { configPartition } from '../../shared/names.ts';
import { PROBE_MINUTES } from '../probe-schedule.ts';
import type { Settings } from '../settings.ts';
import { SmallFunction } from './small-function.ts';
import { onlyPartitions } from './table-access.ts';

export type ResourceProbeProps = {
  readonly settings: Settings;
  readonly table: TableV2;
  readonly alias: Alias;
  /** Null where there is no endpoint. */
  readonly endpointArn: string | null;
  readonly packageDir: string;
};

/** What an account may run at once unless it was raised, or a function reserves its own. */
const ACCOUNT_CONCURRENCY = 1_000;

export class ResourceProbe extends Construct {
  constructor(scope: Construct, id: string, props: ResourceProbeProps) {
    super(scope, id);
    const { settings, table, alias, endpointArn, packageDir } = props;
    const probe = new SmallFunction(this, 'Probe', {
      name: 'probe',
      description: 'Looks at every target without an inference and records its health and load',
      packageDir,
      memoryMb: 128,
      timeoutSeconds: 30,
      logRetentionDays: settings.function.logRetentionDays,
      environment: {
        TABLE_NAME: table.tableName,
        ENVIRONMENT: settings.environment,
        FUNCTION_NAME: alias.lambda.functionName,
        FUNCTION_CONCURRENCY: String(settings.function.reservedConcurrency ?? ACCOUNT_CONCURRENCY),
      },
    });
    probe.every(PROBE_MINUTES);
    for (const statement of statements(props)) probe.role.addToPolicy(statement);
    Validations.of(probe.role).acknowledge({
      id: 'AwsSolutions-IAM5[Resource::*]',
      reason: 'cloudwatch:GetMetricData knows no resources in IAM; it reads figures and changes nothing.',
    });
    if (endpointArn === null) return;
    probe.role.addToPolicy(
      new PolicyStatement({
        sid: 'DescribeEndpoint',
        actions: ['sagemaker:DescribeEndpoint'],
        resources: [endpointArn],
      }),
    );
  }
}

function statements({ settings, table, alias }: ResourceProbeProps): PolicyStatement[] {
  return [
    new PolicyStatement({
      sid: 'ReadConfiguration',
      actions: ['dynamodb:GetItem'],
      resources: [table.tableArn],
      conditions: onlyPartitions([configPartition(settings.environment)]),
    }),
    new PolicyStatement({
      sid: 'PutStatus',
      actions: ['dynamodb:PutItem'],
      resources: [table.tableArn],
      conditions: onlyPartitions(['RES#*']),
    }),
    new PolicyStatement({
      sid: 'CallFunctionUrl',
      actions: ['lambda:InvokeFunctionUrl'],
      resources: [alias.functionArn],
      conditions: { StringEquals: { 'lambda:FunctionUrlAuthType': 'AWS_IAM' } },
    }),
    new PolicyStatement({
      sid: 'InvokeThroughUrl',
      actions: ['lambda:InvokeFunction'],
      resources: [alias.functionArn],
      conditions: { Bool: { 'lambda:InvokedViaFunctionUrl': 'true' } },
    }),
    new PolicyStatement({ sid: 'ReadLoad', actions: ['cloudwatch:GetMetricData'], resources: ['*'] }),
  ];
}
