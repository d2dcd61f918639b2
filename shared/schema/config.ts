/**
 * The gateway's configuration: models, targets, routes, prices, keys, limits. One document, one immutable version.
 * Owns shape and bounds (strict: an unknown key is refused). References between parts are checked in check-config.ts.
 */
import * as z from 'zod';
import { guaranteeSchema } from '../guard/guarantee-schema.ts';
import { modelInputSpecSchema, taskSchema } from './card.ts';
import { configName as name } from './config-name.ts';
import { PRIORITIES } from './infer-request.ts';
import { MAX_PRICE_USD, policySchema, routeOptions } from './route-policy.ts';
import { onnxSpecSchema, weightsSchema } from './weights.ts';

const ratio = z.number().min(0).max(1);
const positiveMs = z.number().positive().max(600_000);
const usd = z.number().nonnegative().max(MAX_PRICE_USD);
const cpuMs = z.number().nonnegative().max(600_000);
/** Where requests are sent. A URL with a name and a password in it cannot be fetched. */
const httpUrl = z
  .url({ protocol: /^https?$/, error: 'must be an http or https URL' })
  .regex(/^[a-z]+:\/\/[^/?#@]+([/?#]|$)/i, 'must hold no user name');

const latencyPriorSchema = z.strictObject({ p50_ms: positiveMs, p95_ms: positiveMs });

const variantSchema = z.strictObject({
  name,
  /** Held-out accuracy from the card; orders variants from weakest to best. */
  accuracy: ratio,
  size_bytes: z.number().int().positive(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  format: z.string(),
  /** Where the edge finds the bytes; without it, in the script under `model/variant`. Cloud places carry their own. */
  weights: weightsSchema.optional(),
  /** Needed where ONNX Runtime at the edge serves it. */
  onnx: onnxSpecSchema.optional(),
});

const modelSchema = z.strictObject({
  name,
  version: z.string().min(1).max(64),
  task: taskSchema,
  description: z.string(),
  /** Empty where the task is no classification. */
  labels: z.array(z.string()),
  out_of_scope_label: z.string().nullable(),
  input: modelInputSpecSchema,
  /** The variant whose answer counts as the large model's. */
  reference_variant: name,
  variants: z.array(variantSchema).min(1),
});

/** How a target bills. Every figure is US dollars; see shared/measure/pricing.ts for the formulas. */
const priceSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('edge_cpu'),
    usd_per_million_cpu_ms: usd,
    /** What handling an input costs whatever the variant; the variant's own share is `compute_prior_ms`. */
    cpu_ms_per_item: cpuMs,
  }),
  z.strictObject({
    kind: z.literal('lambda'),
    usd_per_gb_second: usd,
    usd_per_million_requests: usd,
    memory_mb: z.number().int().positive(),
  }),
  z.strictObject({
    kind: z.literal('instance'),
    usd_per_hour: usd,
    /** Requests one instance works on at once. */
    concurrency: z.number().min(0.001),
    /** Mean over provisioned capacity: idle time is paid for too. */
    utilization_ratio: z.number().min(0.000_001).max(1),
  }),
  z.strictObject({
    kind: z.literal('serverless'),
    usd_per_second: usd,
    usd_per_million_requests: usd,
  }),
  z.strictObject({ kind: z.literal('flat'), usd_per_request: usd }),
]);

const remoteModelSchema = z.strictObject({
  name: z.string().min(1).max(128),
  version: z.string().min(1).max(64).nullable(),
  /** The input tensor; null where the model's own tensors pass through. */
  input: z.string().min(1).max(128).nullable(),
  /** The output tensor and what it holds; null where the model's own tensors pass through. */
  output: z
    .strictObject({
      name: z.string().min(1).max(128),
      holds: z.enum(['logits', 'probabilities', 'embedding']),
      /** Logits are divided by it before softmax. */
      temperature: z.number().positive().optional(),
    })
    .nullable(),
});

const endpointSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('edge'),
    /** `engine` (default): in the router's isolate; `onnx`: ONNX Runtime in a worker of its own, bound as ORT. */
    runtime: z.enum(['engine', 'onnx']).optional(),
  }),
  /** null: not deployed yet; the target is listed, and refused as unreachable with that reason. */
  z.strictObject({ kind: z.literal('lambda'), function_url: httpUrl.nullable() }),
  z.strictObject({
    kind: z.literal('sagemaker'),
    endpoint_name: z.string().min(1).max(63).nullable(),
    /** Only for a stand-in or a private endpoint; otherwise derived from the region. */
    base_url: httpUrl.nullable(),
    /**
     * What the container speaks: our model server's protocol (default), or chat completions, as the containers of vLLM, TGI and
     * DJL do, always through the response stream.
     */
    speaks: z.enum(['model_server', 'chat_completions']).optional(),
    /** Of a stream: to the headers, to the first token, between tokens. The total is `timeout_ms`. */
    stream_timeouts: z
      .strictObject({ connect_ms: positiveMs, first_token_ms: positiveMs, idle_ms: positiveMs })
      .optional(),
  }),
  /** A server that speaks the Open Inference Protocol v2: Triton, KServe, MLServer. */
  z.strictObject({
    kind: z.literal('gpu'),
    /** null: not there yet; the target is listed, and refused as unreachable with that reason. */
    base_url: httpUrl.nullable(),
    /**
     * The worker secret that holds a bearer token; null: none is sent, as where a proxy ends mutual TLS. Only secrets of this
     * prefix can be named, so that no configuration can send another one anywhere.
     */
    token_secret: z
      .string()
      .regex(/^GPU_TOKEN[A-Z0-9_]*$/, 'must begin with GPU_TOKEN')
      .nullable(),
    /** Send and ask tensors as bytes (the binary extension) rather than as JSON. */
    binary_tensors: z.boolean(),
    /** By `model/variant`: what the server calls it, and its tensors. */
    models: z.record(z.string(), remoteModelSchema),
  }),
  /** Microcontrollers of one pool, which dial in and hold one model. */
  z.strictObject({
    kind: z.literal('mcu'),
    pool: name,
    /** Hubs the pool's devices are spread over. Changing it makes every device dial again. */
    shards: z.number().int().min(1).max(64),
  }),
]);

const servesSchema = z.strictObject({
  model: name,
  variant: name,
  /** End to end as the gateway would see it, before anything has been observed. */
  latency_prior: latencyPriorSchema,
  /**
   * How long one input keeps the place busy, before anything has been observed: what will be billed, the way there excluded.
   * In the isolate nothing is ever observed, because its clock stands still while it computes: there this is the price.
   */
  compute_prior_ms: positiveMs,
  /** What a first answer waits for loading the weights, where the edge serves it; without it, estimated from their size. */
  load_prior_ms: positiveMs.optional(),
});

const targetSchema = z.strictObject({
  id: name,
  /** Part of the host's name that signed requests go to, so nothing that could end it. */
  region: z.string().regex(/^[A-Za-z0-9._-]{1,32}$/, 'must be letters, digits, dot, dash or underscore'),
  enabled: z.boolean(),
  endpoint: endpointSchema,
  serves: z.array(servesSchema).min(1),
  price: priceSchema,
  /** Upper bound of one attempt, whatever the deadline. */
  timeout_ms: positiveMs,
  max_batch: z.number().int().positive(),
  max_payload_bytes: z.number().int().positive(),
  max_concurrency: z.number().int().positive(),
  /** For places that scale to zero: what a call that meets a cold one waits in addition. */
  cold_start: z
    .strictObject({
      p50_ms: positiveMs,
      p95_ms: positiveMs,
      /** An unused place is gone after it. */
      idle_ms: z.number().positive().max(86_400_000),
      /** Chance of meeting a cold place where this isolate has had no answer within `idle_ms`. */
      probability: ratio,
    })
    .optional(),
});

