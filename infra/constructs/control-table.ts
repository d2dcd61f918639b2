/**
 * The one DynamoDB table: configuration, registry, keys, resource status, metrics. Owns its durability and its ceiling
 * on cost; who may read what of it is in worker-access.ts.
 */
import { RemovalPolicy } from 'aws-cdk-lib';
import { AttributeType, Billing, TableEncryptionV2, TableV2 } from 'aws-cdk-lib/aws-dynamodb';
import type { Construct } from 'constructs';
import { TABLE_PARTITION_KEY, TABLE_SORT_KEY, TABLE_TTL_ATTRIBUTE } from '../../shared/names.ts';
import type { Settings } from '../settings.ts';

/** A TableV2, because a later replica region is then an update: a Table would have to be replaced. */
export function controlTable(scope: Construct, id: string, settings: Settings): TableV2 {
  const { maxReadUnits, maxWriteUnits, recoveryDays } = settings.table;
  return new TableV2(scope, id, {
    partitionKey: { name: TABLE_PARTITION_KEY, type: AttributeType.STRING },
    sortKey: { name: TABLE_SORT_KEY, type: AttributeType.STRING },
    timeToLiveAttribute: TABLE_TTL_ATTRIBUTE,
    billing: Billing.onDemand({
      ...(maxReadUnits === undefined ? {} : { maxReadRequestUnits: maxReadUnits }),
      ...(maxWriteUnits === undefined ? {} : { maxWriteRequestUnits: maxWriteUnits }),
    }),
    // The AWS managed key: uses of it are in CloudTrail, and unlike a customer key it costs nothing at rest.
    encryption: TableEncryptionV2.awsManagedKey(),
    pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true, recoveryPeriodInDays: recoveryDays },
    deletionProtection: settings.protectData,
    removalPolicy: settings.protectData ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
  });
}
