/**
 * The observability stack: which alarms there are, when they ring, whom they tell, and that each has its way out.
 */
/* oxlint-disable vitest/expect-expect -- a Template's own methods are the assertions */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Match } from 'aws-cdk-lib/assertions';
import { describe, expect, test } from 'vitest';
import { RUNBOOK_ENTRIES, RUNBOOK_PATH } from '../../infra/runbook.ts';
import { ROOT, synthesise } from './synth.ts';

const bare = synthesise();
const full = synthesise({
  alarms: { email: 'ops@example.com', functionP95Ms: 800, errorRatio: 0.07 },
  budget: { monthlyUsd: 20, scope: 'tag' },
  endpoint: {
    imageTag: 'v1',
    hosting: { kind: 'instances', instanceType: 'ml.c7i.large', minInstances: 2, canary: {} },
  },
});

type Alarm = {
  readonly AlarmDescription: string;
  readonly AlarmActions?: unknown[];
  readonly OKActions?: unknown[];
};

function alarmsOf(template: (typeof bare)['compute']): Alarm[] {
  return Object.values(template.findResources('AWS::CloudWatch::Alarm')).map((alarm): Alarm => alarm['Properties']);
}

function entryOf({ AlarmDescription }: Alarm): string {
  return AlarmDescription.slice(AlarmDescription.lastIndexOf('#') + 1);
}

