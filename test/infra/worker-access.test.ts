/**
 * The worker's permissions, statement by statement: what is listed here is all that a stolen worker could do.
 */
/* oxlint-disable vitest/expect-expect -- a Template's own methods are the assertions */
import { Match } from 'aws-cdk-lib/assertions';
import { describe, expect, test } from 'vitest';
import { readablePartitions, WRITABLE_PARTITIONS } from '../../infra/constructs/worker-access.ts';
import { auditPartition, configPartition, guardPartition, metricsPartition } from '../../shared/names.ts';
import { identityStatements, synthesise } from './synth.ts';
import type { Statement } from './synth.ts';

const ISSUER = 'https://edge.example.com/identity';

const { compute: bare } = synthesise();
const { compute: full } = synthesise({
  environment: 'staging',
  endpoint: { imageTag: 'v1' },
  identity: { issuer: ISSUER },
});

function workerStatements(template: typeof bare): Statement[] {
  const policies = Object.values(template.findResources('AWS::IAM::ManagedPolicy'));
  expect(policies).toHaveLength(1);
  return policies[0]?.['Properties'].PolicyDocument.Statement;
}

const table = { 'Fn::ImportValue': expect.stringMatching(/-data:ExportsOutputFnGetAttTable.*Arn/) };
const alias = { Ref: expect.stringContaining('Aliaslive') };
const onlyPartitions = (partitions: string[]) => ({
  'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': partitions },
  Null: { 'dynamodb:LeadingKeys': 'false' },
});

function matches(patterns: string[], key: string): boolean {
  return patterns.some((pattern) => (pattern.endsWith('*') ? key.startsWith(pattern.slice(0, -1)) : key === pattern));
}

describe('the policy', () => {
  test('is these five statements and no more', () => {
    expect(workerStatements(full)).toEqual([
      {
        Sid: 'ReadControlPlane',
        Effect: 'Allow',
        Action: ['dynamodb:GetItem', 'dynamodb:Query'],
        Resource: table,
        Condition: onlyPartitions([
          'CFG#staging',
          'RES#*',
          'KEY#*',
          'MODEL#*',
          'GUARD#*',
          'AUDIT#*',
          'M1#*',
          'R5#*',
          'R60#*',
          'R1440#*',
        ]),
      },
      {
        Sid: 'PutMetrics',
        Effect: 'Allow',
        Action: 'dynamodb:PutItem',
        Resource: table,
        Condition: onlyPartitions(['M1#*', 'AUDIT#*']),
      },
      {
        Sid: 'CallFunctionUrl',
        Effect: 'Allow',
        Action: 'lambda:InvokeFunctionUrl',
        Resource: alias,
        Condition: { StringEquals: { 'lambda:FunctionUrlAuthType': 'AWS_IAM' } },
      },
      {
        Sid: 'InvokeThroughUrl',
        Effect: 'Allow',
        Action: 'lambda:InvokeFunction',
        Resource: alias,
        Condition: { Bool: { 'lambda:InvokedViaFunctionUrl': 'true' } },
      },
      {
        Sid: 'InvokeEndpoint',
        Effect: 'Allow',
        Action: ['sagemaker:InvokeEndpoint', 'sagemaker:InvokeEndpointWithResponseStream'],
        Resource: {
          'Fn::Join': [
            '',
            [
              'arn:',
              { Ref: 'AWS::Partition' },
              ':sagemaker:',
              { Ref: 'AWS::Region' },
              ':',
              { Ref: 'AWS::AccountId' },
              ':endpoint/hybrid-inference-staging-large',
            ],
          ],
        },
      },
    ]);
  });

  test('names no endpoint where there is none', () => {
    expect(workerStatements(bare).map(({ Sid }) => Sid)).toEqual([
      'ReadControlPlane',
      'PutMetrics',
      'CallFunctionUrl',
      'InvokeThroughUrl',
    ]);
  });

  test('holds the partitions that the worker really uses, and those of no other environment', () => {
    expect(matches(readablePartitions('staging'), configPartition('staging'))).toBe(true);
    expect(matches(readablePartitions('staging'), configPartition('staging-2'))).toBe(false);
    expect(matches(readablePartitions('staging'), configPartition('production'))).toBe(false);
    expect(matches(WRITABLE_PARTITIONS, metricsPartition(29_000_000, 7))).toBe(true);
    expect(matches(WRITABLE_PARTITIONS, configPartition('staging'))).toBe(false);
    expect(matches(readablePartitions('staging'), guardPartition('intent'))).toBe(true);
    expect(matches(readablePartitions('staging'), auditPartition('intent'))).toBe(true);
    expect(matches(WRITABLE_PARTITIONS, auditPartition('intent'))).toBe(true);
    expect(matches(WRITABLE_PARTITIONS, guardPartition('intent'))).toBe(false);
  });

  test('is the only thing besides the trust that the worker role has', () => {
    const [role] = Object.values(full.findResources('AWS::IAM::Role', { Properties: { MaxSessionDuration: 3_600 } }));
    expect(role?.['Properties']).not.toHaveProperty('ManagedPolicyArns');
    expect(role?.['Properties']).not.toHaveProperty('Policies');
    full.hasResourceProperties('AWS::IAM::ManagedPolicy', {
      Roles: [{ Ref: Match.stringLikeRegexp('WorkerAccessRole') }],
      Users: Match.absent(),
    });
    expect(identityStatements(full).filter(({ Sid }) => Sid?.startsWith('Invoke'))).toHaveLength(2);
  });
});

describe('with an issuer', () => {
  test('the role is given for an hour, to exactly one audience and one subject', () => {
    full.hasResourceProperties('AWS::IAM::Role', {
      MaxSessionDuration: 3_600,
      AssumeRolePolicyDocument: {
        Statement: [
          {
            Effect: 'Allow',
            Action: 'sts:AssumeRoleWithWebIdentity',
            Principal: { Federated: { Ref: Match.stringLikeRegexp('WorkerAccessIssuer') } },
            Condition: {
              StringEquals: {
                'edge.example.com/identity:aud': 'sts.amazonaws.com',
                'edge.example.com/identity:sub': 'hybrid-inference-staging-worker',
              },
            },
          },
        ],
      },
    });
    full.hasResourceProperties('AWS::IAM::OIDCProvider', { Url: ISSUER, ClientIdList: ['sts.amazonaws.com'] });
  });

  test('the outputs hold all that the worker needs', () => {
    expect(Object.keys(full.toJSON()['Outputs'])).toEqual(
      expect.arrayContaining([
        'Region',
        'ConfigEnvironment',
        'TableName',
        'MetricsShards',
        'FunctionUrl',
        'EndpointName',
        'WorkerRoleArn',
        'WorkerTokenIssuer',
        'WorkerTokenAudience',
        'WorkerTokenSubject',
      ]),
    );
    full.hasOutput('WorkerTokenIssuer', { Value: ISSUER });
    full.hasOutput('WorkerTokenSubject', { Value: 'hybrid-inference-staging-worker' });
  });
});

describe('without an issuer', () => {
  test('there is no role and no key pair, and the outputs say what to do', () => {
    bare.resourceCountIs('AWS::IAM::OIDCProvider', 0);
    bare.resourceCountIs('AWS::IAM::User', 0);
    bare.resourceCountIs('AWS::IAM::AccessKey', 0);
    bare.hasOutput('WorkerRoleMissing', { Value: Match.stringLikeRegexp('identity.issuer') });
    bare.hasOutput('WorkerPolicyArn', {});
  });
});
