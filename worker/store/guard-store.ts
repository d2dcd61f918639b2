/**
 * The GuardStore port over DynamoDB. Owns keys, expiry and reading items strictly; leaves out when to look and what
 * counts mean.
 */
import type { Item } from '../../shared/config/config-items.ts';
import { parseAuditState, parseRecord, parseWindowCounts } from '../../shared/guard/stored-guard.ts';
import {
  auditPartition,
  auditSnapshotSortKey,
  auditWindowSortKey,
  guardPartition,
  TABLE_PARTITION_KEY,
  TABLE_SORT_KEY,
  TABLE_TTL_ATTRIBUTE,
} from '../../shared/names.ts';
import type { AuditWindow, GuardStore } from '../ports.ts';
import type { DynamoClient } from './dynamodb-client.ts';

/** Long after a snapshot has taken a window in; until then a table that was away may be caught up with. */
const WINDOW_KEEP_MS = 7 * 24 * 3_600_000;
/** After every character that a key may hold. */
const LAST = '\u007F';

export function createDynamoGuardStore(client: DynamoClient): GuardStore {
  const audits = (route: string, from: string, to: string) => ({
    name: TABLE_PARTITION_KEY,
    value: auditPartition(route),
    range: { name: TABLE_SORT_KEY, from, to: to + LAST },
  });
  const put = (route: string, sortKey: string, fields: Item): Promise<void> =>
    client.putItem({
      [TABLE_PARTITION_KEY]: { S: auditPartition(route) },
      [TABLE_SORT_KEY]: { S: sortKey },
      ...fields,
    });
  return {
    async read(route, signal) {
      const calibrations = client.query({ name: TABLE_PARTITION_KEY, value: guardPartition(route) }, signal);
      const snapshots = client.query(audits(route, auditSnapshotSortKey(''), auditSnapshotSortKey('')), signal);
      const [recordItems, snapshotItems] = await Promise.all([calibrations, snapshots]);
      return {
        records: bodiesOf(recordItems).flatMap((body) => parseRecord(body) ?? []),
        snapshots: bodiesOf(snapshotItems).flatMap((body) => parseAuditState(body) ?? []),
      };
    },
    async readWindows(route, fromMinute, signal) {
      const from = auditWindowSortKey(Math.max(0, fromMinute), '', 0).slice(0, -2);
      const items = await client.query(audits(route, from, 'WIN#9'), signal);
      return items.flatMap((item) => toWindow(route, item) ?? []);
    },
    putWindow: (window) =>
      put(window.route, auditWindowSortKey(window.minute, window.isolateId, window.sequence), {
        [TABLE_TTL_ATTRIBUTE]: { N: String(Math.ceil((window.minute * 60_000 + WINDOW_KEEP_MS) / 1000)) },
        minute: { N: String(window.minute) },
        isolate_id: { S: window.isolateId },
        sequence: { N: String(window.sequence) },
        body: { S: JSON.stringify(window.counts) },
      }),
    putSnapshot: (route, state) =>
      put(route, auditSnapshotSortKey(state.plan.calibrationId), { body: { S: JSON.stringify(state) } }),
  };
}

function bodiesOf(items: readonly Item[]): readonly string[] {
  return items.flatMap((item) => textOf(item['body']) ?? []);
}

function toWindow(route: string, item: Item): AuditWindow | undefined {
  const minute = numberOf(item['minute']);
  const sequence = numberOf(item['sequence']);
  const isolateId = textOf(item['isolate_id']);
  const body = textOf(item['body']);
  const counts = body === undefined ? undefined : parseWindowCounts(body);
  if (minute === undefined || sequence === undefined || isolateId === undefined || counts === undefined)
    return undefined;
  return { route, minute, isolateId, sequence, counts };
}

function textOf(value: Item[string] | undefined): string | undefined {
  return value !== undefined && 'S' in value ? value.S : undefined;
}

function numberOf(value: Item[string] | undefined): number | undefined {
  const number = value !== undefined && 'N' in value ? Number(value.N) : Number.NaN;
  return Number.isSafeInteger(number) ? number : undefined;
}
