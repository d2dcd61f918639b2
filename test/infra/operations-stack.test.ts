/**
 * What works beside the way of a request: how often, and what each may do.
 */
/* oxlint-disable vitest/expect-expect -- a Template's own methods are the assertions */
import { Match } from 'aws-cdk-lib/assertions';
import { describe, expect, test } from 'vitest';
import { identityStatements, synthesise } from './synth.ts';
import type { Statement } from './synth.ts';

const { operations: bare } = synthesise();
const { operations: full } = synthesise({ environment: 'staging', endpoint: { imageTag: 'v1' } });

function statementsOf(path: string): Statement[] {
  return Object.entries(full.findResources('AWS::IAM::Policy'))
    .filter(([id]) => id.startsWith(path))
    .flatMap(([, resource]): Statement[] => resource['Properties'].PolicyDocument.Statement)
    .filter(({ Sid }) => Sid !== undefined);
}

describe('the resource probe', () => {
  test('looks every two minutes, and a look that failed is not repeated', () => {
    bare.hasResourceProperties('AWS::Events::Rule', {
      ScheduleExpression: 'rate(2 minutes)',
      State: 'ENABLED',
      Targets: [Match.objectLike({ RetryPolicy: { MaximumRetryAttempts: 0, MaximumEventAgeInSeconds: 120 } })],
    });
  });

  test('may read its own configuration, put statuses, and look; it may ask no endpoint for an answer', () => {
    const statements = statementsOf('ResourceProbe');
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

describe('batches', () => {
  test('leave nothing that keeps their stack from being destroyed: the bucket is emptied with it', () => {
    const [bucket] = Object.entries(full.findResources('AWS::S3::Bucket'));
    expect(bucket?.[1]).toMatchObject({ DeletionPolicy: 'Delete' });
    full.hasResourceProperties('Custom::S3AutoDeleteObjects', { BucketName: { Ref: bucket?.[0] } });
  });

  test('lie in a bucket that forgets after a week, closed to the public and to unencrypted calls', () => {
    full.hasResourceProperties('AWS::S3::Bucket', {
      LifecycleConfiguration: { Rules: [Match.objectLike({ ExpirationInDays: 7, Status: 'Enabled' })] },
      PublicAccessBlockConfiguration: Match.objectLike({ BlockPublicAcls: true, RestrictPublicBuckets: true }),
    });
  });

  test('wait in a queue that hands a chunk out again only after a run must be over, and keeps what never succeeds', () => {
    full.hasResourceProperties('AWS::SQS::Queue', {
      VisibilityTimeout: 360,
      SqsManagedSseEnabled: true,
      RedrivePolicy: Match.objectLike({ maxReceiveCount: 240 }),
    });
    full.hasResourceProperties('AWS::Lambda::Function', { Handler: 'batch.handler', Timeout: 300 });
    full.hasResourceProperties('AWS::Lambda::EventSourceMapping', {
      BatchSize: 1,
      FunctionResponseTypes: ['ReportBatchItemFailures'],
      ScalingConfig: { MaximumConcurrency: 5 },
    });
  });

  test('let their function do nothing but keep state and lines, and take from its queue', () => {
    const actions = statementsOf('Batches').map(({ Sid, Action }) => [Sid, Action]);
    expect(actions).toEqual([
      ['KeepBatchState', ['dynamodb:GetItem', 'dynamodb:PutItem']],
      ['KeepBatchLines', ['s3:GetObject', 's3:PutObject']],
    ]);
    expect(JSON.stringify(statementsOf('Batches'))).toContain('BATCH#*');
  });

  test('let the worker send to the queue and never take from it', () => {
    full.hasResourceProperties('AWS::IAM::ManagedPolicy', {
      PolicyDocument: Match.objectLike({
        Statement: Match.arrayWith([Match.objectLike({ Sid: 'QueueChunks', Action: 'sqs:SendMessage' })]),
      }),
    });
  });
});
