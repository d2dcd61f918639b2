/**
 * A policy condition that holds a role to some partitions of the one table.
 */

/** ForAllValues is true of a request that names no key at all, hence the second half. */
export function onlyPartitions(partitions: readonly string[]): Record<string, Record<string, unknown>> {
  return {
    'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': partitions },
    Null: { 'dynamodb:LeadingKeys': 'false' },
  };
}
