/**
 * The alarms on what AWS itself measures: function, endpoint, table. Each says which runbook entry answers it. Those on the
 * gateway's own figures are gateway-alarms.ts.
 */
import { Alarm, ComparisonOperator, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import type { IMetric } from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import type { TableV2 } from 'aws-cdk-lib/aws-dynamodb';
import type { Alias } from 'aws-cdk-lib/aws-lambda';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import { withRunbook } from '../runbook.ts';
import type { RunbookEntry } from '../runbook.ts';
import type { Settings } from '../settings.ts';
import { ALARM_PERIOD, endpointErrorRatio, endpointLatencyMs, functionErrorRatio, tableThrottles } from './metrics.ts';

/** Two bad periods of three: one slow minute does not wake anyone, a lasting fault rings within 15 minutes. */
const EVALUATED_PERIODS = 3;
const PERIODS_TO_ALARM = 2;

export type RuntimeAlarmsProps = {
  readonly settings: Settings['alarms'];
  readonly topic: ITopic;
  readonly alias: Alias;
  /** Null where there is no endpoint. */
  readonly endpointName: string | null;
  readonly table: TableV2;
};

export class RuntimeAlarms extends Construct {
  readonly alarms: Alarm[] = [];
  readonly #topic: ITopic;

  constructor(scope: Construct, id: string, { settings, topic, alias, endpointName, table }: RuntimeAlarmsProps) {
    super(scope, id);
    this.#topic = topic;
    const percent = Number((settings.errorRatio * 100).toFixed(2));

    this.#ring(
      'FunctionErrors',
      'function-errors',
      `More than ${percent} % of function calls fail.`,
      functionErrorRatio(alias),
      settings.errorRatio,
    );
    this.#ring(
      'FunctionThrottles',
      'function-throttles',
      'Lambda refuses calls for want of concurrency.',
      alias.metricThrottles({ statistic: 'Sum', period: ALARM_PERIOD }),
      0,
    );
    this.#ring(
      'FunctionLatency',
      'function-latency',
      `The function's p95 is above ${settings.functionP95Ms} ms.`,
      alias.metricDuration({ statistic: 'p95', period: ALARM_PERIOD }),
      settings.functionP95Ms,
    );
    this.#ring('TableThrottles', 'table-throttles', 'DynamoDB refuses reads or writes.', tableThrottles(table), 0);
    if (endpointName === null) return;

    this.#ring(
      'EndpointErrors',
      'endpoint-errors',
      `More than ${percent} % of endpoint calls fail with 5xx.`,
      endpointErrorRatio(endpointName),
      settings.errorRatio,
    );
    this.#ring(
      'EndpointLatency',
      'endpoint-latency',
      `The endpoint's model p95 is above ${settings.endpointP95Ms} ms.`,
      endpointLatencyMs(endpointName, 'p95'),
      settings.endpointP95Ms,
    );
  }

  #ring(id: string, entry: RunbookEntry, description: string, metric: IMetric, above: number): void {
    const alarm = new Alarm(this, id, {
      alarmDescription: withRunbook(description, entry),
      metric,
      threshold: above,
      comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
      evaluationPeriods: EVALUATED_PERIODS,
      datapointsToAlarm: PERIODS_TO_ALARM,
      // No traffic is normal here: most answers never leave the edge.
      treatMissingData: TreatMissingData.NOT_BREACHING,
    });
    alarm.addAlarmAction(new SnsAction(this.#topic));
    alarm.addOkAction(new SnsAction(this.#topic));
    this.alarms.push(alarm);
  }
}
