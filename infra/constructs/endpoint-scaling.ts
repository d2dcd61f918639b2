/**
 * Autoscaling of an endpoint on instances: follows invocations per instance, between the two counts of the settings.
 */
import { ArnFormat, Duration, Stack } from 'aws-cdk-lib';
import { PredefinedMetric, ScalableTarget, ServiceNamespace } from 'aws-cdk-lib/aws-applicationautoscaling';
import { Role } from 'aws-cdk-lib/aws-iam';
import type { Construct } from 'constructs';
import type { InstanceHosting } from '../settings.ts';
import { ENDPOINT_VARIANT } from './endpoint-name.ts';

const SERVICE_LINKED_ROLE =
  'aws-service-role/sagemaker.application-autoscaling.amazonaws.com/AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint';
/** An instance takes minutes to start: grow at once, shrink late. */
const SCALE_OUT_COOLDOWN_SECONDS = 60;
const SCALE_IN_COOLDOWN_SECONDS = 600;

export function scaleInstances(scope: Construct, endpointName: string, hosting: InstanceHosting): ScalableTarget {
  const roleArn = Stack.of(scope).formatArn({
    service: 'iam',
    region: '',
    resource: 'role',
    resourceName: SERVICE_LINKED_ROLE,
    arnFormat: ArnFormat.SLASH_RESOURCE_NAME,
  });
  const target = new ScalableTarget(scope, 'Instances', {
    serviceNamespace: ServiceNamespace.SAGEMAKER,
    resourceId: `endpoint/${endpointName}/variant/${ENDPOINT_VARIANT}`,
    scalableDimension: 'sagemaker:variant:DesiredInstanceCount',
    minCapacity: hosting.minInstances,
    maxCapacity: hosting.maxInstances,
    // The service's own role: left out, CDK would make another that nothing uses.
    role: Role.fromRoleArn(scope, 'ScalingRole', roleArn, { mutable: false }),
  });
  target.scaleToTrackMetric('FollowInvocations', {
    predefinedMetric: PredefinedMetric.SAGEMAKER_VARIANT_INVOCATIONS_PER_INSTANCE,
    targetValue: hosting.targetInvocationsPerMinute,
    scaleOutCooldown: Duration.seconds(SCALE_OUT_COOLDOWN_SECONDS),
    scaleInCooldown: Duration.seconds(SCALE_IN_COOLDOWN_SECONDS),
  });
  return target;
}
