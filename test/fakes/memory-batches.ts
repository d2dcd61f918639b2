/** Batches in memory: what was begun, which chunks came, what was submitted. Nothing works through them. */
import type { Batch, BatchChunk } from '../../shared/batch/batch-items.ts';
import type { Batches } from '../../worker/ports.ts';

export type MemoryBatches = Batches & { readonly held: Map<string, { batch: Batch; chunks: BatchChunk[] }> };

export function createMemoryBatches(): MemoryBatches {
  const held: MemoryBatches['held'] = new Map();
  const put = async (batch: Batch): Promise<void> => {
    held.set(batch.id, { batch, chunks: held.get(batch.id)?.chunks ?? [] });
  };
  return {
    held,
    tokens: { issue: async (id) => `token of ${id}` },
    begin: put,
    submit: put,
    cancel: (batch) => put({ ...batch, state: 'cancelled' }),
    async putChunk({ id, expiresAtMs }, { index, offset, lines }) {
      const none = { doneLines: 0, failedLines: 0, costNanos: 0, revision: 0 };
      held.get(id)?.chunks.push({ batchId: id, index, offset, lines, ...none, expiresAtMs });
    },
    read: async (id) => held.get(id),
    openResult: async () => new ReadableStream({ start: (controller) => controller.close() }),
  };
}
