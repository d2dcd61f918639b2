/**
 * What runs models, and who may call it: the Lambda function, the SageMaker endpoint, the worker's access. Can be
 * destroyed and made again without loss.
 */
/* oxlint-disable no-new -- a construct joins its scope when made */
import { Stack } from 'aws-cdk-lib';
import type { StackProps } from 'aws-cdk-lib';
import type { Role } from 'aws-cdk-lib/aws-iam';
import type { Alias } from 'aws-cdk-lib/aws-lambda';
import type { Construct } from 'constructs';
import { endpointNameFor } from '../constructs/endpoint-name.ts';
import { ModelEndpoint } from '../constructs/model-endpoint.ts';
import { ModelFunction } from '../constructs/model-function.ts';
import { WorkerAccess } from '../constructs/worker-access.ts';
import { workerOutputs } from '../constructs/worker-outputs.ts';
import type { Settings } from '../settings.ts';
import type { DataStack } from './data.ts';

export type ComputeStackProps = StackProps & {
  readonly settings: Settings;
  readonly data: DataStack;
  readonly packageDir: string;
};

export class ComputeStack extends Stack {
  readonly alias: Alias;
  /** Null while the settings name no image. */
  readonly endpointName: string | null;
  readonly endpointArn: string | null;
  /** Null until the settings name an issuer. */
  readonly workerRole: Role | null;

  constructor(scope: Construct, id: string, props: ComputeStackProps) {
    super(scope, id, props);
    const { settings, data, packageDir } = props;

    const modelFunction = new ModelFunction(this, 'ModelFunction', { settings: settings.function, packageDir });
    this.alias = modelFunction.alias;
    this.endpointName = this.#addEndpoint(settings, data);

    this.endpointArn =
      this.endpointName === null
        ? null
        : this.formatArn({ service: 'sagemaker', resource: 'endpoint', resourceName: this.endpointName });
    const access = new WorkerAccess(this, 'WorkerAccess', {
      settings,
      table: data.table,
      alias: this.alias,
      endpointArn: this.endpointArn,
    });
    this.workerRole = access.role;
    workerOutputs(this, {
      settings,
      table: data.table,
      modelFunction,
      hasEndpoint: this.endpointName !== null,
      access,
    });
  }

  #addEndpoint(settings: Settings, data: DataStack): string | null {
    const { imageTag } = settings.endpoint;
    if (imageTag === undefined) return null;
    const endpointName = endpointNameFor(settings);
    new ModelEndpoint(this, 'ModelEndpoint', {
      endpointName,
      imageTag,
      settings: settings.endpoint,
      repository: data.repository,
      bucket: data.bucket,
    });
    return endpointName;
  }
}
