/**
 * The image repository of the model server's SageMaker container.
 */
import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import { Repository, RepositoryEncryption, TagMutability, TagStatus } from 'aws-cdk-lib/aws-ecr';
import type { Construct } from 'constructs';
import type { Settings } from '../settings.ts';

const KEPT_IMAGES = 10;
const UNTAGGED_DAYS = 7;

export function modelRepository(scope: Construct, id: string, settings: Settings): Repository {
  return new Repository(scope, id, {
    // A tag in the settings then means one image for ever, and going back to it means what it says.
    imageTagMutability: TagMutability.IMMUTABLE,
    imageScanOnPush: true,
    encryption: RepositoryEncryption.AES_256,
    lifecycleRules: [
      {
        rulePriority: 1,
        description: 'untagged images',
        tagStatus: TagStatus.UNTAGGED,
        maxImageAge: Duration.days(UNTAGGED_DAYS),
      },
      { rulePriority: 2, description: 'all but the newest', tagStatus: TagStatus.ANY, maxImageCount: KEPT_IMAGES },
    ],
    removalPolicy: settings.protectData ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
  });
}
