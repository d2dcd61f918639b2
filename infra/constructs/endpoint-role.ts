/**
 * What the SageMaker endpoint's container may do: be pulled, read its one model archive, write its own log and metrics.
 */
import { RemovalPolicy, Stack, Validations } from 'aws-cdk-lib';
import type { IRepository } from 'aws-cdk-lib/aws-ecr';
import { Effect, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import type { Construct } from 'constructs';
import type { EndpointSettings } from '../settings.ts';

export type EndpointRoleProps = {
  readonly endpointName: string;
  readonly settings: EndpointSettings;
  readonly repository: IRepository;
  readonly bucket: Bucket;
};

export function endpointRole(
  scope: Construct,
  id: string,
  { endpointName, settings, repository, bucket }: EndpointRoleProps,
): Role {
  const role = new Role(scope, id, {
    assumedBy: new ServicePrincipal('sagemaker.amazonaws.com', {
      // Keeps SageMaker from using the role on another account's behalf.
      conditions: { StringEquals: { 'aws:SourceAccount': Stack.of(scope).account } },
    }),
    description: 'What the model endpoint may do: pull its image, read its archive, write its log',
  });
  repository.grantPull(role);

  // SageMaker writes to the group of this name; made here so that it has a retention period.
  const logGroup = new LogGroup(scope, 'Logs', {
    logGroupName: `/aws/sagemaker/Endpoints/${endpointName}`,
    retention: settings.logRetentionDays,
    removalPolicy: RemovalPolicy.DESTROY,
  });
  logGroup.grant(role, 'logs:CreateLogStream', 'logs:PutLogEvents', 'logs:DescribeLogStreams');

  role.addToPolicy(
    new PolicyStatement({
      sid: 'PutEndpointMetrics',
      effect: Effect.ALLOW,
      actions: ['cloudwatch:PutMetricData'],
      resources: ['*'],
      conditions: { StringEquals: { 'cloudwatch:namespace': ['/aws/sagemaker/Endpoints', 'AWS/SageMaker'] } },
    }),
  );
  if (settings.modelDataKey !== undefined) {
    role.addToPolicy(
      new PolicyStatement({
        sid: 'ReadModelArchive',
        actions: ['s3:GetObject'],
        resources: [bucket.arnForObjects(settings.modelDataKey)],
      }),
    );
  }
  Validations.of(role).acknowledge({
    id: 'AwsSolutions-IAM5[Resource::*]',
    reason:
      'Two actions know no resources in IAM: ecr:GetAuthorizationToken (what may be pulled is limited to the one repository) and ' +
      'cloudwatch:PutMetricData (limited by condition to the namespaces of SageMaker).',
  });
  return role;
}
