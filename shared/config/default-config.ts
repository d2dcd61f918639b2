/**
 * The configuration the product ships: the models' cards, one edge place, and the cloud places as far as they are known.
 * Without cloud places the worker serves its edge variants and says why it cannot escalate.
 * Prices are list prices read in November 2026; every one is configuration, so publish your own.
 */
import type { Card, CardVariant } from '../schema/card.ts';
import { isClassification } from '../schema/task.ts';
import type { Config, ModelSpec, RouteSpec, TargetSpec } from '../schema/config.ts';
import { edgeFiles, hasOnnxAtEdge } from './edge-files.ts';

export type CloudPlaces = {
  readonly region: string;
  readonly lambdaFunctionUrl: string | null;
  readonly sagemakerEndpointName: string | null;
  /** Only for stand-ins and private endpoints. */
  readonly sagemakerBaseUrl: string | null;
};

/**
 * Confidence below which an answer of the variant is asked again of the next one. Those of intent were chosen on one half of
 * the validation rows and reported on the other (`npm run simulate -- --grid`), the others with `npm run eval`.
 */
type AcceptConfidence = Readonly<Record<string, Readonly<Record<string, number>>>>;

const DEFAULT_ACCEPT_CONFIDENCE: AcceptConfidence = {
  intent: { micro: 0.95, small: 0.375 },
  // Its `small` is `large` compiled for the edge and would be told the same again: the cloud answers where the edge cannot.
  banking: { micro: 0.85, small: 0 },
  digits: { micro: 0.9, base: 0.9 },
};

/** `small` is `base` or `large` compiled for the edge: asked after it, `base` would be unsure of the same inputs. */
const NO_STEPS: Readonly<Record<string, readonly string[]>> = { intent: ['base'], banking: ['base'] };
const DEFAULT_ACCEPT = 0.8;
const LAMBDA_MEMORY_MB = 1769;
const MIB = 1024 * 1024;

export function defaultConfig(cards: readonly Card[], cloud: CloudPlaces): Config {
  return {
    schema: 1,
    description: cloud.lambdaFunctionUrl === null ? 'shipped default, edge only' : 'shipped default with cloud places',
    models: cards.map(modelFrom),
    targets: [
      edgeTarget(cards),
      ...(cards.some(hasOnnxAtEdge) ? [onnxEdgeTarget(cards)] : []),
      lambdaTarget(cards, cloud),
      sagemakerTarget(cards, cloud),
    ].filter(({ serves }) => serves.length > 0),
    routes: cards.map(routeFor),
    gateway_price: {
      usd_per_million_requests: 0.3,
      usd_per_million_cpu_ms: 0.02,
      cpu_ms_per_request: 0.2,
      // Windows of 20 s, 5,000 requests a second over 4,000 isolates; with 10 a second over 200 it is ten times as much.
      table_writes_per_request: 0.039,
      usd_per_million_table_writes: 0.625,
      as_of: '2026-11-01',
    },
    breaker: { failure_ratio: 0.5, minimum_calls: 5, window_ms: 10_000, open_ms: 2_000, max_open_ms: 60_000 },
    limits: {
      max_body_bytes: MIB,
      max_batch: 64,
      max_in_flight: 12_500,
      shed_above: { low: 0.5, normal: 0.8, high: 0.95, critical: 1 },
    },
    api_keys: [],
  };
}

function modelFrom(card: Card): ModelSpec {
  return {
    name: card.name,
    version: card.version,
    task: card.task,
    description: card.description,
    labels: card.labels,
    out_of_scope_label: card.out_of_scope_label,
    input: card.input,
    reference_variant: card.reference_variant,
    variants: Object.entries(card.variants).map(([name, variant]) => ({
      name,
      accuracy: variant.metrics.accuracy,
      size_bytes: variant.size_bytes,
      sha256: variant.sha256,
      format: variant.format,
      ...edgeFiles(card, name, variant),
    })),
  };
}

function edgeTarget(cards: readonly Card[]): TargetSpec {
  return {
    id: 'edge',
    region: 'local',
    enabled: true,
    endpoint: { kind: 'edge' },
    serves: served(cards, (_, variant) => variant.runtime === 'engine', 0),
    price: { kind: 'edge_cpu', usd_per_million_cpu_ms: 0.02, cpu_ms_per_item: 0.1 },
    timeout_ms: 1_000,
    max_batch: 64,
    max_payload_bytes: MIB,
    max_concurrency: 1_000,
  };
}

