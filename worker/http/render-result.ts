/**
 * The internal result in the native contract's words: snake_case, US dollars, milliseconds.
 */
import { usdFromNanos } from '../../shared/measure/pricing.ts';
import type { PlannedAttempt, Refusal } from '../../shared/decide/plan-types.ts';
import type { AnsweredItem, Decision, InferResult } from '../../shared/schema/infer-result.ts';
import type { Prediction } from '../../shared/schema/prediction.ts';
import type { AttemptRecord } from '../../shared/schema/record.ts';
import type { NamedTensor } from '../../shared/schema/tensor.ts';
import { decodeElements } from '../../shared/schema/tensor-elements.ts';

export function renderResult(result: InferResult): Record<string, unknown> {
  return {
    request_id: result.requestId,
    model_name: result.modelName,
    variant: result.variant,
    predictions: result.items.map(renderItem),
    target_used: result.targetUsed,
    latency_ms: roundMs(result.latencyMs),
    cost_usd: usdFromNanos(result.costNanos),
    cache: result.cache,
    decision: renderDecision(result.decision),
  };
}

export function renderDecision(decision: Decision): Record<string, unknown> {
  return {
    target_selected: decision.targetSelected,
    fallback_chain: decision.fallbackChain.map(renderAttempt),
    policy: decision.policy,
    reason: decision.reason,
    missed: decision.missed,
    predicted: decision.predicted && {
      latency_ms: roundMs(decision.predicted.latencyMs),
      in_time_probability: roundRatio(decision.predicted.inTimeRatio),
      cost_usd: usdFromNanos(decision.predicted.costNanos),
      accuracy: roundRatio(decision.predicted.accuracy),
    },
    actual: { latency_ms: roundMs(decision.actual.latencyMs), cost_usd: usdFromNanos(decision.actual.costNanos) },
    cloud_only_cost_usd: usdFromNanos(decision.cloudOnlyCostNanos),
    config_version: decision.configVersion,
    ...(decision.explanation === null
      ? {}
      : {
          planned: decision.explanation.planned.map(renderPlanned),
          refused: decision.explanation.refused.map(renderRefusal),
          explanation: decision.explanation.sentences,
        }),
  };
}

function renderItem({ prediction, variant, target, accepted }: AnsweredItem): Record<string, unknown> {
  return { ...renderPrediction(prediction), truncated: prediction.truncated, variant, target: target.id, accepted };
}

function renderPrediction(prediction: Prediction): Record<string, unknown> {
  switch (prediction.kind) {
    case 'class':
      return {
        label: prediction.label,
        confidence: roundRatio(prediction.confidence),
        top: prediction.top.map(({ label, confidence }) => ({ label, confidence: roundRatio(confidence) })),
      };
    case 'embedding':
      return { embedding: prediction.embedding };
    case 'tensors':
      return { outputs: prediction.outputs.map(renderTensor) };
    case 'text':
      return {
        text: prediction.text,
        finish_reason: prediction.finishReason,
        tokens: { prompt: prediction.tokens.prompt, completion: prediction.tokens.completion },
      };
  }
}

function renderTensor(tensor: NamedTensor): Record<string, unknown> {
  const { name, datatype, shape } = tensor;
  return { name, datatype, shape, data: decodeElements(tensor, (bytes) => new TextDecoder().decode(bytes)) };
}

function renderAttempt(attempt: AttemptRecord): Record<string, unknown> {
  return {
    target: attempt.target,
    kind: attempt.kind,
    region: attempt.region,
    variant: attempt.variant,
    why: attempt.why,
    outcome: attempt.outcome,
    reason: attempt.reason,
    detail: attempt.detail,
    items: attempt.items,
    accepted_items: attempt.acceptedItems,
    latency_ms: roundMs(attempt.latencyMs),
    compute_ms: attempt.computeMs === null ? null : roundMs(attempt.computeMs),
    cost_usd: usdFromNanos(attempt.costNanos),
  };
}

function renderPlanned(planned: PlannedAttempt): Record<string, unknown> {
  return {
    target: planned.target,
    variant: planned.variant,
    role: planned.role,
    accept_confidence: planned.acceptConfidence,
    timeout_ms: roundMs(planned.timeoutMs),
    ...(planned.isSpeculative ? { speculative: true } : {}),
    ...(planned.hedgeAfterMs === null ? {} : { hedge_after_ms: roundMs(planned.hedgeAfterMs) }),
    predicted: {
      in_time_probability: roundRatio(planned.inTimeRatio),
      accepted_ratio: roundRatio(planned.predictedAcceptedRatio),
      p50_ms: roundMs(planned.predictedP50Ms),
      p95_ms: roundMs(planned.predictedP95Ms),
      cost_usd: usdFromNanos(planned.predictedCostNanos),
      accuracy: planned.predictedAccuracy,
    },
  };
}

function renderRefusal(refusal: Refusal): Record<string, unknown> {
  return { target: refusal.target, variant: refusal.variant, reason: refusal.reason, detail: refusal.detail };
}

function roundMs(valueMs: number): number {
  return Math.round(valueMs * 1_000) / 1_000;
}

function roundRatio(value: number): number {
  return Math.round(value * 1e6) / 1e6;
}
