/**
 * What the native endpoints answer, on the wire. The OpenAPI document and the client are made from these; tests hold the
 * answers to them. Read loosely: an answer may say more in a later version.
 */
import * as z from 'zod/mini';

const targetUsedSchema = z.looseObject({ kind: z.string(), id: z.string(), region: z.string() });

const rankedLabelSchema = z.looseObject({ label: z.string(), confidence: z.number() });

/** Which fields are there depends on the model's task. */
const predictionSchema = z.looseObject({
  label: z.optional(z.string()),
  confidence: z.optional(z.number().check(z.minimum(0), z.maximum(1))),
  top: z.optional(z.array(rankedLabelSchema)),
  embedding: z.optional(z.array(z.number())),
  outputs: z.optional(
    z.array(
      z.looseObject({
        name: z.string(),
        datatype: z.string(),
        shape: z.array(z.int()),
        data: z.array(z.unknown()),
      }),
    ),
  ),
  text: z.optional(z.string()),
  finish_reason: z.optional(z.string()),
  tokens: z.optional(z.looseObject({ prompt: z.int(), completion: z.int() })),
  /** The input was longer than the model reads. */
  truncated: z.boolean(),
  variant: z.string(),
  target: z.string(),
  /** The confidence reached what the plan asked for. */
  accepted: z.boolean(),
});

const attemptSchema = z.looseObject({
  target: z.string(),
  kind: z.string(),
  region: z.string(),
  variant: z.string(),
  why: z.string(),
  outcome: z.string(),
  reason: z.nullable(z.string()),
  detail: z.nullable(z.string()),
  items: z.int(),
  accepted_items: z.int(),
  latency_ms: z.number(),
  compute_ms: z.nullable(z.number()),
  cost_usd: z.number(),
});

const decisionSchema = z.looseObject({
  target_selected: z.nullable(targetUsedSchema),
  fallback_chain: z.array(attemptSchema),
  policy: z.string(),
  reason: z.string(),
  missed: z.array(z.string()),
  predicted: z.nullable(z.looseObject({ latency_ms: z.number(), cost_usd: z.number(), accuracy: z.number() })),
  actual: z.looseObject({ latency_ms: z.number(), cost_usd: z.number() }),
  cloud_only_cost_usd: z.number(),
  config_version: z.string(),
});

export const inferAnswerSchema = z.looseObject({
  request_id: z.string(),
  model_name: z.string(),
  variant: z.string(),
  predictions: z.array(predictionSchema),
  target_used: targetUsedSchema,
  latency_ms: z.number(),
  cost_usd: z.number(),
  cache: z.enum(['miss', 'hit', 'semantic', 'stale']),
  decision: decisionSchema,
});

export const errorAnswerSchema = z.looseObject({
  error: z.looseObject({
    code: z.string(),
    message: z.string(),
    field: z.optional(z.string()),
    retryable: z.boolean(),
    request_id: z.string(),
  }),
  decision: z.optional(decisionSchema),
});

const modelSummarySchema = z.looseObject({
  name: z.string(),
  version: z.string(),
  task: z.string(),
  description: z.string(),
  input: z.looseObject({ kind: z.string() }),
  label_count: z.int(),
  out_of_scope_label: z.nullable(z.string()),
  reference_variant: z.string(),
  variants: z.array(
    z.looseObject({ name: z.string(), accuracy: z.number(), size_bytes: z.number(), served_by: z.array(z.string()) }),
  ),
});

export const modelListSchema = z.looseObject({
  object: z.literal('list'),
  data: z.array(z.looseObject({ id: z.string(), object: z.literal('model'), created: z.int(), owned_by: z.string() })),
  models: z.array(modelSummarySchema),
});

export const modelAnswerSchema = z.extend(modelSummarySchema, {
  labels: z.array(z.string()),
  route: z.optional(z.looseObject({ name: z.string(), model: z.string() })),
});

const latencySchema = z.looseObject({
  p50: z.nullable(z.number()),
  p95: z.nullable(z.number()),
  p99: z.nullable(z.number()),
  max: z.nullable(z.number()),
});

export const metricsAnswerSchema = z.looseObject({
  request_count: z.number(),
  error_count: z.number(),
  error_rate: z.number(),
  fallback_rate: z.number(),
  escalation_rate: z.number(),
  edge_utilization: z.number(),
  cost_usd: z.number(),
  cloud_only_cost_usd: z.number(),
  cost_saved_usd: z.number(),
  response_time_ms: latencySchema,
  queue_depth: z.number(),
  by_route: z.array(z.looseObject({ route: z.string(), request_count: z.number() })),
  by_target: z.array(z.looseObject({ target: z.string(), attempt_count: z.number() })),
});

export const guaranteeAnswerSchema = z.looseObject({
  route: z.string(),
  model: z.string(),
  guarantee: z.nullable(z.looseObject({ min_agreement: z.number(), confidence: z.number() })),
  shortcuts: z.array(z.looseObject({ shortcut: z.string(), state: z.string(), threshold: z.nullable(z.number()) })),
});

export const devicesAnswerSchema = z.looseObject({
  devices: z.array(
    z.looseObject({
      id: z.string(),
      pool: z.string(),
      enabled: z.boolean(),
      connected: z.boolean(),
      last_seen: z.nullable(z.string()),
    }),
  ),
});

export const readinessAnswerSchema = z.looseObject({
  ready: z.boolean(),
  config: z.looseObject({
    version: z.string(),
    source: z.string(),
    in_force_since: z.string(),
    last_error: z.nullable(z.string()),
  }),
  authentication: z.string(),
  in_flight: z.int(),
  targets: z.array(
    z.looseObject({
      id: z.string(),
      kind: z.string(),
      reachable: z.boolean(),
      detail: z.string(),
      breaker: z.string(),
    }),
  ),
});

export type InferAnswer = z.infer<typeof inferAnswerSchema>;
export type ModelList = z.infer<typeof modelListSchema>;
export type ModelAnswer = z.infer<typeof modelAnswerSchema>;
export type MetricsAnswer = z.infer<typeof metricsAnswerSchema>;
export type GuaranteeAnswer = z.infer<typeof guaranteeAnswerSchema>;
export type ReadinessAnswer = z.infer<typeof readinessAnswerSchema>;
