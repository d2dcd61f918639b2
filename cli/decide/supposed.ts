/**
 * What is supposed to be seen while deciding offline: breakers, latencies, load. A JSON file in the words of the API; every
 * field may be left out, and then nothing has been seen. Owns its shape and turning it into facts.
 */
import * as z from 'zod';
import type { Facts, TargetState } from '../../shared/decide/facts.ts';
import { estimatedRttMs, REGION_COORDINATES } from '../../shared/measure/distance.ts';
import { initialBreaker, type BreakerState } from '../../shared/resilience/breaker.ts';
import { issuePath } from '../../shared/schema/issue-path.ts';
import type { TargetSpec } from '../../shared/schema/config.ts';
import { CommandFailure } from '../command-failure.ts';

const ms = z.number().nonnegative();
const ratio = z.number().min(0).max(1);

const observedSchema = z.strictObject({
  /** Observations behind the latency. */
  count: z.number().nonnegative().default(1_000),
  p50_ms: ms.optional(),
  p95_ms: ms.optional(),
  p99_ms: ms.optional(),
  /** What one input kept the place busy: what is billed. */
  compute_ms: ms.optional(),
});

const targetSchema = z.strictObject({
  in_flight: z.number().int().nonnegative().default(0),
  /** An open breaker, and for how long still. */
  breaker_open_for_ms: ms.optional(),
  unreachable: z.string().optional(),
  health: z.enum(['up', 'scaled_to_zero', 'down']).optional(),
  load_ratio: ratio.optional(),
  price_ratio: z.number().positive().optional(),
  /** By variant. */
  observed: z.record(z.string(), observedSchema).default({}),
});

const supposedSchema = z.strictObject({
  /** Since the request came in. */
  elapsed_ms: ms.default(0),
  random: z.number().min(0).lt(1).default(0.5),
  tenant: z.string().default(''),
  request_id: z.string().default('offline'),
  /** Where the isolate stands. */
  location: z
    .strictObject({ latitude: z.number().min(-90).max(90), longitude: z.number().min(-180).max(180) })
    .optional(),
  edge_load: z.strictObject({ cpu_ratio: z.number().nonnegative().default(0), queue_ms: ms.default(0) }).optional(),
  /** P(large right) - P(small right), before any model runs. */
  difficulty: z.number().min(-1).max(1).optional(),
  /** What the route's budget still pays for. */
  budget_usd: z.number().optional(),
  targets: z.record(z.string(), targetSchema).default({}),
});

export type Supposed = z.infer<typeof supposedSchema>;

export function parseSupposed(value: unknown): Supposed {
  const parsed = supposedSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(({ path, message }) => `  ${issuePath(path)}: ${message}`);
  throw new CommandFailure('invalid', ['The facts are not valid:', ...problems].join('\n'));
}

export const NOTHING_SUPPOSED: Supposed = supposedSchema.parse({});

/** A misspelt id would silently change nothing. */
export function checkNames(supposed: Supposed, targets: readonly TargetSpec[]): void {
  for (const id of Object.keys(supposed.targets)) {
    if (targets.some((target) => target.id === id)) continue;
    const known = targets.map((target) => target.id).join(', ');
    throw new CommandFailure('invalid', `targets.${id}: no place of this model has that id, only ${known}.`);
  }
}

export function stateOf(spec: TargetSpec, modelName: string, supposed: Supposed, nowMs: number): TargetState {
  const seen = supposed.targets[spec.id];
  const latency: Record<string, Facts['targets'][number]['latency'][string]> = {};
  const computeMs: Record<string, number> = {};
  for (const [variant, observed] of Object.entries(seen?.observed ?? {})) {
    const key = `${modelName}/${variant}`;
    const { count, p50_ms: p50Ms } = observed;
    if (observed.compute_ms !== undefined) computeMs[key] = observed.compute_ms;
    if (p50Ms === undefined) continue;
    const p95Ms = Math.max(p50Ms, observed.p95_ms ?? p50Ms);
    latency[key] = { count, p50Ms, p95Ms, p99Ms: Math.max(p95Ms, observed.p99_ms ?? p95Ms) };
  }
  return {
    spec,
    breaker: breakerOf(seen?.breaker_open_for_ms, nowMs),
    inFlight: seen?.in_flight ?? 0,
    latency,
    computeMs,
    status: statusOf(seen, nowMs),
    wayMs: wayMsOf(spec, supposed),
    unreachable: seen?.unreachable ?? undeployed(spec),
  };
}

function breakerOf(openForMs: number | undefined, nowMs: number): BreakerState {
  if (openForMs === undefined) return initialBreaker;
  return { kind: 'open', openedAtMs: nowMs, openMs: openForMs, failedProbes: 0 };
}

function statusOf(seen: Supposed['targets'][string] | undefined, nowMs: number): TargetState['status'] {
  if (seen?.health === undefined && seen?.load_ratio === undefined && seen?.price_ratio === undefined) return undefined;
  return {
    asOfMs: nowMs,
    health: seen.health ?? 'up',
    loadRatio: seen.load_ratio ?? null,
    priceRatio: seen.price_ratio ?? null,
  };
}

function wayMsOf({ endpoint, region }: TargetSpec, { location }: Supposed): number | undefined {
  const there = REGION_COORDINATES.get(region);
  if (endpoint.kind === 'edge' || location === undefined || there === undefined) return undefined;
  return estimatedRttMs(location, there);
}

/** As the adapters say it: listed in the configuration, and not there yet. */
function undeployed({ endpoint }: TargetSpec): string | undefined {
  switch (endpoint.kind) {
    case 'lambda':
      return endpoint.function_url === null ? 'no function URL is configured' : undefined;
    case 'sagemaker':
      return endpoint.endpoint_name === null ? 'no endpoint name is configured' : undefined;
    case 'gpu':
      return endpoint.base_url === null ? 'no base_url is configured' : undefined;
    case 'edge':
    case 'mcu':
      return undefined;
  }
}
