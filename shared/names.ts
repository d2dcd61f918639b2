/**
 * Names that handlers, the worker and the CDK app must agree on: table keys, environment keys, metric names.
 * Owns no behaviour beyond building a key.
 */

export const TABLE_PARTITION_KEY = 'pk';
export const TABLE_SORT_KEY = 'sk';
export const TABLE_TTL_ATTRIBUTE = 'expires_at';
export const CONFIG_POINTER_SORT_KEY = 'CURRENT';

export function configPartition(environment: string): string {
  return `CFG#${environment}`;
}

/** Zero-padded so that versions sort as text. */
export function configVersionSortKey(version: number): string {
  return `V#${String(version).padStart(10, '0')}`;
}

/** @param minute whole minutes since the epoch */
export function metricsPartition(minute: number, shard: number): string {
  return `M1#${minute}#${shard}`;
}

/** Deterministic, so that a flush sent twice is stored once. */
export function metricsSortKey(isolateId: string, sequence: number): string {
  return `${isolateId}#${sequence}`;
}

/**
 * Rollups of one route and one step of time; `*` is the whole gateway.
 * @param period what its items lie in: a day (20261124), a month (202611) or a year (2026), in UTC
 */
export function rollupPartition(stepMinutes: number, route: string, period: string): string {
  return `R${stepMinutes}#${route}#${period}`;
}

/** Where the rollup says how far it came. No day has this name. */
export const ROLLUP_PROGRESS_PARTITION = 'R5#*#PROGRESS';

/** Whole minutes since the epoch, padded so that they sort as text. */
export function rollupSortKey(startMinute: number): string {
  return String(startMinute).padStart(10, '0');
}

/** CloudWatch namespace and metrics, with the environment as their one dimension: each costs money whether looked at or not. */
export const METRICS_NAMESPACE = 'HybridInference';
export const METRICS_DIMENSION = 'Environment';
export const GATEWAY_METRICS = {
  requests: 'RequestCount',
  errorRate: 'ErrorRate',
  p95Ms: 'ResponseTimeP95',
  fallbackRate: 'FallbackRate',
  edgeUtilization: 'EdgeUtilization',
  costPerInferenceUsd: 'CostPerInference',
  guaranteesAtRisk: 'GuaranteesAtRisk',
} as const;

/** Of the model server, by model and variant. */
export const MODEL_METRICS = { computeMs: 'ModelComputeTime', items: 'ModelItems' } as const;

/** Calibration records of a route's shortcuts. Apart from audits: the worker reads these and may not write them. */
export function guardPartition(route: string): string {
  return `GUARD#${route}`;
}

/** What audits of a route's shortcuts said, window by window, and summed up. */
export function auditPartition(route: string): string {
  return `AUDIT#${route}`;
}

/** The newest record of a shortcut; put anew with every calibration. */
export function calibrationSortKey(shortcut: string): string {
  return `CAL#${shortcut}`;
}

/** Audits of one calibration up to some settled minute, so that older windows need not be read. */
export function auditSnapshotSortKey(calibrationId: string): string {
  return `SNAP#${calibrationId}`;
}

/** Deterministic, like a metrics window, and ordered by minute. */
export function auditWindowSortKey(minute: number, isolateId: string, sequence: number): string {
  return `WIN#${String(minute).padStart(10, '0')}#${isolateId}#${sequence}`;
}

export const PRODUCT_NAME = 'hybrid-inference';
/** As in package.json; a test holds them together. */
export const PRODUCT_VERSION = '0.1.0';

/** JSON Lines: the model server's answers. */
export const UPSTREAM_CONTENT_TYPE = 'application/x-ndjson';
export const REQUEST_ID_HEADER = 'x-request-id';
/** W3C trace context; passed on to every place that is reached over HTTP. */
export const TRACEPARENT_HEADER = 'traceparent';
/** Milliseconds an upstream may still spend; sent with every attempt. */
export const DEADLINE_HEADER = 'x-deadline-ms';
/** Milliseconds the upstream spent computing, as it measured itself. */
export const COMPUTE_HEADER = 'x-compute-ms';

/** What the probe last saw of the places of one region; one item a target. */
export function resourcePartition(region: string): string {
  return `RES#${region}`;
}

export function resourceSortKey(kind: string, id: string): string {
  return `${kind}#${id}`;
}

/** One batch: its own item and one a chunk. */
export function batchPartition(batchId: string): string {
  return `BATCH#${batchId}`;
}

export const BATCH_SORT_KEY = 'META';

export function batchChunkSortKey(chunk: number): string {
  return `CHUNK#${String(chunk).padStart(6, '0')}`;
}

/** What an upload was cut into, and what came of it: objects of the batch bucket. */
export function batchObjectKey(batchId: string, kind: 'input' | 'part' | 'result', name: string): string {
  return `batches/${batchId}/${kind}/${name}.ndjson`;
}

/** Tells a batch's own token from an API key. */
export const BATCH_TOKEN_PREFIX = 'hb_';

/**
 * Of the batch function: V8 lets its heap grow as long as there is room, and a function that needs 256 MB should not be
 * paid for with more.
 */
export const BATCH_NODE_OPTIONS = '--max-old-space-size=96 --max-semi-space-size=2';

/** Every version of a model that was ever published, with its whole card. */
export function modelPartition(name: string): string {
  return `MODEL#${name}`;
}

export function modelVersionSortKey(version: string): string {
  return `V#${version}`;
}
