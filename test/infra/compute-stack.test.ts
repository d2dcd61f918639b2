/**
 * The compute stack: how the models run, for how long at most, and what their own roles may do.
 */
/* oxlint-disable vitest/expect-expect -- a Template's own methods are the assertions */
import { Match } from 'aws-cdk-lib/assertions';
import { describe, expect, test } from 'vitest';
import { parseEnv } from '../../lambdas/lib/env.ts';
import { identityStatements, synthesise } from './synth.ts';

const { compute: bare } = synthesise();
const { compute: serverless } = synthesise({ endpoint: { imageTag: 'v1', modelDataKey: 'intent/1.0.0.tar.gz' } });
const { compute: onInstances } = synthesise({
  endpoint: {
    imageTag: 'v1',
    hosting: { kind: 'instances', instanceType: 'ml.c7i.large', minInstances: 2, maxInstances: 4, canary: {} },
  },
});

/** Properties of the only resource of a type. */
function propertiesOf(template: typeof bare, type: string) {
  const [resource, ...others] = Object.values(template.findResources(type));
  if (resource === undefined || others.length > 0) throw new Error(`Not exactly one ${type}`);
  return resource['Properties'];
}

function s3ActionsOf(template: typeof bare): string[] {
  return identityStatements(template)
    .flatMap(({ Action }) => Action)
    .filter((action) => action.startsWith('s3:'));
}

describe('the function', () => {
  test('runs on arm64 and the newest Node, for 30 seconds at most', () => {
    bare.hasResourceProperties('AWS::Lambda::Function', {
      Architectures: ['arm64'],
      Runtime: 'nodejs24.x',
      Handler: 'handler.handler',
      MemorySize: 1_769,
      Timeout: 30,
      ReservedConcurrentExecutions: Match.absent(),
    });
  });

  test('takes time-out, memory and concurrency from the settings', () => {
    const { compute } = synthesise({
      function: { timeoutSeconds: 10, memoryMb: 3_538, reservedConcurrency: 20, provisionedConcurrency: 2 },
    });
    compute.hasResourceProperties('AWS::Lambda::Function', {
      Timeout: 10,
      MemorySize: 3_538,
      ReservedConcurrentExecutions: 20,
      Environment: { Variables: { ORT_INTRA_OP_THREADS: '2' } },
    });
    compute.hasResourceProperties('AWS::Lambda::Alias', {
      ProvisionedConcurrencyConfig: { ProvisionedConcurrentExecutions: 2 },
    });
  });

  test('is reached only by signed calls to a streaming URL of its alias', () => {
    bare.hasResourceProperties('AWS::Lambda::Url', {
      AuthType: 'AWS_IAM',
      InvokeMode: 'RESPONSE_STREAM',
      Qualifier: 'live',
    });
    bare.resourceCountIs('AWS::Lambda::Permission', 0);
  });

  test('may write its own log and nothing else', () => {
    const roleStatements = Object.values(bare.findResources('AWS::IAM::Policy')).flatMap(
      ({ Properties }) => Properties.PolicyDocument.Statement,
    );
    expect(roleStatements).toEqual([
      {
        Effect: 'Allow',
        Action: ['logs:CreateLogStream', 'logs:PutLogEvents'],
        Resource: { 'Fn::GetAtt': [expect.stringContaining('ModelFunctionLogs'), 'Arn'] },
      },
    ]);
    bare.allResourcesProperties('AWS::IAM::Role', { ManagedPolicyArns: Match.absent() });
  });

  test('keeps its log for 30 days', () => {
    bare.hasResourceProperties('AWS::Logs::LogGroup', { RetentionInDays: 30 });
  });

  test('is configured in words that the model server understands', () => {
    const variables = propertiesOf(bare, 'AWS::Lambda::Function').Environment.Variables;
    expect(parseEnv({ ...variables, LAMBDA_TASK_ROOT: '/var/task' })).toMatchObject({
      variants: ['base'],
      intraOpThreads: 1,
      logLevel: 'info',
      modelDir: '/var/task/models',
    });
  });
});

