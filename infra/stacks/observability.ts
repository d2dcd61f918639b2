/**
 * What watches the other stacks: topic, alarms, budget, dashboard. Changing it cannot disturb an answer.
 */
/* oxlint-disable no-new -- a construct joins its scope when made */
import { CfnOutput, Stack } from 'aws-cdk-lib';
import type { StackProps } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { alarmTopic } from '../constructs/alarm-topic.ts';
import { GatewayAlarms } from '../constructs/gateway-alarms.ts';
import { monthlyBudget } from '../constructs/monthly-budget.ts';
import { operatorDashboard } from '../constructs/operator-dashboard.ts';
import { RuntimeAlarms } from '../constructs/runtime-alarms.ts';
import { deploymentName } from '../settings.ts';
import type { Settings } from '../settings.ts';
import type { ComputeStack } from './compute.ts';
import type { DataStack } from './data.ts';
import type { OperationsStack } from './operations.ts';

export type ObservabilityStackProps = StackProps & {
  readonly settings: Settings;
  readonly data: DataStack;
  readonly compute: ComputeStack;
  readonly operations: OperationsStack;
};

export class ObservabilityStack extends Stack {
  constructor(scope: Construct, id: string, props: ObservabilityStackProps) {
    super(scope, id, props);
    const { settings, data, compute, operations } = props;
    const watched = { alias: compute.alias, endpointName: compute.endpointName, table: data.table };

    const topic = alarmTopic(this, 'AlarmTopic', settings.alarms.email);
    const gateway = new GatewayAlarms(this, 'GatewayAlarms', { settings, topic, rollup: operations.rollup });
    const runtime = new RuntimeAlarms(this, 'Alarms', { settings: settings.alarms, topic, ...watched });
    const alarms = [...gateway.alarms, ...runtime.alarms];
    monthlyBudget(this, 'Budget', settings, topic);
    const name = deploymentName(settings);
    operatorDashboard(this, 'Dashboard', { name, alarms, environment: settings.environment, ...watched });

    new CfnOutput(this, 'AlarmTopicArn', { value: topic.topicArn, description: 'Subscribe to it to hear alarms' });
    new CfnOutput(this, 'DashboardName', { value: name, description: 'CloudWatch dashboard' });
  }
}
