/**
 * What works beside the way of a request: how often, and what each may do.
 */
/* oxlint-disable vitest/expect-expect -- a Template's own methods are the assertions */
import { Match } from 'aws-cdk-lib/assertions';
import { describe, expect, test } from 'vitest';
import { identityStatements, synthesise } from './synth.ts';

const { operations: bare } = synthesise();
const { operations: full } = synthesise({ environment: 'staging', endpoint: { imageTag: 'v1' } });

describe('the resource probe', () => {
  test('looks every two minutes, and a look that failed is not repeated', () => {
    bare.hasResourceProperties('AWS::Events::Rule', {
      ScheduleExpression: 'rate(2 minutes)',
      State: 'ENABLED',
      Targets: [Match.objectLike({ RetryPolicy: { MaximumRetryAttempts: 0, MaximumEventAgeInSeconds: 120 } })],
    });
  });

  test('may read its own configuration, put statuses, and look; it may ask no endpoint for an answer', () => {
    const statements = identityStatements(full).filter(({ Sid }) => Sid !== undefined);
    const allowed = statements.flatMap(({ Action }) => Action);
    expect(allowed).toEqual([
      'dynamodb:GetItem',
      'dynamodb:PutItem',
      'lambda:InvokeFunctionUrl',
      'lambda:InvokeFunction',
      'cloudwatch:GetMetricData',
      'sagemaker:DescribeEndpoint',
    ]);
    const partitions = statements.slice(0, 2).map(({ Condition }) => JSON.stringify(Condition));
    expect(partitions[0]).toContain('"CFG#staging"');
    expect(partitions[1]).toContain('"RES#*"');
  });

  test('is not given an endpoint that is not there', () => {
    expect(JSON.stringify(identityStatements(bare))).not.toContain('sagemaker');
  });

  test('keeps its log for a month, on arm64', () => {
    bare.hasResourceProperties('AWS::Lambda::Function', {
      Architectures: ['arm64'],
      Handler: 'probe.handler',
      Timeout: 30,
      LoggingConfig: Match.objectLike({ LogFormat: 'JSON' }),
    });
    bare.allResourcesProperties('AWS::Logs::LogGroup', { RetentionInDays: 30 });
  });
});
