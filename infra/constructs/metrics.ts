/**
 * CloudWatch metrics that alarms and dashboard share, each defined once.
 */
import { Duration } from 'aws-cdk-lib';
import { MathExpression, Metric } from 'aws-cdk-lib/aws-cloudwatch';
import type { MetricOptions } from 'aws-cdk-lib/aws-cloudwatch';
import type { TableV2 } from 'aws-cdk-lib/aws-dynamodb';
import type { Alias } from 'aws-cdk-lib/aws-lambda';
import { ENDPOINT_VARIANT } from './endpoint-name.ts';

export const ALARM_PERIOD = Duration.minutes(5);
/** Below it one failure would already be a rate worth ringing for. */
const MIN_CALLS_FOR_A_RATE = 20;

export function endpointMetric(endpointName: string, metricName: string, options: MetricOptions): Metric {
  return new Metric({
    namespace: 'AWS/SageMaker',
    metricName,
    dimensionsMap: { EndpointName: endpointName, VariantName: ENDPOINT_VARIANT },
    period: ALARM_PERIOD,
    ...options,
  });
}

export function functionErrorRatio(alias: Alias): MathExpression {
  return errorRatio(
    alias.metricErrors({ period: ALARM_PERIOD, statistic: 'Sum' }),
    alias.metricInvocations({ period: ALARM_PERIOD, statistic: 'Sum' }),
    'function error ratio',
  );
}

export function endpointErrorRatio(endpointName: string): MathExpression {
  return errorRatio(
    endpointMetric(endpointName, 'Invocation5XXErrors', { statistic: 'Sum' }),
    endpointMetric(endpointName, 'Invocations', { statistic: 'Sum' }),
    'endpoint error ratio',
  );
}

/** SageMaker counts latency in microseconds. */
export function endpointLatencyMs(endpointName: string, statistic: string): MathExpression {
  // Named by its statistic: one graph may hold several.
  const micros = `micros_${statistic}`;
  return new MathExpression({
    expression: `${micros} / 1000`,
    usingMetrics: { [micros]: endpointMetric(endpointName, 'ModelLatency', { statistic }) },
    period: ALARM_PERIOD,
    label: `model ${statistic} ms`,
  });
}

export function tableThrottles(table: TableV2): MathExpression {
  const options = { statistic: 'Sum', period: ALARM_PERIOD, dimensionsMap: { TableName: table.tableName } };
  return new MathExpression({
    expression: 'FILL(reads, 0) + FILL(writes, 0)',
    usingMetrics: {
      reads: new Metric({ namespace: 'AWS/DynamoDB', metricName: 'ReadThrottleEvents', ...options }),
      writes: new Metric({ namespace: 'AWS/DynamoDB', metricName: 'WriteThrottleEvents', ...options }),
    },
    period: ALARM_PERIOD,
    label: 'throttled requests',
  });
}

function errorRatio(errors: Metric, calls: Metric, label: string): MathExpression {
  return new MathExpression({
    expression: `IF(calls >= ${MIN_CALLS_FOR_A_RATE}, errors / calls, 0)`,
    usingMetrics: { errors, calls },
    period: ALARM_PERIOD,
    label,
  });
}
