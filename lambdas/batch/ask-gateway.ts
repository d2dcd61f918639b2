/**
 * Asks the gateway for the answers to some lines that go together. Owns patience: how often, how long, and which failures are
 * a line's own. Everything else (where, at what price, from which cache) is the gateway's to decide, as for any caller.
 */
import * as z from 'zod';
import { failedResult, mayDoBetter, type BatchLine, type LineResult } from '../../shared/batch/batch-lines.ts';
import type { Batch } from '../../shared/batch/batch-items.ts';
import { nanosFromUsd } from '../../shared/measure/pricing.ts';

export type AskOptions = {
  readonly fetch: typeof fetch;
  readonly sleep: (ms: number) => Promise<void>;
  readonly random: () => number;
};

export type Asked = { readonly results: readonly LineResult[]; readonly costNanos: number };

/** The gateway is too busy, or away: the chunk goes back to the queue and is taken up again where it stopped. */
export class GatewayBusyError extends Error {
  override readonly name = 'GatewayBusyError';
}

const TRIES = 6;
const FIRST_PAUSE_MS = 200;
const MAX_PAUSE_MS = 5_000;
const TIMEOUT_MS = 60_000;

const answerSchema = z.looseObject({
  request_id: z.string(),
  model_name: z.string(),
  predictions: z.array(z.looseObject({})),
  cost_usd: z.number(),
  cache: z.string(),
  decision: z.looseObject({ config_version: z.string() }),
});
const errorSchema = z.object({ error: z.object({ code: z.string(), message: z.string() }) });

type Reply =
  | { readonly kind: 'answered'; readonly answer: z.infer<typeof answerSchema> }
  | { readonly kind: 'refused'; readonly status: number; readonly code: string; readonly message: string };

export async function askGateway(batch: Batch, lines: readonly BatchLine[], options: AskOptions): Promise<Asked> {
  const [first] = lines;
  if (first === undefined) return { results: [], costNanos: 0 };
  const reply = await askPatiently(
    batch,
    first.options,
    lines.length === 1 ? first.input : lines.map(({ input }) => input),
    options,
  );
  if (reply.kind === 'answered' && reply.answer.predictions.length === lines.length) {
    return answered(lines, reply.answer);
  }
  if (lines.length === 1) return alone(first, reply);
  // One bad input spoils a request for all of it: alone, each line gets what is its own.
  const results: LineResult[] = [];
  let costNanos = 0;
  for (const line of lines) {
    const asked = await askGateway(batch, [line], options);
    results.push(...asked.results);
    costNanos += asked.costNanos;
  }
  return { results, costNanos };
}

function answered(lines: readonly BatchLine[], answer: z.infer<typeof answerSchema>): Asked {
  const costUsd = answer.cost_usd / lines.length;
  const results = lines.map(({ line, id }, at): LineResult => {
    const prediction = answer.predictions[at] ?? {};
    return {
      line,
      ...(id === undefined ? {} : { id }),
      status: 200,
      answer: {
        request_id: answer.request_id,
        model_name: answer.model_name,
        predictions: [prediction],
        cost_usd: costUsd,
        cache: answer.cache,
        config_version: answer.decision.config_version,
      },
    };
  });
  return { results, costNanos: nanosFromUsd(answer.cost_usd) };
}

/** What a line that went by itself got: a refusal, or as many predictions as the list in it has inputs. */
function alone(line: BatchLine, reply: Reply): Asked {
  if (reply.kind === 'refused') {
    return { results: [failedResult(line, reply.status, reply.code, reply.message)], costNanos: 0 };
  }
  const { answer } = reply;
  const { id } = line;
  const result: LineResult = {
    line: line.line,
    ...(id === undefined ? {} : { id }),
    status: 200,
    answer: { ...answer, decision: undefined, config_version: answer.decision.config_version },
  };
  return { results: [result], costNanos: nanosFromUsd(answer.cost_usd) };
}

async function askPatiently(
  batch: Batch,
  request: Readonly<Record<string, unknown>>,
  input: unknown,
  options: AskOptions,
): Promise<Reply> {
  let last: Reply | undefined;
  for (let attempt = 0; attempt < TRIES; attempt += 1) {
    const { reply, retryAfterMs } = await askOnce(batch, request, input, options.fetch);
    if (reply?.kind === 'answered' || (reply !== undefined && !mayDoBetter(reply.code))) return reply;
    last = reply;
    const pauseMs = Math.min(MAX_PAUSE_MS, Math.max(retryAfterMs, FIRST_PAUSE_MS * 2 ** attempt));
    await options.sleep(pauseMs * (0.5 + options.random() / 2));
  }
  // Too busy, or nobody there, is nobody's answer; a place that goes on failing for this line is the line's.
  if (last === undefined || (last.kind === 'refused' && last.code === 'overloaded')) throw new GatewayBusyError();
  return last;
}

async function askOnce(
  batch: Batch,
  request: Readonly<Record<string, unknown>>,
  input: unknown,
  send: typeof fetch,
): Promise<{ reply: Reply | undefined; retryAfterMs: number }> {
  let response: Response;
  let body: unknown;
  try {
    response = await send(`${batch.gateway}/v1/infer`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${batch.token}` },
      body: JSON.stringify({ ...request, input_data: input }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
      redirect: 'manual',
    });
    body = await response.json();
  } catch {
    return { reply: undefined, retryAfterMs: 0 };
  }
  const retryAfterMs = (Number(response.headers.get('retry-after')) || 0) * 1_000;
  if (response.ok) {
    const answer = answerSchema.safeParse(body);
    return { reply: answer.success ? { kind: 'answered', answer: answer.data } : undefined, retryAfterMs };
  }
  const error = errorSchema.safeParse(body);
  if (!error.success) return { reply: undefined, retryAfterMs };
  return { reply: { kind: 'refused', status: response.status, ...error.data.error }, retryAfterMs };
}
