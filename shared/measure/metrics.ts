/**
 * Counters and latency sketches per route and per (target, model, variant), filled from finished requests and merged
 * in any order. Labels come from configuration, never from a caller, and fold into `other` past a bound.
 * Owns counting, merging and the stored form; what the figures mean is summary.ts.
 */
import * as z from 'zod/mini';
import type { AttemptRecord, AuditRecord, RequestRecord } from '../schema/record.ts';
import { addToSketch, createSketch, decodeSketch, encodeSketch, mergeSketch } from './sketch.ts';
import type { EncodedSketch, Sketch } from './sketch.ts';

const ROUTE_COUNTERS = [
  'requests',
  'errors',
  /** Requests with at least one fallback, escalation; counted apart. */
  'fallbacks',
  'escalations',
  'items',
  'edgeItems',
  'cacheHits',
  'staleHits',
  /** Requests whose plan could not promise every requirement. */
  'missed',
  'costNanos',
  'cloudOnlyCostNanos',
  /** Accepted answers asked again of the reference in the background; their cost is in no request's. */
  'audits',
  'auditDisagreements',
  'auditFailures',
  'auditCostNanos',
] as const;

const TARGET_COUNTERS = ['attempts', 'failures', 'items', 'acceptedItems', 'costNanos'] as const;

type RouteCounters = Record<(typeof ROUTE_COUNTERS)[number], number>;
type TargetCounters = Record<(typeof TARGET_COUNTERS)[number], number>;

export type RouteSeries = RouteCounters & { latency: Sketch };
type TargetSeries = TargetCounters & { latency: Sketch };

export type MetricsSnapshot = {
  /** First and last whole minute since the epoch with a request, or null. */
  startMinute: number | null;
  endMinute: number | null;
  readonly routes: Map<string, RouteSeries>;
  /** Keyed by `target|model|variant`. */
  readonly targets: Map<string, TargetSeries>;
};

const MAX_SERIES = 200;
export const OTHER_SERIES = 'other';
const MS_PER_MINUTE = 60_000;

export function emptyMetrics(): MetricsSnapshot {
  return { startMinute: null, endMinute: null, routes: new Map(), targets: new Map() };
}

/** In place: on the path of every request, so it allocates only when a series is new. */
export function addRecord(metrics: MetricsSnapshot, record: RequestRecord): void {
  const minute = Math.floor(record.startedAtMs / MS_PER_MINUTE);
  widen(metrics, minute, minute);
  const route = seriesOf(metrics.routes, record.route, newRouteSeries);
  route.requests += 1;
  if (record.outcome === 'error') route.errors += 1;
  if (record.cache === 'hit' || record.cache === 'semantic') route.cacheHits += 1;
  if (record.cache === 'stale') route.staleHits += 1;
  if (record.missed.length > 0) route.missed += 1;
  route.items += record.items;
  route.edgeItems += record.edgeItems;
  route.costNanos += record.costNanos;
  route.cloudOnlyCostNanos += record.cloudOnlyCostNanos;
  addToSketch(route.latency, record.latencyMs);
  let hasFallback = false;
  let hasEscalation = false;
  for (const attempt of record.attempts) {
    if (attempt.why === 'fallback') hasFallback = true;
    if (isEscalation(attempt)) hasEscalation = true;
    const target = seriesOf(metrics.targets, `${attempt.target}|${record.model}|${attempt.variant}`, newTargetSeries);
    target.attempts += 1;
    if (attempt.outcome === 'failed') target.failures += 1;
    target.items += attempt.items;
    target.acceptedItems += attempt.acceptedItems;
    target.costNanos += attempt.costNanos;
    // How long it would have taken nobody knows.
    if (attempt.outcome !== 'cancelled') addToSketch(target.latency, attempt.latencyMs);
  }
  if (hasFallback) route.fallbacks += 1;
  if (hasEscalation) route.escalations += 1;
}

/** A step begun early is an escalation where its answer was needed. */
function isEscalation({ why, outcome }: AttemptRecord): boolean {
  return why === 'escalation' || (why === 'speculation' && (outcome === 'accepted' || outcome === 'partly_accepted'));
}

/** In place. What background audits of one answer did; no request waits for them, and none is charged. */
export function addAudits(metrics: MetricsSnapshot, audits: AuditRecord): void {
  const minute = Math.floor(audits.endedAtMs / MS_PER_MINUTE);
  widen(metrics, minute, minute);
  const route = seriesOf(metrics.routes, audits.route, newRouteSeries);
  route.audits += audits.audits;
  route.auditDisagreements += audits.disagreements;
  route.auditFailures += audits.failures;
  route.auditCostNanos += audits.costNanos;
}

/** In place, into `target`. */
export function mergeMetrics(target: MetricsSnapshot, source: MetricsSnapshot): void {
  if (source.startMinute !== null && source.endMinute !== null) widen(target, source.startMinute, source.endMinute);
  for (const [key, series] of source.routes)
    mergeSeries(seriesOf(target.routes, key, newRouteSeries), series, ROUTE_COUNTERS);
  for (const [key, series] of source.targets)
    mergeSeries(seriesOf(target.targets, key, newTargetSeries), series, TARGET_COUNTERS);
}

