/**
 * Works through one chunk of a batch: part by part, each part's results put before it counts as done. After a crash the next
 * one begins at the first part that does not count; what that part's results were, if any, is overwritten by the same lines.
 */
import { PART_LINES, type Batch, type BatchChunk } from '../../shared/batch/batch-items.ts';
import {
  failedResult,
  groupLines,
  isBlankLine,
  parseBatchLine,
  type BatchLine,
  type LineResult,
} from '../../shared/batch/batch-lines.ts';
import { askGateway, type AskOptions } from './ask-gateway.ts';
import type { BatchStore } from './batch-store.ts';

export type RunOptions = AskOptions & {
  readonly store: BatchStore;
  /** Lines that may share a request. */
  readonly groupLines: number;
  /** Requests to the gateway at once. */
  readonly parallel: number;
  /** What is left of this run; a part is not begun with less than a minute. */
  readonly remainingMs: () => number;
};

export type Ran =
  /** Nothing is left to do: the message may go. */
  | 'done'
  | 'cancelled'
  /** Somebody else has it, or time ran out: the message must stay. */
  | 'taken_over'
  | 'out_of_time'
  /** Its batch is not (yet) to be run. */
  | 'not_queued';

const PART_NEEDS_MS = 60_000;

export async function runChunk(batchId: string, index: number, options: RunOptions): Promise<Ran> {
  const { store } = options;
  const found = await store.readChunk(batchId, index);
  if (found === undefined) return 'not_queued';
  if (found.doneLines === found.lines) return 'done';
  // Takes it over from whoever may still hold it.
  let chunk = await store.move(found);
  if (chunk === undefined) return 'taken_over';
  const texts = (await store.readInput(chunk)).split('\n').filter((text) => !isBlankLine(text));
  while (chunk.doneLines < chunk.lines) {
    const batch = await store.readBatch(batchId);
    if (batch === undefined || batch.state === 'receiving') return 'not_queued';
    if (batch.state === 'cancelled') return 'cancelled';
    if (options.remainingMs() < PART_NEEDS_MS) return 'out_of_time';
    const part = Math.floor(chunk.doneLines / PART_LINES);
    const ran: PartRan = await runPart(batch, chunk, texts.slice(part * PART_LINES, (part + 1) * PART_LINES), options);
    await store.putPart(chunk, part, encode(ran.results));
    const doneLines: number = chunk.doneLines + ran.results.length;
    // The last step makes the result whole before it counts, so that what counts can be read.
    if (doneLines === chunk.lines) await store.putResult(chunk, await join(chunk, part, store));
    const failed = ran.results.filter(({ status }) => status !== 200).length;
    const moved: BatchChunk | undefined = await store.move(chunk, {
      doneLines,
      failedLines: chunk.failedLines + failed,
      costNanos: chunk.costNanos + ran.costNanos,
    });
    if (moved === undefined) return 'taken_over';
    chunk = moved;
  }
  return 'done';
}

type PartRan = { readonly results: readonly LineResult[]; readonly costNanos: number };

async function runPart(
  batch: Batch,
  chunk: BatchChunk,
  texts: readonly string[],
  options: RunOptions,
): Promise<PartRan> {
  const first = chunk.offset + chunk.doneLines + 1;
  const parsed = texts.map((text, at) => parseBatchLine(text, first + at, batch.modelName));
  const results: LineResult[] = parsed.flatMap((line) =>
    line.kind === 'problem' ? [failedResult(line.value, 400, 'invalid_json', line.value.message)] : [],
  );
  const lines: BatchLine[] = parsed.flatMap((line) => (line.kind === 'line' ? [line.value] : []));
  let costNanos = 0;
  const next = groupLines(lines, options.groupLines).values();
  const work = async (): Promise<void> => {
    for (const group of next) {
      const asked = await askGateway(batch, group, options);
      results.push(...asked.results);
      costNanos += asked.costNanos;
    }
  };
  await Promise.all(Array.from({ length: options.parallel }, work));
  return { results: results.toSorted((left, right) => left.line - right.line), costNanos };
}

async function join(chunk: BatchChunk, lastPart: number, store: BatchStore): Promise<string> {
  const parts: string[] = [];
  for (let part = 0; part <= lastPart; part += 1) parts.push(await store.readPart(chunk, part));
  return parts.join('');
}

function encode(results: readonly LineResult[]): string {
  return results.map((result) => `${JSON.stringify(result)}\n`).join('');
}
