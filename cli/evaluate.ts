/**
 * An evaluation: a labelled file through a running gateway, and the same inputs once more of the reference variant.
 * Owns what is sent and how an answer becomes a row; the figures are score.ts.
 */
import { requestInference, type Answer, type Sent } from '../local/request-inference.ts';
import type { Complexity } from '../shared/schema/infer-request.ts';
import { askAll } from './ask-all.ts';
import { describeModel, type GatewayModel } from './gateway-model.ts';
import { readRows, shippedFile, spreadOut, type LabelledRow } from './labelled-rows.ts';
import { createProgress, type ProgressStream } from './progress.ts';
import { score, type Figures, type RowAnswer } from './score.ts';

export type EvaluateOptions = {
  readonly url: string;
  readonly apiKey: string | undefined;
  readonly model: string;
  /** Undefined: the file shipped with the model. */
  readonly data: string | undefined;
  readonly limit: number | undefined;
  readonly concurrency: number;
  readonly complexity: Complexity;
  /** Pins one variant; undefined lets the gateway choose. */
  readonly variant: string | undefined;
  /** Asks the reference variant too. */
  readonly compare: boolean;
  readonly signal: AbortSignal;
  readonly progress: ProgressStream;
};

export type Report = {
  readonly model: string;
  readonly model_version: string;
  readonly data: string;
  readonly url: string;
  readonly model_complexity: Complexity;
  readonly pinned_variant: string | null;
  readonly reference_variant: string;
  readonly concurrency: number;
  /** Wall clock of the first pass. */
  readonly seconds: number;
  /** Failed rows by error code. */
  readonly errors: Readonly<Record<string, number>>;
  /** One message as an example, or null. */
  readonly first_error: string | null;
  /** Why the comparison with the reference variant lacks rows, or null. */
  readonly reference_error: string | null;
} & Figures;

export async function evaluate(options: EvaluateOptions): Promise<Report> {
  const { url, apiKey, signal } = options;
  const model = await describeModel(url, options.model, apiKey);
  const data = options.data ?? shippedFile(model);
  const all = await readRows(data, model);
  const rows = options.limit === undefined ? all : spreadOut(all, options.limit);
  const ask = (title: string, extra: Readonly<Record<string, unknown>>) =>
    askRows(title, rows, options, { model_name: model.name, ...extra });

  const startedAtMs = performance.now();
  const pinned = options.variant === undefined ? {} : { variant: options.variant };
  const sent = await ask(model.name, { model_complexity: options.complexity, ...pinned });
  const seconds = (performance.now() - startedAtMs) / 1_000;
  signal.throwIfAborted();
  const reference = options.compare ? await askReference(model, rows, ask, options) : { sent: [], error: 'not asked' };

  const figures = score(
    rows.map((row, index) => {
      const referenceAnswer = answerOf(reference.sent[index]);
      return {
        expected: row.label,
        answer: answerOf(sent[index]),
        referenceLabel: referenceAnswer?.label,
        referenceCostUsd: referenceAnswer?.costUsd,
      };
    }),
    { outOfScopeLabel: model.out_of_scope_label, referenceVariant: model.reference_variant },
  );
  return {
    model: model.name,
    model_version: model.version,
    data,
    url,
    model_complexity: options.complexity,
    pinned_variant: options.variant ?? null,
    reference_variant: model.reference_variant,
    concurrency: options.concurrency,
    seconds,
    errors: errorCounts(sent),
    first_error: firstError(sent),
    reference_error: reference.error,
    ...figures,
  };
}

type AskRows = (title: string, extra: Readonly<Record<string, unknown>>) => Promise<readonly Sent[]>;

/** One row decides whether the reference variant can be had: thousands of refusals would say no more. */
async function askReference(
  model: GatewayModel,
  rows: readonly LabelledRow[],
  ask: AskRows,
  options: EvaluateOptions,
): Promise<{ sent: readonly Sent[]; error: string | null }> {
  const extra = { variant: model.reference_variant };
  const [first] = await askRows('', rows.slice(0, 1), options, { model_name: model.name, ...extra });
  if (first?.kind === 'failed') return { sent: [], error: `${first.code}: ${first.message}` };
  const sent = await ask(`${model.name}/${model.reference_variant}`, extra);
  return { sent, error: firstError(sent) };
}

async function askRows(
  title: string,
  rows: readonly LabelledRow[],
  options: EvaluateOptions,
  fields: Readonly<Record<string, unknown>>,
): Promise<readonly Sent[]> {
  const { url, apiKey, signal, concurrency } = options;
  const stream = title === '' ? { write: () => undefined } : options.progress;
  const progress = createProgress(title, rows.length, stream, () => performance.now());
  // Past the cache, so that rows which repeat do not flatter the figures.
  const send = (row: LabelledRow) => sendSafely(url, { ...fields, input_data: row.input, cache: 'bypass' }, apiKey);
  try {
    return await askAll(rows, send, { concurrency, signal, onDone: (done) => progress.update(done) });
  } finally {
    progress.end();
  }
}

/** An answer of another shape than this gateway's is a failed row, not the end of the evaluation. */
async function sendSafely(url: string, body: Record<string, unknown>, apiKey: string | undefined): Promise<Sent> {
  try {
    return await requestInference(url, body, apiKey);
  } catch {
    return {
      kind: 'failed',
      code: 'foreign_answer',
      message: 'the answer does not have the form of this gateway',
      roundTripMs: 0,
    };
  }
}

function answerOf(sent: Sent | undefined): RowAnswer | undefined {
  return sent?.kind === 'answered' ? rowAnswer(sent.answer, sent.roundTripMs) : undefined;
}

function rowAnswer(answer: Answer, roundTripMs: number): RowAnswer | undefined {
  const [prediction] = answer.predictions;
  if (prediction === undefined) return undefined;
  const { fallback_chain: chain, cloud_only_cost_usd: cloudOnlyCostUsd } = answer.decision;
  return {
    label: prediction.label,
    confidence: prediction.confidence,
    variant: prediction.variant,
    atEdge: answer.cache !== 'miss' || answer.target_used.kind === 'edge',
    escalated: chain.some((attempt) => attempt.why === 'escalation'),
    fellBack: chain.some((attempt) => attempt.why === 'fallback'),
    roundTripMs,
    gatewayMs: answer.latency_ms,
    costUsd: answer.cost_usd,
    cloudOnlyCostUsd,
  };
}

function errorCounts(sent: readonly Sent[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const one of sent) if (one.kind === 'failed') counts[one.code] = (counts[one.code] ?? 0) + 1;
  return counts;
}

function firstError(sent: readonly Sent[]): string | null {
  const first = sent.find((one) => one.kind === 'failed');
  return first === undefined ? null : `${first.code}: ${first.message}`;
}
