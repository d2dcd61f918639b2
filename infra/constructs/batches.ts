/**
 * Batches: a bucket that forgets after a week, a queue with dead letters, the function behind it, and what the worker may do with
 * them. Owns how much may run at once: batches stay behind what people wait for by the gateway's own priorities, and this
 * bounds what they may ask of it.
 */
import { CfnElement, Duration, RemovalPolicy, Stack, Validations } from 'aws-cdk-lib';
import type { TableV2 } from 'aws-cdk-lib/aws-dynamodb';
import { ManagedPolicy, PolicyStatement, type Role } from 'aws-cdk-lib/aws-iam';
import { SqsEventSource } from 'aws-cdk-lib/aws-lambda-event-sources';
import { BlockPublicAccess, Bucket, BucketEncryption, ObjectOwnership } from 'aws-cdk-lib/aws-s3';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { BATCH_NODE_OPTIONS } from '../../shared/names.ts';
import type { Settings } from '../settings.ts';
import { SmallFunction } from './small-function.ts';
import { onlyPartitions } from './table-access.ts';

export type BatchesProps = {
  readonly settings: Settings;
  readonly table: TableV2;
  /** Null where the worker has no role: then the policy waits to be attached to its user. */
  readonly workerRole: Role | null;
  readonly packageDir: string;
};

const KEEP_DAYS = 7;
const RUN_SECONDS = 300;
/** Longer than a run: a message is not handed out again while its first run may still be at it. */
const VISIBILITY_SECONDS = 360;
/** A gateway that is too busy sends a chunk back; a day of that is no reason to give it up. */
const MAX_RECEIVES = 240;
const CONCURRENT_CHUNKS = 5;
const PARTITIONS = ['BATCH#*'];

export class Batches extends Construct {
  readonly bucket: Bucket;
  readonly queue: Queue;
  readonly policy: ManagedPolicy;

  constructor(scope: Construct, id: string, { settings, table, workerRole, packageDir }: BatchesProps) {
    super(scope, id);
    this.bucket = batchBucket(this);
    this.queue = batchQueue(this);
    const batch = new SmallFunction(this, 'Runner', {
      name: 'batch',
      description: 'Works through the chunks of batches, asking the gateway like any other caller',
      packageDir,
      memoryMb: 256,
      timeoutSeconds: RUN_SECONDS,
      logRetentionDays: settings.function.logRetentionDays,
      environment: {
        TABLE_NAME: table.tableName,
        BATCH_BUCKET: this.bucket.bucketName,
        NODE_OPTIONS: BATCH_NODE_OPTIONS,
      },
    });
    batch.lambda.addEventSource(
      new SqsEventSource(this.queue, {
        batchSize: 1,
        maxConcurrency: CONCURRENT_CHUNKS,
        reportBatchItemFailures: true,
      }),
    );
    const objects = objectStatement(this.bucket);
    batch.role.addToPolicy(tableStatement(table, ['dynamodb:GetItem', 'dynamodb:PutItem']));
    batch.role.addToPolicy(objects);
    this.policy = new ManagedPolicy(this, 'WorkerPolicy', {
      description: 'Edge worker: take batches, say how far they are, hand out results',
      statements: [
        tableStatement(table, ['dynamodb:GetItem', 'dynamodb:PutItem', 'dynamodb:Query']),
        objects,
        new PolicyStatement({ sid: 'QueueChunks', actions: ['sqs:SendMessage'], resources: [this.queue.queueArn] }),
      ],
      ...(workerRole === null ? {} : { roles: [workerRole] }),
    });
    const { defaultChild } = this.bucket.node;
    const bucketId = CfnElement.isCfnElement(defaultChild) ? Stack.of(this).getLogicalId(defaultChild) : '';
    for (const construct of [batch.role, this.policy]) {
      Validations.of(construct).acknowledge({
        id: `AwsSolutions-IAM5[Resource::<${bucketId}.Arn>/batches/*]`,
        reason:
          'Objects are named by batch and chunk; the wildcard stands below one prefix of a bucket with nothing else in it.',
      });
    }
  }
}

function tableStatement(table: TableV2, actions: string[]): PolicyStatement {
  return new PolicyStatement({
    sid: 'KeepBatchState',
    actions,
    resources: [table.tableArn],
    conditions: onlyPartitions(PARTITIONS),
  });
}

function objectStatement(bucket: Bucket): PolicyStatement {
  return new PolicyStatement({
    sid: 'KeepBatchLines',
    actions: ['s3:GetObject', 's3:PutObject'],
    resources: [bucket.arnForObjects('batches/*')],
  });
}

function batchBucket(scope: Construct): Bucket {
  const bucket = new Bucket(scope, 'Lines', {
    blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
    objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
    encryption: BucketEncryption.S3_MANAGED,
    enforceSSL: true,
    minimumTLSVersion: 1.2,
    lifecycleRules: [{ id: 'forget', expiration: Duration.days(KEEP_DAYS) }],
    // What callers sent is on its way out from the day it comes in: the bucket goes with its stack, lines and all.
    removalPolicy: RemovalPolicy.DESTROY,
    autoDeleteObjects: true,
  });
  Validations.of(bucket).acknowledge({
    id: 'AwsSolutions-S1',
    reason:
      'Holds lines for a week, read and written by two roles only. Access logs would need a second bucket that outlives them; ' +
      'CloudTrail data events can be added where an audit asks for it.',
  });
  return bucket;
}

function batchQueue(scope: Construct): Queue {
  const dead = new Queue(scope, 'Dead', {
    encryption: QueueEncryption.SQS_MANAGED,
    enforceSSL: true,
    retentionPeriod: Duration.days(KEEP_DAYS),
  });
  return new Queue(scope, 'Chunks', {
    encryption: QueueEncryption.SQS_MANAGED,
    enforceSSL: true,
    visibilityTimeout: Duration.seconds(VISIBILITY_SECONDS),
    retentionPeriod: Duration.days(KEEP_DAYS),
    deadLetterQueue: { queue: dead, maxReceiveCount: MAX_RECEIVES },
  });
}
