/**
 * The registry of models: one immutable item a version, with the card that it was published with. The configuration holds what
 * decides about a request; here is what people ask later: on what it was measured, by whom it was added, when.
 */
import { createHash } from 'node:crypto';
import type { Item } from '../../shared/config/config-items.ts';
import { modelPartition, modelVersionSortKey, TABLE_PARTITION_KEY, TABLE_SORT_KEY } from '../../shared/names.ts';
import type { Card } from '../../shared/schema/card.ts';
import { CommandFailure } from '../command-failure.ts';
import type { ControlTable } from './control-table.ts';

export type RegisteredModel = {
  readonly name: string;
  readonly version: string;
  readonly addedAt: string;
  readonly addedBy: string;
  readonly sha256: string;
};

/** DynamoDB refuses an item above 400 KB. */
const MAX_CARD_BYTES = 380_000;

/** Once a version; again with the same card changes nothing. @throws CommandFailure where the version has another card */
export async function registerModel(table: ControlTable, card: Card, by: string, nowMs: number): Promise<void> {
  const body = JSON.stringify(card);
  if (Buffer.byteLength(body) > MAX_CARD_BYTES) {
    throw new CommandFailure('invalid', `The card of ${card.name} is larger than ${MAX_CARD_BYTES} bytes.`);
  }
  const sha256 = createHash('sha256').update(body).digest('hex');
  const key = registryKey(card.name, card.version);
  const isNew = await table.putIf({
    item: {
      ...key,
      name: { S: card.name },
      version: { S: card.version },
      card: { S: body },
      sha256: { S: sha256 },
      added_at: { S: new Date(nowMs).toISOString() },
      added_by: { S: by },
    },
    condition: { expression: 'attribute_not_exists(#pk)', names: { '#pk': TABLE_PARTITION_KEY }, values: {} },
  });
  if (isNew) return;
  const known = parseRegistered((await table.get(key)) ?? {});
  if (known?.sha256 === sha256) return;
  throw new CommandFailure(
    'conflict',
    `Version ${card.version} of ${card.name} is registered with another card, by ${known?.addedBy ?? 'somebody'} at ` +
      `${known?.addedAt ?? 'some time'}: give this one a version of its own.`,
  );
}

/** Newest first. */
export async function registeredVersions(table: ControlTable, name: string): Promise<readonly RegisteredModel[]> {
  const items = await table.query(modelPartition(name), 'V#', ['name', 'version', 'sha256', 'added_at', 'added_by']);
  const models = items.flatMap((item) => parseRegistered(item) ?? []);
  return models.sort((left, right) => (left.addedAt < right.addedAt ? 1 : -1));
}

function registryKey(name: string, version: string): Item {
  return { [TABLE_PARTITION_KEY]: { S: modelPartition(name) }, [TABLE_SORT_KEY]: { S: modelVersionSortKey(version) } };
}

function parseRegistered(item: Item): RegisteredModel | undefined {
  const [name, version, addedAt, addedBy, sha256] = ['name', 'version', 'added_at', 'added_by', 'sha256'].map(
    (field) => {
      const value = item[field];
      return value !== undefined && 'S' in value ? value.S : undefined;
    },
  );
  if (name === undefined || version === undefined || addedAt === undefined) return undefined;
  if (addedBy === undefined || sha256 === undefined) return undefined;
  return { name, version, addedAt, addedBy, sha256 };
}
