/**
 * One request's inputs -> upstream lines, in groups that are sent together: predictions in order, `done` with the last
 * of them, or an `error` line that ends it. Owns grouping, the deadline and giving up, both looked at before every input.
 */
import { GatewayError } from '../../shared/errors.ts';
import type { ModelInputSpec } from '../../shared/schema/card.ts';
import { isClassification } from '../../shared/schema/task.ts';
import { inputCount } from '../../shared/schema/model-input.ts';
import { TOP_COUNT } from '../../shared/schema/prediction.ts';
import type { UpstreamLine } from '../../shared/schema/upstream.ts';
import type { Turns } from '../lib/turns.ts';
import { rankLabels } from '../../shared/schema/rank-labels.ts';
import type { ServerInput } from './input.ts';
import type { LoadedModel } from './registry.ts';
import type { Features } from './session.ts';

export type PredictJob = {
  readonly model: LoadedModel;
  readonly input: ServerInput;
  /** Lines sent together, so that a long answer is not one write a line. */
  readonly groupSize: number;
  /** On the clock of `nowMs`. */
  readonly deadlineAtMs: number;
  readonly nowMs: () => number;
  readonly signal: AbortSignal;
  readonly turns: Turns;
  /** Told after every input, so that what an abandoned request cost is known too. */
  readonly onCompute: (ms: number) => void;
};

/** Ends without a last line when the signal fires: nobody is left to read it. */
export async function* predict(job: PredictJob): AsyncGenerator<readonly UpstreamLine[]> {
  const total = inputCount(job.input);
  let computeMs = 0;
  let group: UpstreamLine[] = [];
  for (let position = 0; position < total; position += 1) {
    const line = await job.turns(async () => {
      if (job.signal.aborted || job.nowMs() >= job.deadlineAtMs) return undefined;
      const startedMs = job.nowMs();
      const prediction = await predictOne(job.model, job.input, position);
      const spentMs = job.nowMs() - startedMs;
      computeMs += spentMs;
      job.onCompute(spentMs);
      return prediction;
    });
    if (job.signal.aborted) return;
    if (line === undefined) {
      const message = `The deadline passed after ${position} of ${total} inputs.`;
      yield [...group, { kind: 'error', code: 'deadline_exceeded', message }];
      return;
    }
    group.push(line);
    if (group.length < job.groupSize || position === total - 1) continue;
    yield group;
    group = [];
  }
  yield [...group, { kind: 'done', count: total, compute_ms: Math.round(computeMs * 1000) / 1000 }];
}

/** Runs one blank input, so that the first request does not pay for the runtime's first allocations. */
export async function warmUp(model: LoadedModel): Promise<void> {
  await predictOne(model, blankInput(model.card.input), 0);
}

function blankInput(spec: ModelInputSpec): ServerInput {
  switch (spec.kind) {
    case 'text':
      return { kind: 'text', texts: [''] };
    case 'image':
      return { ...spec, images: [new Float32Array(spec.height * spec.width * spec.channels)] };
    case 'numbers':
      return { kind: 'numbers', size: spec.size, rows: [new Float32Array(spec.size)] };
    case 'tensors':
    case 'chat':
      throw new GatewayError('not_configured', `This server serves no ${spec.kind} models.`);
  }
}

/** Raw scores of one input, one a label, or its embedding. */
export async function scoreOne(
  model: LoadedModel,
  input: ServerInput,
  position: number,
): Promise<{ readonly scores: Float32Array; readonly truncated: boolean }> {
  const { features, truncated } = prepare(model, input, position);
  const { labels, task } = model.card;
  const scores = await model.session.run(features);
  if (!scores.every((value) => Number.isFinite(value))) throw new RangeError('The model answered with no number.');
  if (isClassification(task) && scores.length !== labels.length) {
    throw new GatewayError('not_configured', 'The model does not fit its card.', {
      detail: `${scores.length} logits for ${labels.length} labels`,
    });
  }
  return { scores, truncated };
}

async function predictOne(model: LoadedModel, input: ServerInput, position: number): Promise<UpstreamLine> {
  const { scores: logits, truncated } = await scoreOne(model, input, position);
  const { labels, task } = model.card;
  if (!isClassification(task)) return { kind: 'embedding', embedding: [...logits], truncated };
  const top = rankLabels(logits, labels, model.spec.calibration?.temperature ?? 1, TOP_COUNT);
  const [best] = top;
  if (best === undefined || !Number.isFinite(best.confidence))
    throw new RangeError('The model answered with no number.');
  return { kind: 'prediction', label: best.label, confidence: best.confidence, top: [...top], truncated };
}

type Prepared = { readonly features: Features; readonly truncated: boolean };

function prepare(model: LoadedModel, input: ServerInput, position: number): Prepared {
  if (input.kind === 'image') {
    const { height, width, images } = input;
    const pixels = images[position] ?? new Float32Array();
    return { features: { kind: 'image', height, width, pixels }, truncated: false };
  }
  if (input.kind === 'numbers')
    return { features: { kind: 'numbers', row: input.rows[position] ?? new Float32Array() }, truncated: false };
  const { ids = [], truncated = false } = model.tokenizer?.encode(input.texts[position] ?? '') ?? {};
  return { features: { kind: 'text', ids }, truncated };
}
