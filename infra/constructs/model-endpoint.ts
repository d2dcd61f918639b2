/**
 * The model server as a SageMaker endpoint: serverless (nothing to pay while idle), or instances that scale with traffic.
 * Owns model, endpoint configuration and endpoint; its role is in endpoint-role.ts, scaling in endpoint-scaling.ts.
 */
import type { IRepository } from 'aws-cdk-lib/aws-ecr';
import { CfnEndpoint, CfnEndpointConfig, CfnModel } from 'aws-cdk-lib/aws-sagemaker';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import type { EndpointSettings } from '../settings.ts';
import { ENDPOINT_VARIANT } from './endpoint-name.ts';
import { canaryUpdate } from './endpoint-canary.ts';
import { endpointRole } from './endpoint-role.ts';
import { scaleInstances } from './endpoint-scaling.ts';
import { endpointEnvironment } from './model-server-environment.ts';

export type ModelEndpointProps = {
  readonly endpointName: string;
  readonly imageTag: string;
  readonly settings: EndpointSettings;
  readonly repository: IRepository;
  readonly bucket: Bucket;
};

export class ModelEndpoint extends Construct {
  constructor(scope: Construct, id: string, props: ModelEndpointProps) {
    super(scope, id);
    const { endpointName, settings, repository, bucket } = props;
    const { hosting, modelDataKey } = settings;
    const role = endpointRole(this, 'Role', props);

    // Model and configuration are immutable in SageMaker and therefore unnamed: a change makes new ones and moves the endpoint.
    const model = new CfnModel(this, 'Model', {
      executionRoleArn: role.roleArn,
      // The container needs no network; serverless endpoints do not offer isolation.
      enableNetworkIsolation: hosting.kind === 'instances',
      primaryContainer: {
        image: repository.repositoryUriForTag(props.imageTag),
        environment: endpointEnvironment(settings.variants, modelDataKey !== undefined),
        ...(modelDataKey === undefined ? {} : { modelDataUrl: bucket.s3UrlForObject(modelDataKey) }),
      },
    });
    // CreateModel pulls with the role: its policy must be there first.
    model.node.addDependency(role);

    const config = new CfnEndpointConfig(this, 'Config', {
      productionVariants: [
        { variantName: ENDPOINT_VARIANT, modelName: model.attrModelName, ...variantCapacity(hosting) },
      ],
    });

    const endpoint = new CfnEndpoint(this, 'Endpoint', {
      endpointName,
      endpointConfigName: config.attrEndpointConfigName,
      ...(hosting.kind === 'instances' ? { retainAllVariantProperties: true } : {}),
      ...(hosting.kind === 'instances' && hosting.canary !== undefined
        ? { deploymentConfig: canaryUpdate(this, endpointName, hosting.canary) }
        : {}),
    });
    if (hosting.kind === 'instances') scaleInstances(this, endpointName, hosting).node.addDependency(endpoint);
  }
}

function variantCapacity(
  hosting: EndpointSettings['hosting'],
): Pick<
  CfnEndpointConfig.ProductionVariantProperty,
  'serverlessConfig' | 'instanceType' | 'initialInstanceCount' | 'initialVariantWeight'
> {
  if (hosting.kind === 'instances') {
    return { instanceType: hosting.instanceType, initialInstanceCount: hosting.minInstances, initialVariantWeight: 1 };
  }
  const { maxConcurrency, memoryMb, provisionedConcurrency } = hosting;
  return {
    initialVariantWeight: 1,
    serverlessConfig: {
      maxConcurrency,
      memorySizeInMb: memoryMb,
      ...(provisionedConcurrency === undefined ? {} : { provisionedConcurrency }),
    },
  };
}
