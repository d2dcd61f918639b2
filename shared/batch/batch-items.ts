/**
 * A batch as items of the table: one for the batch, one for each chunk of its lines. Owns the mapping, the conditions that
 * let one worker at a time move a chunk on, and what a batch's state is. Pure.
 *
 * A chunk carries a revision. Whoever works on it puts it only at the revision it read, so a second worker that takes the
 * chunk over makes the first one fail at its next step: no lease has to run out after a crash.
 */
import type { ConditionalPut, Item } from '../config/config-items.ts';
import { BATCH_SORT_KEY, batchChunkSortKey, batchPartition } from '../names.ts';
import { TABLE_PARTITION_KEY, TABLE_SORT_KEY, TABLE_TTL_ATTRIBUTE } from '../names.ts';

export type Batch = {
  readonly id: string;
  readonly tenant: string;
  /** `receiving` until the last line was taken; nothing runs before. */
  readonly state: 'receiving' | 'queued' | 'cancelled';
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
  readonly lines: number;
  readonly chunks: number;
  /** Where its lines are asked, and what lets them in. */
  readonly gateway: string;
  readonly token: string;
  /** For lines that name no model. */
  readonly modelName: string | undefined;
};

export type BatchChunk = {
  readonly batchId: string;
  readonly index: number;
  /** Lines before it, in the whole upload. */
  readonly offset: number;
  readonly lines: number;
  readonly doneLines: number;
  readonly failedLines: number;
  readonly costNanos: number;
  readonly revision: number;
  readonly expiresAtMs: number;
};

/** Lines whose results are put together: what a crash makes somebody ask again, at most. */
export const PART_LINES = 1_000;

type BatchStatus = 'receiving' | 'queued' | 'running' | 'completed' | 'cancelled';

export type BatchProgress = {
  readonly status: BatchStatus;
  readonly lines: number;
  readonly done: number;
  readonly failed: number;
  readonly costNanos: number;
};

export function progressOf(batch: Batch, chunks: readonly BatchChunk[]): BatchProgress {
  const sum = (of: (chunk: BatchChunk) => number): number => chunks.reduce((total, chunk) => total + of(chunk), 0);
  const done = sum((chunk) => chunk.doneLines);
  const figures = {
    lines: batch.lines,
    done,
    failed: sum((chunk) => chunk.failedLines),
    costNanos: sum((c) => c.costNanos),
  };
  if (batch.state !== 'queued') return { status: batch.state, ...figures };
  return { status: done === batch.lines ? 'completed' : done === 0 ? 'queued' : 'running', ...figures };
}

export function batchKey(id: string): Item {
  return { [TABLE_PARTITION_KEY]: { S: batchPartition(id) }, [TABLE_SORT_KEY]: { S: BATCH_SORT_KEY } };
}

export function chunkKey(id: string, index: number): Item {
  return { [TABLE_PARTITION_KEY]: { S: batchPartition(id) }, [TABLE_SORT_KEY]: { S: batchChunkSortKey(index) } };
}

export function batchItem(batch: Batch): Item {
  return {
    ...batchKey(batch.id),
    [TABLE_TTL_ATTRIBUTE]: { N: String(Math.ceil(batch.expiresAtMs / 1_000)) },
    id: { S: batch.id },
    tenant: { S: batch.tenant },
    state: { S: batch.state },
    created_at: { N: String(batch.createdAtMs) },
    lines: { N: String(batch.lines) },
    chunks: { N: String(batch.chunks) },
    gateway: { S: batch.gateway },
    token: { S: batch.token },
    ...(batch.modelName === undefined ? {} : { model_name: { S: batch.modelName } }),
  };
}

/** Only where it is still queued: a batch that ended is not cancelled. */
export function cancelBatch(batch: Batch): ConditionalPut {
  return {
    item: batchItem({ ...batch, state: 'cancelled' }),
    condition: { expression: '#state = :queued', names: { '#state': 'state' }, values: { ':queued': { S: 'queued' } } },
  };
}

export function chunkItem(chunk: BatchChunk): Item {
  return {
    ...chunkKey(chunk.batchId, chunk.index),
    [TABLE_TTL_ATTRIBUTE]: { N: String(Math.ceil(chunk.expiresAtMs / 1_000)) },
    batch: { S: chunk.batchId },
    chunk: { N: String(chunk.index) },
    line_offset: { N: String(chunk.offset) },
    lines: { N: String(chunk.lines) },
    done_lines: { N: String(chunk.doneLines) },
    failed_lines: { N: String(chunk.failedLines) },
    cost_nanos: { N: String(chunk.costNanos) },
    revision: { N: String(chunk.revision) },
  };
}

/** The chunk as changed, at its next revision; refused where somebody else has moved it meanwhile. */
export function moveChunk(
  chunk: BatchChunk,
  change: Partial<BatchChunk> = {},
): { next: BatchChunk; put: ConditionalPut } {
  const next = { ...chunk, ...change, revision: chunk.revision + 1 };
  const condition = {
    expression: '#revision = :seen',
    names: { '#revision': 'revision' },
    values: { ':seen': { N: String(chunk.revision) } },
  };
  return { next, put: { item: chunkItem(next), condition } };
}

export function parseBatch(item: Item): Batch | undefined {
  const [id, tenant, state, gateway, token] = ['id', 'tenant', 'state', 'gateway', 'token'].map((name) =>
    text(item, name),
  );
  const [createdAtMs, lines, chunks, expires] = ['created_at', 'lines', 'chunks', TABLE_TTL_ATTRIBUTE].map((name) =>
    count(item, name),
  );
  if (id === undefined || tenant === undefined || gateway === undefined || token === undefined) return undefined;
  if (createdAtMs === undefined || lines === undefined || chunks === undefined || expires === undefined)
    return undefined;
  if (state !== 'receiving' && state !== 'queued' && state !== 'cancelled') return undefined;
  const expiresAtMs = expires * 1_000;
  return {
    id,
    tenant,
    state,
    createdAtMs,
    expiresAtMs,
    lines,
    chunks,
    gateway,
    token,
    modelName: text(item, 'model_name'),
  };
}

export function parseChunk(item: Item): BatchChunk | undefined {
  const batchId = text(item, 'batch');
  const names = [
    'chunk',
    'line_offset',
    'lines',
    'done_lines',
    'failed_lines',
    'cost_nanos',
    'revision',
    TABLE_TTL_ATTRIBUTE,
  ];
  const counts = names.map((name) => count(item, name));
  const [index, offset, lines, doneLines, failedLines, costNanos, revision, expires] = counts;
  if (batchId === undefined || index === undefined || offset === undefined || lines === undefined) return undefined;
  if (doneLines === undefined || failedLines === undefined || costNanos === undefined) return undefined;
  if (revision === undefined || expires === undefined) return undefined;
  const expiresAtMs = expires * 1_000;
  return { batchId, index, offset, lines, doneLines, failedLines, costNanos, revision, expiresAtMs };
}

function text(item: Item, name: string): string | undefined {
  const value = item[name];
  return value !== undefined && 'S' in value ? value.S : undefined;
}

function count(item: Item, name: string): number | undefined {
  const value = item[name];
  const number = value !== undefined && 'N' in value ? Number(value.N) : Number.NaN;
  return Number.isSafeInteger(number) && number >= 0 ? number : undefined;
}
