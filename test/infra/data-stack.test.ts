/**
 * The data stack: nothing in it can be lost by accident, read by strangers or travel in the clear.
 */
/* oxlint-disable vitest/expect-expect -- a Template's own methods are the assertions */
import { Match } from 'aws-cdk-lib/assertions';
import { describe, expect, test } from 'vitest';
import { TABLE_PARTITION_KEY, TABLE_SORT_KEY, TABLE_TTL_ATTRIBUTE } from '../../shared/names.ts';
import { newDeployment, synthesise } from './synth.ts';

const { data } = synthesise();

describe('the table', () => {
  test('is one, on demand, with the keys that the handlers use', () => {
    data.resourceCountIs('AWS::DynamoDB::GlobalTable', 1);
    data.hasResourceProperties('AWS::DynamoDB::GlobalTable', {
      BillingMode: 'PAY_PER_REQUEST',
      KeySchema: [
        { AttributeName: TABLE_PARTITION_KEY, KeyType: 'HASH' },
        { AttributeName: TABLE_SORT_KEY, KeyType: 'RANGE' },
      ],
      TimeToLiveSpecification: { AttributeName: TABLE_TTL_ATTRIBUTE, Enabled: true },
    });
  });

  test('can be restored to any second of 35 days, refuses deletion, and is encrypted', () => {
    data.hasResourceProperties('AWS::DynamoDB::GlobalTable', {
      SSESpecification: { SSEEnabled: true, SSEType: 'KMS' },
      Replicas: [
        Match.objectLike({
          DeletionProtectionEnabled: true,
          PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true, RecoveryPeriodInDays: 35 },
        }),
      ],
    });
  });

  test('has a ceiling on its cost when the settings give one', () => {
    synthesise({ table: { maxReadUnits: 500, maxWriteUnits: 200 } }).data.hasResourceProperties(
      'AWS::DynamoDB::GlobalTable',
      {
        WriteOnDemandThroughputSettings: { MaxWriteRequestUnits: 200 },
        Replicas: [Match.objectLike({ ReadOnDemandThroughputSettings: { MaxReadRequestUnits: 500 } })],
      },
    );
  });
});

describe('lifetime', () => {
  const types = ['AWS::DynamoDB::GlobalTable', 'AWS::S3::Bucket', 'AWS::ECR::Repository'];

  test.each(types)('%s stays when the stack goes', (type) => {
    data.hasResource(type, { DeletionPolicy: 'Retain', UpdateReplacePolicy: 'Retain' });
  });

  test('the stack itself refuses to be deleted', () => {
    expect(newDeployment().deployment.data.terminationProtection).toBe(true);
  });

  test('all of it goes when the settings say that the data may be lost', () => {
    const { deployment } = newDeployment({ protectData: false });
    const { data: unprotected } = synthesise({ protectData: false });
    expect(deployment.data.terminationProtection).toBe(false);
    for (const type of types) unprotected.hasResource(type, { DeletionPolicy: 'Delete' });
  });
});

describe('the model bucket', () => {
  test('is closed to the public, encrypted and versioned', () => {
    data.hasResourceProperties('AWS::S3::Bucket', {
      PublicAccessBlockConfiguration: {
        BlockPublicAcls: true,
        BlockPublicPolicy: true,
        IgnorePublicAcls: true,
        RestrictPublicBuckets: true,
      },
      BucketEncryption: {
        ServerSideEncryptionConfiguration: [{ ServerSideEncryptionByDefault: { SSEAlgorithm: 'AES256' } }],
      },
      VersioningConfiguration: { Status: 'Enabled' },
      OwnershipControls: { Rules: [{ ObjectOwnership: 'BucketOwnerEnforced' }] },
    });
  });

  test('refuses plain HTTP and TLS below 1.2', () => {
    data.hasResourceProperties('AWS::S3::BucketPolicy', {
      PolicyDocument: {
        Statement: Match.arrayWith([
          Match.objectLike({ Effect: 'Deny', Action: 's3:*', Condition: { Bool: { 'aws:SecureTransport': 'false' } } }),
          Match.objectLike({
            Effect: 'Deny',
            Action: 's3:*',
            Condition: { NumericLessThan: { 's3:TlsVersion': 1.2 } },
          }),
        ]),
      },
    });
  });

  test('forgets old versions and abandoned uploads', () => {
    data.hasResourceProperties('AWS::S3::Bucket', {
      LifecycleConfiguration: {
        Rules: [
          Match.objectLike({ Status: 'Enabled', NoncurrentVersionExpiration: { NoncurrentDays: 90 } }),
          Match.objectLike({ Status: 'Enabled', AbortIncompleteMultipartUpload: { DaysAfterInitiation: 7 } }),
        ],
      },
    });
  });
});

test('an image tag means one image, scanned when pushed', () => {
  data.hasResourceProperties('AWS::ECR::Repository', {
    ImageTagMutability: 'IMMUTABLE',
    ImageScanningConfiguration: { ScanOnPush: true },
  });
});
