/** One chunk worked through: what counts when, what happens where somebody else takes over, where the gateway is busy or away. */
import { describe, expect, it } from 'vitest';
import { GatewayBusyError } from '../../../lambdas/batch/ask-gateway.ts';
import type { BatchStore } from '../../../lambdas/batch/batch-store.ts';
import { runChunk, type RunOptions } from '../../../lambdas/batch/run-chunk.ts';
import { moveChunk, type Batch, type BatchChunk } from '../../../shared/batch/batch-items.ts';

const BATCH: Batch = {
  id: 'b',
  tenant: 't',
  state: 'queued',
  createdAtMs: 0,
  expiresAtMs: 1_000,
  lines: 2_500,
  chunks: 1,
  gateway: 'http://gateway',
  token: 'hb_x',
  modelName: 'm',
};

type Sent = { readonly input_data: unknown; readonly priority: string };

function world(options: { answer?: (sent: Sent) => Response; texts?: readonly string[] } = {}) {
  const texts =
    options.texts ?? Array.from({ length: 2_500 }, (_unused, at) => JSON.stringify({ input_data: `t${at}` }));
  const objects = new Map<string, string>();
  const sent: Sent[] = [];
  let batch: Batch = BATCH;
  let chunk: BatchChunk = {
    batchId: 'b',
    index: 1,
    offset: 0,
    lines: texts.length,
    doneLines: 0,
    failedLines: 0,
    costNanos: 0,
    revision: 0,
    expiresAtMs: 1_000,
  };
  let dieAt: string | undefined;
  const step = (name: string): void => {
    if (dieAt === name) throw new Error('killed');
  };
  const store: BatchStore = {
    readBatch: async () => batch,
    readChunk: async () => chunk,
    async move(held, change) {
      if (held.revision !== chunk.revision) return undefined;
      chunk = moveChunk(held, change).next;
      step(`moved to ${chunk.doneLines}`);
      return chunk;
    },
    readInput: async () => texts.join('\n'),
    async putPart(_chunk, part, text) {
      objects.set(`part ${part}`, text);
      step(`put part ${part}`);
    },
    readPart: async (_chunk, part) => objects.get(`part ${part}`) ?? '',
    putResult: async (_chunk, text) => void objects.set('result', text),
  };
  const answer = options.answer ?? answerAll;
  const run: RunOptions = {
    store,
    fetch: async (_url, init) => {
      const body = JSON.parse(typeof init?.body === 'string' ? init.body : '') as Sent;
      sent.push(body);
      return answer(body);
    },
    sleep: async () => undefined,
    random: () => 0,
    groupLines: 50,
    parallel: 3,
    remainingMs: () => 300_000,
  };
  return {
    run,
    sent,
    chunk: () => chunk,
    die: (at: string | undefined) => {
      dieAt = at;
    },
    steal: () => {
      chunk = moveChunk(chunk).next;
    },
    set: (change: Partial<Batch>) => {
      batch = { ...batch, ...change };
    },
    results: () =>
      (objects.get('result') ?? '')
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as { line: number; status: number; answer: { cost_usd: number } }),
  };
}

function answerAll({ input_data: input }: Sent): Response {
  const inputs = Array.isArray(input) ? input : [input];
  return Response.json({
    request_id: 'r',
    model_name: 'm',
    predictions: inputs.map((text: unknown) => ({ label: String(text) })),
    cost_usd: inputs.length * 1e-6,
    cache: 'miss',
    decision: { config_version: '1' },
  });
}

const refuse = (status: number, code: string) => () => Response.json({ error: { code, message: code } }, { status });

