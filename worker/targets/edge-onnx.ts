/**
 * Models that ONNX Runtime serves at the edge, in a worker of its own behind the binding ORT. Owns one call there and what
 * its scores mean; leaves out files, sessions and tensors (worker/ort).
 */
import type { ModelSpec, TargetSpec } from '../../shared/schema/config.ts';
import { inputCount } from '../../shared/schema/model-input.ts';
import type { OnnxAnswer, OnnxRow, OnnxWorker } from '../../shared/schema/onnx-call.ts';
import type { Prediction } from '../../shared/schema/prediction.ts';
import { TOP_COUNT } from '../../shared/schema/prediction.ts';
import type { OnnxSpec } from '../../shared/schema/weights.ts';
import { softmax } from '../engine/light-operators.ts';
import { top } from '../engine/top.ts';
import type { Clock, Target, TargetCall, TargetResult } from '../ports.ts';
import { runAttempt } from './attempt.ts';
import { failed } from './failure.ts';

export type EdgeOnnxTargetOptions = {
  readonly spec: TargetSpec;
  readonly clock: Clock;
  /** Undefined where none is bound: the target then says it is unreachable. */
  readonly worker: OnnxWorker | undefined;
};

const NOT_BOUND = 'no ONNX Runtime worker is bound as ORT';

export function createEdgeOnnxTarget({ spec, clock, worker }: EdgeOnnxTargetOptions): Target {
  async function attempt(call: TargetCall, timeoutMs: number, bound: OnnxWorker): Promise<TargetResult> {
    const { model, input } = call;
    if (input.kind === 'chat') return failed('rejected', 'ONNX Runtime takes no chat');
    const variant = model.variants.find(({ name }) => name === call.variant);
    if (variant?.weights === undefined || variant.onnx === undefined)
      return failed('rejected', 'the configuration does not say where the variant’s file is');
    const { weights, onnx, size_bytes, sha256 } = variant;
    const startedAtMs = clock.now();
    let answer: OnnxAnswer;
    try {
      answer = await bound.answer({
        requestId: call.requestId,
        file: { weights, size_bytes, sha256 },
        onnx,
        input,
        timeoutMs,
      });
    } catch {
      return failed('connect_failed', 'the ONNX Runtime worker did not take the call');
    }
    const result = toResult(answer, onnx, model, inputCount(input));
    // The call was I/O, so the clock moved: unlike in the router's own isolate, this can be told.
    return result.kind === 'answered' ? { ...result, computeMs: clock.now() - startedAtMs } : result;
  }

  return {
    spec,
    unreachable: worker === undefined ? NOT_BOUND : undefined,
    async infer(call, signal) {
      if (worker === undefined) return failed('connect_failed', NOT_BOUND);
      const timeoutMs = Math.min(call.timeoutMs, spec.timeout_ms);
      return runAttempt(timeoutMs, signal, () => attempt(call, timeoutMs, worker));
    },
    async check() {
      return worker === undefined ? { ok: false, detail: NOT_BOUND } : { ok: true, detail: 'bound as ORT' };
    },
  };
}

function toResult(answer: OnnxAnswer, onnx: OnnxSpec, model: ModelSpec, count: number): TargetResult {
  switch (answer.kind) {
    case 'failed':
      return failed(answer.reason, answer.detail, { retryAfterMs: answer.retryAfterMs });
    case 'tensors':
      return {
        kind: 'answered',
        predictions: [{ kind: 'tensors', outputs: answer.outputs, confidence: 1, truncated: false }],
        computeMs: null,
      };
    case 'rows': {
      const predictions = answer.rows.map((row) => toPrediction(row, onnx, model));
      if (predictions.length !== count || predictions.includes(undefined))
        return failed('model_broken', 'the scores are not those of the model');
      return { kind: 'answered', predictions: predictions.filter((one) => one !== undefined), computeMs: null };
    }
  }
}

/** Undefined where the scores are not numbers, or not as many as the model has labels. */
function toPrediction({ scores, truncated }: OnnxRow, onnx: OnnxSpec, model: ModelSpec): Prediction | undefined {
  if (scores.length === 0 || !scores.every((score) => Number.isFinite(score))) return undefined;
  if (model.task === 'sentence_embedding')
    return { kind: 'embedding', embedding: unit(scores), confidence: 1, truncated };
  if (scores.length !== model.labels.length) return undefined;
  const ranked = top(
    onnx.scores === 'probabilities' ? scores : softmax(scores, onnx.temperature),
    model.labels,
    TOP_COUNT,
  );
  const [best] = ranked;
  if (best === undefined || best.confidence < 0 || best.confidence > 1.001) return undefined;
  return { kind: 'class', label: best.label, confidence: Math.min(1, best.confidence), top: ranked, truncated };
}

function unit(vector: Float32Array): number[] {
  const length = Math.hypot(...vector);
  return Array.from(vector, (value) => (length < 1e-12 ? 0 : value / length));
}