const routeSchema = z.strictObject({
  name,
  model: name,
  policy: policySchema,
  /** Where the caller gives no latency requirement. */
  default_deadline_ms: positiveMs,
  /** Share of attempts that must fit a deadline for a plan to count as meeting it. */
  deadline_probability: ratio,
  cache: z.strictObject({
    ttl_ms: z.number().nonnegative(),
    /** After the ttl, how long an answer may still stand in when everything fails. 0 turns it off. */
    stale_if_error_ms: z.number().nonnegative(),
  }),
  /** Holds the cascade's shortcuts to a stated agreement; their thresholds then come from calibration, not from the steps. */
  guarantee: guaranteeSchema.optional(),
  ...routeOptions,
});

const breakerSchema = z.strictObject({
  failure_ratio: z.number().gt(0).max(1),
  minimum_calls: z.number().int().positive(),
  window_ms: positiveMs,
  open_ms: positiveMs,
  max_open_ms: positiveMs,
});

const apiKeySchema = z.strictObject({
  id: name,
  /** SHA-256 of the key, hex. The key itself is stored nowhere. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  tenant: name,
  scopes: z.array(z.enum(['infer', 'read'])).min(1),
  enabled: z.boolean(),
});

/** A microcontroller that may dial in. The key is its own and opens nothing else. */
const deviceSchema = z.strictObject({
  id: name,
  pool: name,
  /** SHA-256 of the device's key, hex. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  /** Whose cache and budgets its questions use. */
  tenant: name,
  enabled: z.boolean(),
});

const limitsSchema = z.strictObject({
  max_body_bytes: z.number().int().positive(),
  max_batch: z.number().int().positive(),
  /** Requests one isolate works on at once; above a priority's share of it a request is shed. */
  max_in_flight: z.number().int().positive(),
  /** Share of max_in_flight open to each priority. */
  shed_above: z.record(z.enum(PRIORITIES), ratio),
});

export const configSchema = z.strictObject({
  schema: z.literal(1),
  /** Shown by /readyz; what an operator calls this configuration. */
  description: z.string(),
  models: z.array(modelSchema),
  targets: z.array(targetSchema),
  routes: z.array(routeSchema),
  /** What the gateway itself costs per request, wherever the answer came from. */
  gateway_price: z.strictObject({
    usd_per_million_requests: usd,
    usd_per_million_cpu_ms: usd,
    cpu_ms_per_request: cpuMs,
    /** Metrics windows put into the table, over the requests they hold: the fewer requests an isolate sees, the more. */
    table_writes_per_request: z.number().nonnegative().max(1_000).optional(),
    usd_per_million_table_writes: usd.optional(),
    as_of: z.iso.date(),
  }),
  breaker: breakerSchema,
  /** Fallbacks into remote places that requests may be followed by; see resilience/budget.ts. Default: RETRY_BUDGET. */
  retry_budget: z.strictObject({ ratio: ratio, burst: z.number().nonnegative().max(100_000) }).optional(),
  limits: limitsSchema,
  api_keys: z.array(apiKeySchema),
  devices: z.array(deviceSchema).optional(),
});

export type Config = z.infer<typeof configSchema>;
export type ModelSpec = z.infer<typeof modelSchema>;

export type TargetSpec = z.infer<typeof targetSchema>;
export type RemoteModel = z.infer<typeof remoteModelSchema>;
export type TargetKind = TargetSpec['endpoint']['kind'];
export type RouteSpec = z.infer<typeof routeSchema>;
export type PriceSpec = z.infer<typeof priceSchema>;
export type GatewayPrice = Config['gateway_price'];
export type BreakerPolicy = z.infer<typeof breakerSchema>;
export type ApiKeySpec = z.infer<typeof apiKeySchema>;
export type Limits = z.infer<typeof limitsSchema>;
