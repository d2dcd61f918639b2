/**
 * What must outlive every deployment: the table, the model bucket, the image repository.
 */
/* oxlint-disable no-new -- a construct joins its scope when made */
import { CfnOutput, Stack } from 'aws-cdk-lib';
import type { StackProps } from 'aws-cdk-lib';
import type { TableV2 } from 'aws-cdk-lib/aws-dynamodb';
import type { Repository } from 'aws-cdk-lib/aws-ecr';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import type { Construct } from 'constructs';
import { controlTable } from '../constructs/control-table.ts';
import { modelBucket } from '../constructs/model-bucket.ts';
import { modelRepository } from '../constructs/model-repository.ts';
import type { Settings } from '../settings.ts';

export class DataStack extends Stack {
  readonly table: TableV2;
  readonly bucket: Bucket;
  readonly repository: Repository;

  constructor(scope: Construct, id: string, props: StackProps & { readonly settings: Settings }) {
    super(scope, id, { ...props, terminationProtection: props.settings.protectData });
    this.table = controlTable(this, 'Table', props.settings);
    this.bucket = modelBucket(this, 'Models', props.settings);
    this.repository = modelRepository(this, 'Images', props.settings);

    new CfnOutput(this, 'ModelBucketName', { value: this.bucket.bucketName, description: 'Bucket for model archives' });
    new CfnOutput(this, 'ImageRepositoryUri', {
      value: this.repository.repositoryUri,
      description: 'Push the model server image (linux/amd64) here, then set endpoint.imageTag',
    });
  }
}
