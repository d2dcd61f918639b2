/**
 * A small world to decide in: one model of three variants, an edge place, a Lambda and a SageMaker. Every test changes
 * only what it is about.
 */
import * as fc from 'fast-check';
import type {
  ColdModel,
  Facts,
  LatencyEstimate,
  OwnSight,
  ResourceStatus,
  TargetState,
} from '../../../shared/decide/facts.ts';
import type { BreakerState } from '../../../shared/resilience/breaker.ts';
import { initialBreaker } from '../../../shared/resilience/breaker.ts';
import type { ModelSpec, PriceSpec, RouteSpec, TargetSpec } from '../../../shared/schema/config.ts';
import type { Requirements } from '../../../shared/schema/infer-request.ts';

export const NOW_MS = 1_700_000_000_000;
/** 0.3 USD a million requests and 0.2 ms of CPU at 0.02 USD a million. */
export const GATEWAY_NANOS = 304;

const sha256 = '0'.repeat(64);

const model: ModelSpec = {
  name: 'intent',
  version: '1.0.0',
  task: 'text_classification',
  description: '',
  labels: ['a', 'b'],
  out_of_scope_label: null,
  input: { kind: 'text', max_chars: 1000 },
  reference_variant: 'large',
  variants: [
    { name: 'micro', accuracy: 0.9, size_bytes: 1, sha256, format: 'int8' },
    { name: 'base', accuracy: 0.94, size_bytes: 1, sha256, format: 'onnx' },
    { name: 'large', accuracy: 0.97, size_bytes: 1, sha256, format: 'onnx' },
  ],
};

const cascade: RouteSpec['policy'] = {
  kind: 'cascade',
  steps: [
    { variant: 'micro', accept_confidence: 0.7 },
    { variant: 'base', accept_confidence: 0.8 },
    { variant: 'large', accept_confidence: 0.9 },
  ],
};

const prices: Record<TargetSpec['endpoint']['kind'], PriceSpec> = {
  edge: { kind: 'edge_cpu', usd_per_million_cpu_ms: 0.02, cpu_ms_per_item: 0.05 },
  lambda: { kind: 'lambda', usd_per_gb_second: 0.0000133334, usd_per_million_requests: 0.2, memory_mb: 1769 },
  sagemaker: { kind: 'instance', usd_per_hour: 0.269, concurrency: 1, utilization_ratio: 0.25 },
  gpu: { kind: 'flat', usd_per_request: 0.000_000_1 },
  mcu: { kind: 'flat', usd_per_request: 0.000001 },
};

const endpoints: Record<TargetSpec['endpoint']['kind'], TargetSpec['endpoint']> = {
  edge: { kind: 'edge' },
  lambda: { kind: 'lambda', function_url: 'https://lambda.example/' },
  sagemaker: { kind: 'sagemaker', endpoint_name: 'large', base_url: null },
  gpu: { kind: 'gpu', base_url: 'https://gpu.example/', token_secret: null, binary_tensors: true, models: {} },
  mcu: { kind: 'mcu', pool: 'devices', shards: 1 },
};

export type TargetOptions = Partial<Omit<TargetSpec, 'endpoint' | 'serves'>> & {
  variant?: string;
  p50Ms?: number;
  p95Ms?: number;
  breaker?: BreakerState;
  inFlight?: number;
  observed?: LatencyEstimate;
  unreachable?: string;
  cold?: ColdModel;
  status?: ResourceStatus;
  seen?: OwnSight;
  concurrencyLimit?: number;
};

export function target(id: string, kind: TargetSpec['endpoint']['kind'], options: TargetOptions = {}): TargetState {
  const {
    variant = 'micro',
    p50Ms = 1,
    p95Ms = 2,
    breaker,
    inFlight,
    observed,
    unreachable,
    cold,
    ...others
  } = options;
  const { status, seen, concurrencyLimit, ...spec } = others;
  // Answering takes longer than computing, and at the edge the two parts of the CPU come to 0.1 ms.
  const computeMs = kind === 'edge' ? p50Ms / 20 : p50Ms;
  return {
    spec: {
      id,
      region: 'local',
      enabled: true,
      endpoint: endpoints[kind],
      serves: [
        { model: 'intent', variant, latency_prior: { p50_ms: p50Ms, p95_ms: p95Ms }, compute_prior_ms: computeMs },
      ],
      price: prices[kind],
      timeout_ms: 5_000,
      max_batch: 64,
      max_payload_bytes: 1_000_000,
      max_concurrency: 100,
      ...spec,
    },
    breaker: breaker ?? initialBreaker,
    inFlight: inFlight ?? 0,
    concurrencyLimit,
    status,
    seen,
    latency: observed === undefined ? {} : { [`intent/${variant}`]: observed },
    computeMs: {},
    cold: cold === undefined ? undefined : { [`intent/${variant}`]: cold },
    unreachable,
  };
}

export const edge = (options: TargetOptions = {}): TargetState => target('edge', 'edge', options);
export const lambda = (options: TargetOptions = {}): TargetState =>
  target('lambda', 'lambda', { variant: 'base', p50Ms: 20, p95Ms: 40, ...options });
export const sagemaker = (options: TargetOptions = {}): TargetState =>
  target('sagemaker', 'sagemaker', { variant: 'large', p50Ms: 60, p95Ms: 100, ...options });