describe('the endpoint', () => {
  test('is not made before there is an image, and the outputs say what to do', () => {
    bare.resourceCountIs('AWS::SageMaker::Endpoint', 0);
    bare.hasOutput('EndpointMissing', { Value: Match.stringLikeRegexp('set endpoint.imageTag') });
    expect(bare.findOutputs('EndpointName')).toEqual({});
  });

  test('is serverless by default and of the tag in the settings', () => {
    serverless.hasResourceProperties('AWS::SageMaker::EndpointConfig', {
      ProductionVariants: [
        Match.objectLike({
          ServerlessConfig: { MaxConcurrency: 5, MemorySizeInMB: 3_072 },
          InstanceType: Match.absent(),
        }),
      ],
    });
    serverless.hasResourceProperties('AWS::SageMaker::Model', {
      PrimaryContainer: {
        Image: { 'Fn::Join': ['', Match.arrayWith([':v1'])] },
        ModelDataUrl: { 'Fn::Join': ['', Match.arrayWith(['/intent/1.0.0.tar.gz'])] },
      },
    });
    serverless.hasOutput('EndpointName', { Value: 'hybrid-inference-production-large' });
    serverless.resourceCountIs('AWS::ApplicationAutoScaling::ScalableTarget', 0);
  });

  test('is configured in words that the model server understands', () => {
    const environment = propertiesOf(serverless, 'AWS::SageMaker::Model').PrimaryContainer.Environment;
    expect(parseEnv(environment)).toMatchObject({
      variants: ['large'],
      modelDir: '/opt/ml/model',
    });
    expect(propertiesOf(onInstances, 'AWS::SageMaker::Model').PrimaryContainer.Environment).not.toHaveProperty(
      'MODEL_DIR',
    );
  });

  test('on instances scales between the two counts of the settings, isolated from the network', () => {
    onInstances.hasResourceProperties('AWS::SageMaker::EndpointConfig', {
      ProductionVariants: [
        Match.objectLike({ InstanceType: 'ml.c7i.large', InitialInstanceCount: 2, ServerlessConfig: Match.absent() }),
      ],
    });
    onInstances.hasResourceProperties('AWS::ApplicationAutoScaling::ScalableTarget', {
      MinCapacity: 2,
      MaxCapacity: 4,
      ResourceId: 'endpoint/hybrid-inference-production-large/variant/main',
    });
    onInstances.hasResourceProperties('AWS::SageMaker::Model', { EnableNetworkIsolation: true });
  });

  test('on instances with a canary rolls back by an alarm on errors', () => {
    onInstances.hasResourceProperties('AWS::SageMaker::Endpoint', {
      RetainAllVariantProperties: true,
      DeploymentConfig: {
        AutoRollbackConfiguration: { Alarms: [{ AlarmName: { Ref: Match.stringLikeRegexp('CanaryErrors') } }] },
        BlueGreenUpdatePolicy: {
          TrafficRoutingConfiguration: { Type: 'CANARY', CanarySize: { Type: 'CAPACITY_PERCENT', Value: 10 } },
        },
      },
    });
    serverless.hasResourceProperties('AWS::SageMaker::Endpoint', { DeploymentConfig: Match.absent() });
  });

  test('reads one archive and pulls from one repository', () => {
    expect(s3ActionsOf(serverless)).toEqual(['s3:GetObject']);
    expect(s3ActionsOf(onInstances)).toEqual([]);
    const pull = identityStatements(serverless).find(({ Action }) => Action.includes('ecr:BatchGetImage'));
    expect(pull?.Resource).toEqual({ 'Fn::ImportValue': expect.stringContaining('Images') });
  });

  test('has a role that SageMaker can take only for this account', () => {
    serverless.hasResourceProperties('AWS::IAM::Role', {
      AssumeRolePolicyDocument: {
        Statement: [
          Match.objectLike({
            Principal: { Service: 'sagemaker.amazonaws.com' },
            Condition: { StringEquals: { 'aws:SourceAccount': { Ref: 'AWS::AccountId' } } },
          }),
        ],
      },
    });
  });
});

describe('no identity', () => {
  test.each([
    ['without an endpoint', bare],
    ['serverless', serverless],
    ['on instances', onInstances],
  ])('%s is allowed an action by wildcard', (_what, template) => {
    const wild = identityStatements(template)
      .flatMap(({ Action }) => Action)
      .filter((action) => action.includes('*'));
    expect(wild).toEqual([]);
  });

  test('is allowed every resource, but for the two actions that know none', () => {
    const everywhere = identityStatements(serverless).filter(({ Resource }) =>
      JSON.stringify(Resource).includes('"*"'),
    );
    expect(everywhere.map(({ Action }) => Action)).toEqual(['ecr:GetAuthorizationToken', 'cloudwatch:PutMetricData']);
    expect(everywhere[1]?.Condition).toEqual({
      StringEquals: { 'cloudwatch:namespace': ['/aws/sagemaker/Endpoints', 'AWS/SageMaker'] },
    });
  });
});