/** A worker of its own: priced as the isolate is, CPU as it measures itself. */
function onnxEdgeTarget(cards: readonly Card[]): TargetSpec {
  return {
    ...edgeTarget(cards),
    id: 'edge-onnx',
    endpoint: { kind: 'edge', runtime: 'onnx' },
    serves: served(cards, (_, variant) => variant.runtime === 'onnx_edge', 1),
    timeout_ms: 5_000,
    max_concurrency: 50,
  };
}

/** Price of arm64 at 1,769 MB, the memory at which one function has one whole processor. */
function lambdaTarget(cards: readonly Card[], cloud: CloudPlaces): TargetSpec {
  return {
    id: 'lambda',
    region: cloud.region,
    enabled: true,
    endpoint: { kind: 'lambda', function_url: cloud.lambdaFunctionUrl },
    serves: served(cards, (name, variant) => variant.runtime === 'onnx' && name !== 'large', 15),
    price: {
      kind: 'lambda',
      usd_per_gb_second: 0.0000133334,
      usd_per_million_requests: 0.2,
      memory_mb: LAMBDA_MEMORY_MB,
    },
    timeout_ms: 5_000,
    max_batch: 64,
    max_payload_bytes: 6 * MIB,
    max_concurrency: 200,
    // Assumed, not measured, and only for a function nobody here has called for a while: one in use shows its own latencies.
    cold_start: { p50_ms: 600, p95_ms: 1_500, idle_ms: 300_000, probability: 0.02 },
  };
}

/**
 * Price of ml.m5.xlarge with a tenth of the capacity in use, idle time being paid for too: an hour of two real services
 * (the Azure LLM inference trace of 2023) has 8.1 requests/s on average and 83 in their busiest seconds.
 */
function sagemakerTarget(cards: readonly Card[], cloud: CloudPlaces): TargetSpec {
  return {
    id: 'sagemaker',
    region: cloud.region,
    enabled: true,
    endpoint: { kind: 'sagemaker', endpoint_name: cloud.sagemakerEndpointName, base_url: cloud.sagemakerBaseUrl },
    serves: served(cards, (name) => name === 'large', 20),
    price: { kind: 'instance', usd_per_hour: 0.269, concurrency: 1, utilization_ratio: 0.1 },
    timeout_ms: 10_000,
    max_batch: 64,
    // What a serverless endpoint takes, the default of `cdk deploy`; instances take 6.
    max_payload_bytes: 4 * MIB,
    max_concurrency: 200,
  };
}

function served(
  cards: readonly Card[],
  takes: (name: string, variant: CardVariant) => boolean,
  networkMs: number,
): TargetSpec['serves'] {
  return cards.flatMap((card) =>
    Object.entries(card.variants)
      .filter(([name, variant]) => takes(name, variant))
      .map(([name, variant]) => ({
        model: card.name,
        variant: name,
        latency_prior: {
          p50_ms: networkMs + (variant.latency_ms.p50 ?? 1),
          p95_ms: 2 * networkMs + (variant.latency_ms.p95 ?? 2),
        },
        compute_prior_ms: variant.latency_ms.p50 ?? 1,
      })),
  );
}

function routeFor(card: Card): RouteSpec {
  const accept = DEFAULT_ACCEPT_CONFIDENCE[card.name];
  const steppable = Object.keys(card.variants).filter((name) => NO_STEPS[card.name]?.includes(name) !== true);
  // Vectors of two variants cannot be compared: one answers, whatever happens, and others are asked by pinning them.
  const names = isClassification(card.task) ? steppable : steppable.slice(0, 1);
  const steps = names.map((variant, index, all) => ({
    variant,
    accept_confidence: index === all.length - 1 ? 0 : (accept?.[variant] ?? DEFAULT_ACCEPT),
  }));
  return {
    name: card.name,
    model: card.name,
    policy: { kind: 'cascade', steps },
    default_deadline_ms: 10_000,
    deadline_probability: 0.95,
    cache: { ttl_ms: 300_000, stale_if_error_ms: 3_600_000 },
  };
}
