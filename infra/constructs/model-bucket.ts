/**
 * The bucket for model archives that SageMaker unpacks into its container. Owns its lifecycle and its closure to the public.
 */
import { Duration, RemovalPolicy, Validations } from 'aws-cdk-lib';
import { BlockPublicAccess, Bucket, BucketEncryption, ObjectOwnership } from 'aws-cdk-lib/aws-s3';
import type { Construct } from 'constructs';
import type { Settings } from '../settings.ts';

const OLD_VERSIONS_DAYS = 90;
const ABANDONED_UPLOAD_DAYS = 7;

export function modelBucket(scope: Construct, id: string, settings: Settings): Bucket {
  const bucket = new Bucket(scope, id, {
    blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
    objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
    encryption: BucketEncryption.S3_MANAGED,
    enforceSSL: true,
    minimumTLSVersion: 1.2,
    versioned: true,
    lifecycleRules: [
      {
        id: 'forget-old-versions',
        noncurrentVersionExpiration: Duration.days(OLD_VERSIONS_DAYS),
        expiredObjectDeleteMarker: true,
      },
      { id: 'forget-abandoned-uploads', abortIncompleteMultipartUploadAfter: Duration.days(ABANDONED_UPLOAD_DAYS) },
    ],
    removalPolicy: settings.protectData ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
  });
  Validations.of(bucket).acknowledge({
    id: 'AwsSolutions-S1',
    reason:
      'Holds model weights and nothing of any caller; its only reader is the endpoint role, for one object. Access logs would ' +
      'need a second bucket that grows without bound; who changed a model is kept by versioning, and CloudTrail data events can be added.',
  });
  return bucket;
}