describe('the runbook', () => {
  const runbook = readFileSync(join(ROOT, RUNBOOK_PATH), 'utf8');
  const sections = new Map(
    runbook
      .split(/^## /m)
      .slice(1)
      .map((section) => [section.slice(0, section.indexOf('\n')), section]),
  );

  test('has one section an entry and no other', () => {
    expect([...sections.keys()].sort()).toEqual([...RUNBOOK_ENTRIES].sort());
  });

  test.each([...RUNBOOK_ENTRIES])('%s says what it is, how to look and what to do', (entry) => {
    expect(sections.get(entry)).toMatch(/\*\*Description\.\*\*[^]+\*\*Investigation\.\*\*[^]+\*\*Resolution\.\*\*/);
  });

  test('is named by every alarm, and every entry by an alarm or the budget', () => {
    const named = [...alarmsOf(full.observability), ...alarmsOf(full.compute)].map(entryOf);
    expect([...new Set([...named, 'monthly-budget'])].sort()).toEqual([...RUNBOOK_ENTRIES].sort());
    full.observability.hasResourceProperties('AWS::Budgets::Budget', {
      Budget: { BudgetName: 'hybrid-inference-production-monthly-budget' },
    });
  });
});

describe('alarms', () => {
  test('watch gateway, function and table always, the endpoint where there is one', () => {
    expect(alarmsOf(bare.observability).map(entryOf).sort()).toEqual([
      'cost-per-inference',
      'edge-utilization',
      'function-errors',
      'function-latency',
      'function-throttles',
      'gateway-errors',
      'gateway-fallbacks',
      'gateway-latency',
      'guarantee-at-risk',
      'rollup-lag',
      'table-throttles',
    ]);
    expect(alarmsOf(full.observability).map(entryOf)).toEqual(
      expect.arrayContaining(['endpoint-errors', 'endpoint-latency']),
    );
  });

  test('tell the topic when they begin and when they end', () => {
    const topic = [{ Ref: expect.stringContaining('AlarmTopic') }];
    for (const alarm of alarmsOf(full.observability)) {
      expect(alarm.AlarmActions).toEqual(topic);
      expect(alarm.OKActions).toEqual(topic);
    }
  });

  test('stay silent without traffic, but for the rollup, and ring after two bad periods of three', () => {
    const others = Object.values(bare.observability.findResources('AWS::CloudWatch::Alarm'))
      .map((alarm) => alarm['Properties'])
      .filter((alarm) => entryOf(alarm) !== 'rollup-lag');
    expect(others.length).toBeGreaterThan(8);
    for (const alarm of others)
      expect(alarm).toMatchObject({ TreatMissingData: 'notBreaching', EvaluationPeriods: 3, DatapointsToAlarm: 2 });
  });

  test('take their thresholds from the settings and say them', () => {
    full.observability.hasResourceProperties('AWS::CloudWatch::Alarm', {
      AlarmDescription: Match.stringLikeRegexp('p95 is above 800 ms'),
      Threshold: 800,
      ExtendedStatistic: 'p95',
      MetricName: 'Duration',
    });
    full.observability.hasResourceProperties('AWS::CloudWatch::Alarm', {
      AlarmDescription: Match.stringLikeRegexp('More than 7 % of function calls fail'),
      Threshold: 0.07,
    });
  });

  test('turn the microseconds of SageMaker into milliseconds', () => {
    full.observability.hasResourceProperties('AWS::CloudWatch::Alarm', {
      Threshold: 2_000,
      Metrics: Match.arrayWith([Match.objectLike({ Expression: 'micros_p95 / 1000' })]),
    });
  });
});

describe('the topic', () => {
  test('takes word from alarms and the budget of this account only, and only over TLS', () => {
    bare.observability.hasResourceProperties('AWS::SNS::TopicPolicy', {
      PolicyDocument: {
        Statement: Match.arrayWith([
          Match.objectLike({ Effect: 'Deny', Condition: { Bool: { 'aws:SecureTransport': 'false' } } }),
          Match.objectLike({
            Effect: 'Allow',
            Action: 'sns:Publish',
            Principal: { Service: ['budgets.amazonaws.com', 'cloudwatch.amazonaws.com'] },
            Condition: { StringEquals: { 'aws:SourceAccount': { Ref: 'AWS::AccountId' } } },
          }),
        ]),
      },
    });
  });

  test('mails whoever the settings name', () => {
    bare.observability.resourceCountIs('AWS::SNS::Subscription', 0);
    full.observability.hasResourceProperties('AWS::SNS::Subscription', {
      Protocol: 'email',
      Endpoint: 'ops@example.com',
    });
  });
});

describe('the budget', () => {
  const subscribers = [{ SubscriptionType: 'SNS', Address: { Ref: Match.stringLikeRegexp('AlarmTopic') } }];

  test('counts the whole account unless told otherwise, and warns before it is spent', () => {
    bare.observability.hasResourceProperties('AWS::Budgets::Budget', {
      Budget: { BudgetLimit: { Amount: 50, Unit: 'USD' }, TimeUnit: 'MONTHLY', CostFilters: Match.absent() },
      NotificationsWithSubscribers: [
        { Notification: Match.objectLike({ NotificationType: 'ACTUAL', Threshold: 80 }), Subscribers: subscribers },
        { Notification: Match.objectLike({ NotificationType: 'ACTUAL', Threshold: 100 }), Subscribers: subscribers },
        {
          Notification: Match.objectLike({ NotificationType: 'FORECASTED', Threshold: 100 }),
          Subscribers: subscribers,
        },
      ],
    });
  });

  test('counts only what carries the tag when told so, and everything carries it', () => {
    full.observability.hasResourceProperties('AWS::Budgets::Budget', {
      Budget: { BudgetLimit: { Amount: 20 }, CostFilters: { TagKeyValue: ['user:project$hybrid-inference'] } },
    });
    full.compute.hasResourceProperties('AWS::Lambda::Function', {
      Tags: Match.arrayWith([{ Key: 'project', Value: 'hybrid-inference' }]),
    });
    full.compute.hasResourceProperties('AWS::SageMaker::Endpoint', {
      Tags: Match.arrayWith([{ Key: 'project', Value: 'hybrid-inference' }]),
    });
  });
});

test('the dashboard shows the endpoint only where there is one', () => {
  const bodyOf = ({ observability }: typeof bare) =>
    JSON.stringify(observability.findResources('AWS::CloudWatch::Dashboard'));
  expect(bodyOf(bare)).toContain('Function: duration, ms');
  expect(bodyOf(bare)).not.toContain('Endpoint: calls');
  expect(bodyOf(full)).toContain('Endpoint: calls');
});