function mergeSeries<K extends string>(
  target: Record<K, number> & { latency: Sketch },
  source: Record<K, number> & { latency: Sketch },
  counters: readonly K[],
): void {
  const sums: Record<K, number> = target;
  for (const counter of counters) sums[counter] += source[counter];
  mergeSketch(target.latency, source.latency);
}

function widen(metrics: MetricsSnapshot, startMinute: number, endMinute: number): void {
  if (metrics.startMinute === null || startMinute < metrics.startMinute) metrics.startMinute = startMinute;
  if (metrics.endMinute === null || endMinute > metrics.endMinute) metrics.endMinute = endMinute;
}

function seriesOf<S>(series: Map<string, S>, key: string, create: () => S): S {
  const present = series.get(key);
  if (present !== undefined) return present;
  // The last place is kept for `other`.
  const label = series.size < MAX_SERIES - 1 ? key : OTHER_SERIES;
  const known = series.get(label);
  if (known !== undefined) return known;
  const created = create();
  series.set(label, created);
  return created;
}

export function newRouteSeries(): RouteSeries {
  return {
    requests: 0,
    errors: 0,
    fallbacks: 0,
    escalations: 0,
    items: 0,
    edgeItems: 0,
    cacheHits: 0,
    staleHits: 0,
    missed: 0,
    costNanos: 0,
    cloudOnlyCostNanos: 0,
    audits: 0,
    auditDisagreements: 0,
    auditFailures: 0,
    auditCostNanos: 0,
    latency: createSketch(),
  };
}

function newTargetSeries(): TargetSeries {
  return { attempts: 0, failures: 0, items: 0, acceptedItems: 0, costNanos: 0, latency: createSketch() };
}

const countSchema = z.int().check(z.nonnegative());
const seriesSchema = (counters: number) =>
  z
    .array(
      z.tuple([
        z.string().check(z.minLength(1), z.maxLength(256)),
        z.array(countSchema).check(z.maxLength(counters)),
        z.unknown(),
      ]),
    )
    .check(z.maxLength(MAX_SERIES));

const encodedSchema = z.strictObject({
  v: z.literal(3),
  start: z.nullable(countSchema),
  end: z.nullable(countSchema),
  /** [key, counters in the order of their list without the zeros at its end, sketch] */
  routes: seriesSchema(ROUTE_COUNTERS.length),
  targets: seriesSchema(TARGET_COUNTERS.length),
});

/**
 * JSON text, small because every kilobyte of a window is paid for as one more write. The order of counters is part of the
 * format: add at the end and raise `v`.
 */
export function encodeMetrics(metrics: MetricsSnapshot): string {
  return JSON.stringify({
    v: 3,
    start: metrics.startMinute,
    end: metrics.endMinute,
    routes: Array.from(metrics.routes, ([key, series]) => encodeSeries(key, series, ROUTE_COUNTERS)),
    targets: Array.from(metrics.targets, ([key, series]) => encodeSeries(key, series, TARGET_COUNTERS)),
  });
}

function encodeSeries<K extends string>(
  key: string,
  series: Readonly<Record<K, number>> & { readonly latency: Sketch },
  counters: readonly K[],
): readonly [string, readonly number[], EncodedSketch] {
  const counts = counters.map((counter) => series[counter]);
  return [key, counts.slice(0, counts.findLastIndex((count) => count !== 0) + 1), encodeSketch(series.latency)];
}

/** Strict, for a stored window may hold anything. @returns undefined where the text is not a snapshot */
export function decodeMetrics(text: string): MetricsSnapshot | undefined {
  const parsed = encodedSchema.safeParse(parseJson(text));
  if (!parsed.success) return undefined;
  const metrics = emptyMetrics();
  metrics.startMinute = parsed.data.start;
  metrics.endMinute = parsed.data.end;
  const isWhole =
    decodeSeries(parsed.data.routes, metrics.routes, ROUTE_COUNTERS, newRouteSeries) &&
    decodeSeries(parsed.data.targets, metrics.targets, TARGET_COUNTERS, newTargetSeries);
  return isWhole ? metrics : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function decodeSeries<K extends string, S extends Record<K, number> & { latency: Sketch }>(
  encoded: readonly (readonly [string, readonly number[], unknown])[],
  into: Map<string, S>,
  counters: readonly K[],
  create: () => S,
): boolean {
  for (const [key, counts, encodedSketch] of encoded) {
    const decoded = decodeSketch(encodedSketch);
    if (decoded === undefined || into.has(key)) return false;
    const series = create();
    const sums: Record<K, number> = series;
    for (const [position, counter] of counters.entries()) sums[counter] = counts[position] ?? 0;
    series.latency = decoded;
    into.set(key, series);
  }
  return true;
}