export type FactsOptions = Partial<Omit<Facts, 'requirements' | 'route' | 'deadlineAtMs'>> & {
  requirements?: Partial<Requirements>;
  policy?: RouteSpec['policy'];
  route?: Partial<RouteSpec>;
  deadlineProbability?: number;
  leftMs?: number;
};

export function factsWith(options: FactsOptions = {}): Facts {
  const { requirements, policy = cascade, deadlineProbability = 0.95, leftMs = 1_000, route, ...rest } = options;
  return {
    nowMs: NOW_MS,
    deadlineAtMs: NOW_MS + leftMs,
    random: 0.5,
    requirements: {
      latencyMs: undefined,
      complexity: 'auto',
      priority: 'normal',
      minAccuracy: undefined,
      maxCostNanos: undefined,
      placement: 'any',
      variant: undefined,
      ...requirements,
    },
    itemCount: 1,
    inputBytes: 100,
    model,
    route: {
      name: 'intent',
      model: 'intent',
      policy,
      default_deadline_ms: 1_000,
      deadline_probability: deadlineProbability,
      cache: { ttl_ms: 0, stale_if_error_ms: 0 },
      ...route,
    },
    targets: [edge(), lambda(), sagemaker()],
    gatewayPrice: {
      usd_per_million_requests: 0.3,
      usd_per_million_cpu_ms: 0.02,
      cpu_ms_per_request: 0.2,
      as_of: '2026-11-01',
    },
    ...rest,
  };
}

const arbitraryBreaker: fc.Arbitrary<BreakerState> = fc.oneof(
  { weight: 4, arbitrary: fc.constant(initialBreaker) },
  fc.constant<BreakerState>({ kind: 'open', openedAtMs: NOW_MS - 100, openMs: 2_000, failedProbes: 0 }),
  fc.constant<BreakerState>({ kind: 'open', openedAtMs: NOW_MS - 9_000, openMs: 2_000, failedProbes: 0 }),
);

const arbitraryLatency = fc
  .tuple(
    fc.integer({ min: 0, max: 500 }),
    fc.double({ min: 0, max: 800, noNaN: true }),
    fc.double({ min: 1, max: 5, noNaN: true }),
  )
  .map(([count, p50Ms, spread]): LatencyEstimate => ({
    count,
    p50Ms,
    p95Ms: p50Ms * spread,
    p99Ms: p50Ms * spread * spread,
  }));

const arbitraryTarget = fc
  .record({
    kind: fc.constantFrom('edge' as const, 'lambda' as const, 'sagemaker' as const),
    variant: fc.constantFrom('micro', 'base', 'large', 'nobody-lists-it'),
    p50Ms: fc.double({ min: 0.1, max: 900, noNaN: true }),
    spread: fc.double({ min: 1, max: 6, noNaN: true }),
    breaker: arbitraryBreaker,
    inFlight: fc.constantFrom(0, 5, 100),
    observed: fc.option(arbitraryLatency, { nil: undefined }),
    unreachable: fc.option(fc.constant('no credentials'), { nil: undefined, freq: 8 }),
    enabled: fc.oneof({ weight: 8, arbitrary: fc.constant(true) }, fc.constant(false)),
    timeout_ms: fc.integer({ min: 1, max: 3_000 }),
    max_batch: fc.constantFrom(1, 8, 64),
  })
  .map(({ kind, spread, observed, unreachable, ...rest }) => ({
    kind,
    options: {
      ...rest,
      p95Ms: rest.p50Ms * spread,
      ...(observed === undefined ? {} : { observed }),
      ...(unreachable === undefined ? {} : { unreachable }),
    },
  }));

/** Any request against any small set of targets in any condition. */
export const arbitraryFacts: fc.Arbitrary<Facts> = fc
  .record({
    targets: fc
      .array(arbitraryTarget, { maxLength: 6 })
      .map((many) => many.map(({ kind, options }, index) => target(`t${index}`, kind, options))),
    policy: fc.constantFrom<RouteSpec['policy']>(
      cascade,
      {
        kind: 'cascade',
        steps: [
          { variant: 'micro', accept_confidence: 0.9 },
          { variant: 'large', accept_confidence: 0.5 },
        ],
      },
      { kind: 'cheapest' },
      { kind: 'fastest' },
      { kind: 'most_accurate' },
    ),
    requirements: fc.record({
      complexity: fc.constantFrom('low' as const, 'medium' as const, 'high' as const, 'auto' as const),
      priority: fc.constantFrom('low' as const, 'normal' as const, 'high' as const, 'critical' as const),
      minAccuracy: fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { nil: undefined }),
      maxCostNanos: fc.option(fc.integer({ min: 0, max: 40_000 }), { nil: undefined }),
      placement: fc.constantFrom('any' as const, 'edge' as const, 'cloud' as const),
      variant: fc.option(fc.constantFrom('micro', 'base', 'large'), { nil: undefined, freq: 4 }),
    }),
    deadlineProbability: fc.constantFrom(0, 0.3, 0.5, 0.9, 0.95, 0.99, 1),
    leftMs: fc.integer({ min: -50, max: 3_000 }),
    itemCount: fc.integer({ min: 1, max: 16 }),
  })
  .map((options) => factsWith(options));
