/**
 * The scheduled rollup and the alarms on what it publishes: what it may touch, when it runs, when each alarm rings.
 */
/* oxlint-disable vitest/expect-expect -- a Template's own methods are the assertions */
import { Match } from 'aws-cdk-lib/assertions';
import { describe, expect, test } from 'vitest';
import { ROLLUP_PARTITIONS, ROLLUP_SOURCES } from '../../infra/constructs/metrics-rollup.ts';
import { readablePartitions, WRITABLE_PARTITIONS } from '../../infra/constructs/worker-access.ts';
import { putRollup, putWindow } from '../../shared/measure/metrics-items.ts';
import { auditPartition, configPartition, guardPartition } from '../../shared/names.ts';
import { synthesise } from './synth.ts';
import type { Statement } from './synth.ts';

const { observability, operations } = synthesise({ environment: 'staging', table: { metricsShards: 8 } });
const matches = (patterns: readonly string[], key: string): boolean =>
  patterns.some((pattern) => key.startsWith(pattern.replace('*', '')));

describe('the rollup', () => {
  test('runs every five minutes, for four at most, and writes lines as they are', () => {
    operations.hasResourceProperties('AWS::Events::Rule', { ScheduleExpression: 'rate(5 minutes)', State: 'ENABLED' });
    operations.hasResourceProperties('AWS::Lambda::Function', {
      Architectures: ['arm64'],
      Runtime: 'nodejs24.x',
      Handler: 'rollup.handler',
      Timeout: 240,
      LoggingConfig: { LogFormat: 'Text' },
      Environment: { Variables: { ENVIRONMENT: 'staging', METRICS_SHARDS: '8' } },
    });
  });

  test('may read flushes and its own configuration, write rollups and its log: nothing else', () => {
    const [role] = Object.keys(operations.findResources('AWS::IAM::Role')).filter((id) =>
      id.startsWith('MetricsRollup'),
    );
    const policies = Object.values(operations.findResources('AWS::IAM::Policy')).filter((policy) =>
      JSON.stringify(policy['Properties'].Roles).includes(`"${role}"`),
    );
    const statements = policies.flatMap((policy): Statement[] => policy['Properties'].PolicyDocument.Statement);
    const onTable = statements.filter(({ Action }) => [Action].flat().some((action) => action.startsWith('dynamodb:')));
    const table = { 'Fn::ImportValue': expect.stringMatching(/-data:ExportsOutputFnGetAttTable.*Arn/) };
    const only = (partitions: readonly string[]) => ({
      'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': partitions },
      Null: { 'dynamodb:LeadingKeys': 'false' },
    });
    expect(onTable).toEqual([
      {
        Sid: 'ReadMetrics',
        Effect: 'Allow',
        Action: 'dynamodb:Query',
        Resource: table,
        Condition: only(['M1#*', 'AUDIT#*', 'R5#*', 'R60#*', 'R1440#*']),
      },
      {
        Sid: 'ReadConfiguration',
        Effect: 'Allow',
        Action: 'dynamodb:GetItem',
        Resource: table,
        Condition: only(['CFG#staging']),
      },
      {
        Sid: 'PutRollups',
        Effect: 'Allow',
        Action: 'dynamodb:PutItem',
        Resource: table,
        Condition: only(['R5#*', 'R60#*', 'R1440#*']),
      },
    ]);
    const others = statements.filter((statement) => !onTable.includes(statement)).flatMap(({ Action }) => Action);
    expect(others.sort()).toEqual(['logs:CreateLogStream', 'logs:PutLogEvents']);
  });

  test('has the partitions that its items really lie in, which the worker reads and cannot write', () => {
    const rollups = (['five_minutes', 'hour', 'day'] as const).map(
      (step) => putRollup({ step, route: '*', startMinute: 29_000_000, routes: [], body: '' })['pk'],
    );
    for (const key of rollups) {
      const text = key !== undefined && 'S' in key ? key.S : '';
      expect(matches(ROLLUP_PARTITIONS, text)).toBe(true);
      expect(matches(readablePartitions('staging'), text)).toBe(true);
      expect(matches(WRITABLE_PARTITIONS, text)).toBe(false);
    }
    const window = putWindow({ minute: 1, isolateId: 'i', sequence: 1, body: '' }, 4)['pk'];
    expect(matches(ROLLUP_SOURCES, window !== undefined && 'S' in window ? window.S : '')).toBe(true);
    expect(matches(ROLLUP_SOURCES, auditPartition('intent'))).toBe(true);
    for (const key of [configPartition('staging'), guardPartition('intent')])
      expect(matches([...ROLLUP_SOURCES, ...ROLLUP_PARTITIONS], key)).toBe(false);
  });
});

describe('the gateway’s alarms', () => {
  test.each([
    ['gateway-errors', 'ErrorRate', 0.05, 'GreaterThanThreshold'],
    ['gateway-latency', 'ResponseTimeP95', 500, 'GreaterThanThreshold'],
    ['gateway-fallbacks', 'FallbackRate', 0.05, 'GreaterThanThreshold'],
    ['edge-utilization', 'EdgeUtilization', 0.7, 'LessThanThreshold'],
    ['cost-per-inference', 'CostPerInference', 0.000005, 'GreaterThanThreshold'],
    ['guarantee-at-risk', 'GuaranteesAtRisk', 0, 'GreaterThanThreshold'],
  ])('%s rings on %s, two periods of three, and not for want of traffic', (entry, MetricName, Threshold, operator) => {
    observability.hasResourceProperties('AWS::CloudWatch::Alarm', {
      AlarmDescription: Match.stringLikeRegexp(`RUNBOOK.md#${entry}$`),
      Namespace: 'HybridInference',
      MetricName,
      Dimensions: [{ Name: 'Environment', Value: 'staging' }],
      Statistic: 'Maximum',
      Period: 300,
      Threshold,
      ComparisonOperator: operator,
      EvaluationPeriods: 3,
      DatapointsToAlarm: 2,
      TreatMissingData: 'notBreaching',
    });
  });

  test('rollup-lag rings when no run succeeds for fifteen minutes, or none is heard of', () => {
    observability.hasResourceProperties('AWS::CloudWatch::Alarm', {
      AlarmDescription: Match.stringLikeRegexp('RUNBOOK.md#rollup-lag$'),
      Namespace: 'AWS/Lambda',
      MetricName: 'Errors',
      Statistic: 'Minimum',
      Threshold: 0,
      ComparisonOperator: 'GreaterThanThreshold',
      EvaluationPeriods: 3,
      DatapointsToAlarm: 3,
      TreatMissingData: 'breaching',
    });
  });
});
