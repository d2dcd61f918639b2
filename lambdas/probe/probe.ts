/**
 * Looks at every target of the configuration and records what it saw. Owns how each kind is looked at, always without an
 * inference: the function's front door by a method that it refuses, the endpoint by its description, a GPU server by its
 * readiness. A place that cannot be judged (it asks for a secret that is the worker's, or does not let the probe look) is left
 * without a word.
 */
import { isProbed, statusItem, type ProbedStatus } from '../../shared/control/resource-status.ts';
import { REQUEST_ID_HEADER } from '../../shared/names.ts';
import type { Config, TargetSpec } from '../../shared/schema/config.ts';
import type { AwsCaller } from '../lib/aws-call.ts';
import type { ControlTable } from '../lib/control-table.ts';
import { describeEndpoint } from './describe-endpoint.ts';
import type { ReadLoad } from './read-load.ts';

export type ProbeOptions = {
  readonly config: Config;
  readonly aws: AwsCaller;
  readonly table: Pick<ControlTable, 'put'>;
  readonly fetch: typeof fetch;
  /** Undefined where nothing measures load. */
  readonly readLoad: ReadLoad | undefined;
  readonly nowMs: () => number;
};

export type Probed = { readonly target: string; readonly health: ProbedStatus['health'] | 'unknown' };

/** What a look finds; undefined: nothing can be said. */
type Look =
  | (Pick<ProbedStatus, 'health' | 'latencyMs' | 'detail'> & { readonly variantName?: string | undefined })
  | undefined;

const GPU_TIMEOUT_MS = 5_000;

/**
 * One place that cannot be looked at, or whose status cannot be put, never keeps the others from theirs: it rejects when all
 * are done, because a function is frozen as soon as its promise is settled.
 */
export async function probeTargets(options: ProbeOptions): Promise<readonly Probed[]> {
  const probing = options.config.targets.filter(isProbed).map((target) => probeOne(target, options));
  await Promise.allSettled(probing);
  return Promise.all(probing);
}

async function probeOne(target: TargetSpec, options: ProbeOptions): Promise<Probed> {
  const asOfMs = options.nowMs();
  const look = await lookAt(target, options).catch((error: unknown): Look => ({
    health: 'down',
    latencyMs: null,
    detail: `does not answer: ${nameOf(error)}`,
  }));
  if (look === undefined) return { target: target.id, health: 'unknown' };
  const { variantName, ...seen } = look;
  const loadRatio = (await options.readLoad?.(target, variantName).catch(() => null)) ?? null;
  await options.table.put(statusItem(target, { asOfMs, priceRatio: null, loadRatio, ...seen }));
  return { target: target.id, health: seen.health };
}

async function lookAt(target: TargetSpec, options: ProbeOptions): Promise<Look> {
  const { endpoint } = target;
  switch (endpoint.kind) {
    case 'lambda':
      return endpoint.function_url === null ? undefined : lookAtFunction(endpoint.function_url, target, options);
    case 'sagemaker':
      return endpoint.endpoint_name === null
        ? undefined
        : describeEndpoint(options.aws, target.region, endpoint.endpoint_name, endpoint.base_url);
    case 'gpu':
      return endpoint.base_url === null ? undefined : lookAtServer(endpoint.base_url, options);
    case 'edge':
    case 'mcu':
      return undefined;
  }
}

/** The model server knows no GET: that it says so itself proves that it runs, and runs no model. */
async function lookAtFunction(url: string, target: TargetSpec, { aws, nowMs }: ProbeOptions): Promise<Look> {
  const startedAtMs = nowMs();
  const { status, headers } = await aws.send('lambda', target.region, url);
  const latencyMs = nowMs() - startedAtMs;
  if (status === 405 && headers.has(REQUEST_ID_HEADER))
    return { health: 'up', latencyMs, detail: 'the server answers' };
  // At its limit it lives: what it refuses now it takes in a moment.
  if (status === 429) return { health: 'up', latencyMs, detail: 'throttled' };
  if (status === 401 || status === 403) return undefined;
  return { health: 'down', latencyMs, detail: `the front door answered HTTP ${status}` };
}

async function lookAtServer(baseUrl: string, { fetch: send, nowMs }: ProbeOptions): Promise<Look> {
  const startedAtMs = nowMs();
  const response = await send(`${baseUrl.replace(/\/+$/, '')}/v2/health/ready`, {
    signal: AbortSignal.timeout(GPU_TIMEOUT_MS),
    redirect: 'manual',
  });
  await response.body?.cancel();
  const latencyMs = nowMs() - startedAtMs;
  if (response.ok) return { health: 'up', latencyMs, detail: 'ready' };
  if (response.status === 401 || response.status === 403) return undefined;
  return { health: 'down', latencyMs, detail: `readiness answered HTTP ${response.status}` };
}

/** Never the message, which can hold an address. */
function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : 'unknown';
}