describe('a chunk', () => {
  it('counts what a line with a list of inputs cost', async () => {
    const { run, chunk, results } = world({ texts: [JSON.stringify({ input_data: ['a', 'b', 'c'] })] });
    expect(await runChunk('b', 1, run)).toBe('done');
    expect(results()[0]).toMatchObject({ status: 200, answer: { cost_usd: 3e-6 } });
    expect(chunk()).toMatchObject({ doneLines: 1, failedLines: 0, costNanos: 3_000 });
  });

  it('is asked in groups, at low priority, and each line has its share of the cost', async () => {
    const { run, sent, chunk, results } = world();
    expect(await runChunk('b', 1, run)).toBe('done');
    expect(sent).toHaveLength(50);
    expect(new Set(sent.map(({ priority }) => priority))).toEqual(new Set(['low']));
    expect(results().map(({ line }) => line)).toEqual(Array.from({ length: 2_500 }, (_unused, at) => at + 1));
    expect(results()[7]?.answer.cost_usd).toBeCloseTo(1e-6);
    expect(chunk()).toMatchObject({ doneLines: 2_500, failedLines: 0, costNanos: 2_500_000 });
  });

  it.each(['put part 0', 'moved to 1000', 'put part 2', 'moved to 2500'])(
    'killed when it has %s, is taken up where it stopped, and has each line once',
    async (place) => {
      const { run, die, results, sent } = world();
      die(place);
      await expect(runChunk('b', 1, run)).rejects.toThrow('killed');
      const before = sent.length;
      die(undefined);
      expect(await runChunk('b', 1, run)).toBe('done');
      expect(results().map(({ line }) => line)).toEqual(Array.from({ length: 2_500 }, (_unused, at) => at + 1));
      // At most the part that was under way is asked again.
      expect(before + (sent.length - before)).toBeLessThanOrEqual(50 + 20);
    },
  );

  it('asked again once it is done asks nobody', async () => {
    const { run, sent } = world();
    await runChunk('b', 1, run);
    const before = sent.length;
    expect(await runChunk('b', 1, run)).toBe('done');
    expect(sent).toHaveLength(before);
  });

  it('stops where somebody else took it over, and says that its message must stay', async () => {
    const w = world({
      answer: (sent) => {
        w.steal();
        return answerAll(sent);
      },
    });
    expect(await runChunk('b', 1, w.run)).toBe('taken_over');
    expect(w.chunk().doneLines).toBe(0);
  });

  it('stops between parts where its batch is cancelled', async () => {
    const w = world({
      answer: (sent) => {
        w.set({ state: 'cancelled' });
        return answerAll(sent);
      },
    });
    expect(await runChunk('b', 1, w.run)).toBe('cancelled');
    expect(w.chunk().doneLines).toBe(1_000);
  });

  it('does not begin while its batch is still coming in, nor a part that time would cut', async () => {
    const { run, set, sent } = world();
    set({ state: 'receiving' });
    expect(await runChunk('b', 1, run)).toBe('not_queued');
    set({ state: 'queued' });
    expect(await runChunk('b', 1, { ...run, remainingMs: () => 30_000 })).toBe('out_of_time');
    expect(sent).toEqual([]);
  });

  it('goes back to the queue where the gateway is too busy, or away', async () => {
    for (const answer of [refuse(429, 'overloaded'), () => new Response('<html>', { status: 502 })]) {
      const { run, chunk } = world({ answer });
      await expect(runChunk('b', 1, run)).rejects.toThrow(GatewayBusyError);
      expect(chunk().doneLines).toBe(0);
    }
  });

  it('gives a line its own error where only that line is bad, and the others their answers', async () => {
    const texts = ['good', 'bad', 'fine'].map((text) => JSON.stringify({ input_data: text }));
    const { run, results, chunk } = world({
      texts,
      answer: (sent) =>
        JSON.stringify(sent.input_data).includes('bad') ? refuse(422, 'invalid_input')() : answerAll(sent),
    });
    expect(await runChunk('b', 1, run)).toBe('done');
    expect(results().map(({ line, status }) => [line, status])).toEqual([
      [1, 200],
      [2, 422],
      [3, 200],
    ]);
    expect(chunk()).toMatchObject({ doneLines: 3, failedLines: 1 });
  });

  it('does not wait for ever for a place that goes on failing', async () => {
    const { run, results } = world({ texts: ['{"input_data": "x"}'], answer: refuse(503, 'target_unavailable') });
    expect(await runChunk('b', 1, run)).toBe('done');
    expect(results()).toMatchObject([{ line: 1, status: 503 }]);
  });
});
