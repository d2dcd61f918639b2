/**
 * The alarms on what the gateway measures of itself, as the rollup publishes it, and on the rollup's own pulse. Each says which
 * runbook entry answers it.
 */
import { Alarm, ComparisonOperator, Metric, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import type { AlarmProps, IMetric } from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import { GATEWAY_METRICS, METRICS_DIMENSION, METRICS_NAMESPACE } from '../../shared/names.ts';
import { withRunbook } from '../runbook.ts';
import type { RunbookEntry } from '../runbook.ts';
import type { Settings } from '../settings.ts';
import { ALARM_PERIOD } from './metrics.ts';

/** One bad period of five minutes may be a single slow place; two of three are a state. */
const EVALUATED_PERIODS = 3;
const PERIODS_TO_ALARM = 2;

export type GatewayAlarmsProps = {
  readonly settings: Settings;
  readonly topic: ITopic;
  readonly rollup: IFunction;
};

/** A gauge of the whole gateway: of one that was written twice in a period, the larger counts. */
export function gatewayMetric(environment: string, metricName: string): Metric {
  return new Metric({
    namespace: METRICS_NAMESPACE,
    metricName,
    dimensionsMap: { [METRICS_DIMENSION]: environment },
    statistic: 'Maximum',
    period: ALARM_PERIOD,
  });
}

export class GatewayAlarms extends Construct {
  readonly alarms: Alarm[] = [];
  readonly #topic: ITopic;

  constructor(scope: Construct, id: string, { settings, topic, rollup }: GatewayAlarmsProps) {
    super(scope, id);
    this.#topic = topic;
    const { errorRatio, fallbackRatio, gatewayP95Ms, minEdgeRatio, costPerInferenceUsd } = settings.alarms;
    const metric = (name: string): Metric => gatewayMetric(settings.environment, name);

    this.#above(
      'Errors',
      'gateway-errors',
      `More than ${percent(errorRatio)} of requests are answered with an error.`,
      metric(GATEWAY_METRICS.errorRate),
      errorRatio,
    );
    this.#above(
      'Latency',
      'gateway-latency',
      `The gateway's p95 is above ${gatewayP95Ms} ms.`,
      metric(GATEWAY_METRICS.p95Ms),
      gatewayP95Ms,
    );
    this.#above(
      'Fallbacks',
      'gateway-fallbacks',
      `In more than ${percent(fallbackRatio)} of requests a place failed and another had to answer.`,
      metric(GATEWAY_METRICS.fallbackRate),
      fallbackRatio,
    );
    this.#ring('EdgeUtilization', 'edge-utilization', `Less than ${percent(minEdgeRatio)} is answered at the edge.`, {
      metric: metric(GATEWAY_METRICS.edgeUtilization),
      threshold: minEdgeRatio,
      comparisonOperator: ComparisonOperator.LESS_THAN_THRESHOLD,
    });
    this.#above(
      'Cost',
      'cost-per-inference',
      `A request costs more than ${costPerInferenceUsd} US dollars on average.`,
      metric(GATEWAY_METRICS.costPerInferenceUsd),
      costPerInferenceUsd,
    );
    this.#above(
      'Guarantee',
      'guarantee-at-risk',
      'Audits have tightened or disabled a shortcut of a route that promises agreement.',
      metric(GATEWAY_METRICS.guaranteesAtRisk),
      0,
    );
    // Each run sums up all that was due, so one that succeeded means no lag. Lambda counts an error of every run, 0 or 1.
    this.#ring('RollupLag', 'rollup-lag', 'No rollup of metrics has succeeded for fifteen minutes.', {
      metric: rollup.metricErrors({ statistic: 'Minimum', period: ALARM_PERIOD }),
      threshold: 0,
      comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
      datapointsToAlarm: EVALUATED_PERIODS,
      // A schedule that does not run leaves nothing behind.
      treatMissingData: TreatMissingData.BREACHING,
    });
  }

  #above(id: string, entry: RunbookEntry, description: string, metric: IMetric, threshold: number): void {
    const comparisonOperator = ComparisonOperator.GREATER_THAN_THRESHOLD;
    this.#ring(id, entry, description, { metric, threshold, comparisonOperator });
  }

  #ring(id: string, entry: RunbookEntry, description: string, props: Omit<AlarmProps, 'evaluationPeriods'>): void {
    const alarm = new Alarm(this, id, {
      alarmDescription: withRunbook(description, entry),
      evaluationPeriods: EVALUATED_PERIODS,
      datapointsToAlarm: PERIODS_TO_ALARM,
      // Without traffic there is nothing to say.
      treatMissingData: TreatMissingData.NOT_BREACHING,
      ...props,
    });
    alarm.addAlarmAction(new SnsAction(this.#topic));
    alarm.addOkAction(new SnsAction(this.#topic));
    this.alarms.push(alarm);
  }
}

function percent(ratio: number): string {
  return `${Number((ratio * 100).toFixed(2))} %`;
}
