/**
 * The dashboard: alarms first, then gateway, function, endpoint and table, a row each.
 */
import { AlarmStatusWidget, Dashboard, GraphWidget, TextWidget } from 'aws-cdk-lib/aws-cloudwatch';
import type { IAlarm, IMetric, IWidget } from 'aws-cdk-lib/aws-cloudwatch';
import type { TableV2 } from 'aws-cdk-lib/aws-dynamodb';
import type { Alias } from 'aws-cdk-lib/aws-lambda';
import type { Construct } from 'constructs';
import { GATEWAY_METRICS } from '../../shared/names.ts';
import { RUNBOOK_PATH } from '../runbook.ts';
import { gatewayMetric } from './gateway-alarms.ts';
import {
  ALARM_PERIOD,
  endpointErrorRatio,
  endpointLatencyMs,
  endpointMetric,
  functionErrorRatio,
  tableThrottles,
} from './metrics.ts';

const FULL_WIDTH = 24;
const THIRD = 8;
const PERCENTILES = ['p50', 'p95', 'p99'];

export type DashboardProps = {
  readonly name: string;
  readonly alarms: readonly IAlarm[];
  readonly environment: string;
  readonly alias: Alias;
  readonly endpointName: string | null;
  readonly table: TableV2;
};

export function operatorDashboard(scope: Construct, id: string, props: DashboardProps): Dashboard {
  const rows: IWidget[][] = [
    [new TextWidget({ width: FULL_WIDTH, height: 1, markdown: `What to do when an alarm rings: \`${RUNBOOK_PATH}\`` })],
    [new AlarmStatusWidget({ width: FULL_WIDTH, height: 2, title: 'Alarms', alarms: [...props.alarms] })],
    gatewayRow(props.environment),
    functionRow(props.alias),
    ...(props.endpointName === null ? [] : [endpointRow(props.endpointName)]),
    tableRow(props.table),
  ];
  return new Dashboard(scope, id, { dashboardName: props.name, widgets: rows });
}

function gatewayRow(environment: string): IWidget[] {
  const metric = (name: string): IMetric => gatewayMetric(environment, name);
  const { requests, p95Ms, costPerInferenceUsd, errorRate, fallbackRate, edgeUtilization } = GATEWAY_METRICS;
  return [
    graph('Gateway: requests in five minutes', [metric(requests)], [metric(errorRate), metric(fallbackRate)]),
    graph('Gateway: p95, ms', [metric(p95Ms)], [metric(edgeUtilization)]),
    graph('Gateway: US dollars a request', [metric(costPerInferenceUsd)]),
  ];
}

function functionRow(alias: Alias): IWidget[] {
  const sum = { statistic: 'Sum', period: ALARM_PERIOD };
  return [
    graph('Function: calls', [alias.metricInvocations(sum), alias.metricThrottles(sum)], [functionErrorRatio(alias)]),
    graph(
      'Function: duration, ms',
      PERCENTILES.map((statistic) => alias.metricDuration({ statistic, period: ALARM_PERIOD, label: statistic })),
    ),
    graph('Function: environments at once', [
      alias.metric('ConcurrentExecutions', { statistic: 'Maximum', period: ALARM_PERIOD, label: 'maximum' }),
    ]),
  ];
}

function endpointRow(endpointName: string): IWidget[] {
  const calls = endpointMetric(endpointName, 'Invocations', { statistic: 'Sum' });
  return [
    graph('Endpoint: calls', [calls], [endpointErrorRatio(endpointName)]),
    graph(
      'Endpoint: model latency, ms',
      PERCENTILES.map((statistic) => endpointLatencyMs(endpointName, statistic)),
    ),
    graph('Endpoint: calls per instance', [
      endpointMetric(endpointName, 'InvocationsPerInstance', { statistic: 'Sum' }),
    ]),
  ];
}

function tableRow(table: TableV2): IWidget[] {
  const sum = { statistic: 'Sum', period: ALARM_PERIOD };
  return [
    graph('Table: read units', [table.metricConsumedReadCapacityUnits(sum)]),
    graph('Table: write units', [table.metricConsumedWriteCapacityUnits(sum)]),
    graph('Table: throttled', [tableThrottles(table)]),
  ];
}

function graph(title: string, left: IMetric[], right: IMetric[] = []): GraphWidget {
  return new GraphWidget({ title, width: THIRD, left, right, leftYAxis: { min: 0 } });
}
