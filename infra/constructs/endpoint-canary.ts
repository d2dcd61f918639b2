/**
 * How an endpoint on instances moves to a new version: a small share first, back by itself when that share fails.
 * Owns the alarm that decides; it is not among the operator's alarms, because its answer is automatic.
 */
import { Duration } from 'aws-cdk-lib';
import { Alarm, ComparisonOperator, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import type { CfnEndpoint } from 'aws-cdk-lib/aws-sagemaker';
import type { Construct } from 'constructs';
import { withRunbook } from '../runbook.ts';
import type { InstanceHosting } from '../settings.ts';
import { endpointMetric } from './metrics.ts';

/** How long the old version stays after the move, for a late roll-back. */
const KEEP_OLD_SECONDS = 300;
const MAX_UPDATE_SECONDS = 3_600;
const ERRORS_A_MINUTE = 5;

export function canaryUpdate(
  scope: Construct,
  endpointName: string,
  canary: NonNullable<InstanceHosting['canary']>,
): CfnEndpoint.DeploymentConfigProperty {
  const alarm = new Alarm(scope, 'CanaryErrors', {
    alarmName: `${endpointName}-canary-errors`,
    alarmDescription: withRunbook(
      'The endpoint answers with errors: an update in progress is rolled back.',
      'endpoint-errors',
    ),
    metric: endpointMetric(endpointName, 'Invocation5XXErrors', { statistic: 'Sum', period: Duration.minutes(1) }),
    comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
    threshold: ERRORS_A_MINUTE,
    evaluationPeriods: 1,
    treatMissingData: TreatMissingData.NOT_BREACHING,
  });
  return {
    autoRollbackConfiguration: { alarms: [{ alarmName: alarm.alarmName }] },
    blueGreenUpdatePolicy: {
      trafficRoutingConfiguration: {
        type: 'CANARY',
        canarySize: { type: 'CAPACITY_PERCENT', value: canary.percent },
        waitIntervalInSeconds: canary.waitSeconds,
      },
      terminationWaitInSeconds: KEEP_OLD_SECONDS,
      maximumExecutionTimeoutInSeconds: MAX_UPDATE_SECONDS,
    },
  };
}
