import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { MetricsSnapshot } from '../../../shared/measure/metrics.ts';
import {
  addRecord,
  decodeMetrics,
  emptyMetrics,
  encodeMetrics,
  mergeMetrics,
  OTHER_SERIES,
} from '../../../shared/measure/metrics.ts';
import { summarizeMetrics } from '../../../shared/measure/summary.ts';
import type { AttemptRecord, RequestRecord } from '../../../shared/schema/record.ts';

const MINUTE_MS = 60_000;

function attempt(changes: Partial<AttemptRecord> = {}): AttemptRecord {
  return {
    target: 'edge',
    kind: 'edge',
    region: 'local',
    variant: 'micro',
    why: 'first',
    outcome: 'accepted',
    reason: null,
    detail: '',
    items: 1,
    acceptedItems: 1,
    latencyMs: 1,
    computeMs: 1,
    costNanos: 2,
    ...changes,
  };
}

function record(changes: Partial<RequestRecord> = {}): RequestRecord {
  return {
    requestId: 'r',
    tenant: 't',
    route: 'intent',
    model: 'intent',
    protocol: 'native',
    priority: 'normal',
    startedAtMs: 100 * MINUTE_MS,
    latencyMs: 2,
    cache: 'miss',
    attempts: [attempt()],
    items: 1,
    edgeItems: 1,
    outcome: 'ok',
    errorCode: null,
    costNanos: 300,
    cloudOnlyCostNanos: 1_000,
    missed: [],
    configVersion: 'embedded',
    ...changes,
  };
}

function metricsOf(...records: readonly RequestRecord[]): MetricsSnapshot {
  const metrics = emptyMetrics();
  for (const one of records) addRecord(metrics, one);
  return metrics;
}

const unsure = attempt({ outcome: 'low_confidence', acceptedItems: 0 });
const escalated = attempt({
  target: 'lambda',
  kind: 'lambda',
  variant: 'base',
  why: 'escalation',
  latencyMs: 30,
  costNanos: 700,
});
const broken = attempt({
  target: 'lambda',
  kind: 'lambda',
  variant: 'base',
  why: 'escalation',
  outcome: 'failed',
  reason: 'timeout',
  acceptedItems: 0,
});
const stoodIn = attempt({
  target: 'sagemaker',
  kind: 'sagemaker',
  variant: 'large',
  why: 'fallback',
  latencyMs: 60,
  costNanos: 900,
});

const arbitraryRecord: fc.Arbitrary<RequestRecord> = fc
  .record({
    route: fc.constantFrom('intent', 'digits'),
    startedAtMs: fc.integer({ min: 0, max: 1e9 }),
    latencyMs: fc.double({ min: 0, max: 5_000, noNaN: true }),
    cache: fc.constantFrom('miss' as const, 'hit' as const, 'stale' as const, 'semantic' as const),
    outcome: fc.constantFrom('ok' as const, 'error' as const),
    attempts: fc.subarray([unsure, escalated, broken, stoodIn]),
    costNanos: fc.integer({ min: 0, max: 1e9 }),
  })
  .map((changes) => record(changes));

function sorted(metrics: MetricsSnapshot): unknown {
  const { by_route, by_target, ...rest } = summarizeMetrics(metrics);
  return {
    ...rest,
    start: metrics.startMinute,
    end: metrics.endMinute,
    by_route: by_route.toSorted((a, b) => a.route.localeCompare(b.route)),
    by_target: by_target.toSorted((a, b) => a.target.localeCompare(b.target)),
  };
}

describe('metrics', () => {
  it('says zero and null, not NaN, when nothing happened', () => {
    expect(summarizeMetrics(emptyMetrics())).toMatchObject({
      request_count: 0,
      error_rate: 0,
      edge_utilization: 0,
      saving_ratio: 0,
      response_time_ms: { p50: null, p95: null, p99: null, max: null, sum: 0, count: 0 },
      by_route: [],
      by_target: [],
    });
  });

  it('counts requests, errors, escalations and fallbacks apart, a request at most once each', () => {
    const metrics = metricsOf(
      record(),
      record({ attempts: [unsure, escalated, attempt({ why: 'escalation' })] }),
      record({ attempts: [unsure, broken, stoodIn], edgeItems: 0 }),
      record({
        outcome: 'error',
        errorCode: 'chain_exhausted',
        attempts: [broken],
        edgeItems: 0,
        missed: ['latency_requirement'],
      }),
    );
    expect(summarizeMetrics(metrics)).toMatchObject({
      request_count: 4,
      error_count: 1,
      error_rate: 0.25,
      escalation_rate: 0.75,
      fallback_rate: 0.25,
      edge_utilization: 0.5,
      missed_count: 1,
    });
  });

  it('counts answers of the cache and stale ones', () => {
    const metrics = metricsOf(
      record({ cache: 'hit', attempts: [] }),
      record({ cache: 'semantic', attempts: [] }),
      record({ cache: 'stale', attempts: [broken] }),
    );
    expect(summarizeMetrics(metrics)).toMatchObject({ cache_hit_count: 2, stale_count: 1, edge_utilization: 1 });
  });

  it('sets cost against the cloud alone', () => {
    const summary = summarizeMetrics(metricsOf(record(), record({ costNanos: 500 })));
    expect(summary).toMatchObject({ cost_usd: 8e-7, cloud_only_cost_usd: 2e-6, saving_ratio: 0.6 });
    expect(summary.cost_saved_usd).toBeCloseTo(1.2e-6, 15);
  });

  it('lists every target with its model and variant', () => {
    const summary = summarizeMetrics(
      metricsOf(record({ attempts: [unsure, escalated] }), record({ attempts: [broken] })),
    );
    expect(summary.by_target).toHaveLength(2);
    expect(summary.by_target).toContainEqual(
      expect.objectContaining({
        target: 'lambda',
        model: 'intent',
        variant: 'base',
        attempt_count: 2,
        failure_count: 1,
        failure_rate: 0.5,
        accepted_ratio: 0.5,
      }),
    );
    expect(summary.by_route).toEqual([expect.objectContaining({ route: 'intent', request_count: 2 })]);
  });

  it('gives latencies within a hundredth and the maximum exactly', () => {
    const metrics = metricsOf(...Array.from({ length: 100 }, (_, index) => record({ latencyMs: index + 1 })));
    const { response_time_ms } = summarizeMetrics(metrics);
    expect(Math.abs((response_time_ms.p95 ?? 0) - 95)).toBeLessThanOrEqual(0.95);
    expect(response_time_ms).toMatchObject({ max: 100, sum: 5_050, count: 100 });
  });

  it('spans the minutes of its requests', () => {
    const metrics = metricsOf(record({ startedAtMs: 7 * MINUTE_MS }), record({ startedAtMs: 5 * MINUTE_MS + 59_999 }));
    expect(metrics).toMatchObject({ startMinute: 5, endMinute: 7 });
  });

  it('folds series beyond the bound into one, losing no count', () => {
    const metrics = metricsOf(...Array.from({ length: 500 }, (_, index) => record({ route: `r${index}` })));
    expect(metrics.routes.size).toBe(200);
    expect(metrics.routes.get(OTHER_SERIES)?.requests).toBe(301);
    expect(summarizeMetrics(metrics).request_count).toBe(500);
    const doubled = metricsOf(...Array.from({ length: 300 }, (_, index) => record({ route: `s${index}` })));
    mergeMetrics(doubled, metrics);
    expect(doubled.routes.size).toBe(200);
    expect(summarizeMetrics(doubled).request_count).toBe(800);
  });

  it('merges to the same in any order, as if counted in one place', () => {
    const many = fc.array(arbitraryRecord, { maxLength: 20 });
    fc.assert(
      fc.property(many, many, (a, b) => {
        const ab = metricsOf(...a);
        mergeMetrics(ab, metricsOf(...b));
        const ba = metricsOf(...b);
        mergeMetrics(ba, metricsOf(...a));
        expect(sorted(ab)).toEqual(sorted(metricsOf(...a, ...b)));
        expect(sorted(ba)).toEqual(sorted(ab));
      }),
    );
  });

  it('leaves the source of a merge as it was', () => {
    const source = metricsOf(record());
    const before = encodeMetrics(source);
    const target = emptyMetrics();
    mergeMetrics(target, source);
    addRecord(target, record());
    expect(encodeMetrics(source)).toBe(before);
  });

  it('survives its stored form', () => {
    fc.assert(
      fc.property(fc.array(arbitraryRecord, { maxLength: 20 }), (records) => {
        const metrics = metricsOf(...records);
        const restored = decodeMetrics(encodeMetrics(metrics));
        if (restored === undefined) throw new Error('refused its own form');
        expect(encodeMetrics(restored)).toBe(encodeMetrics(metrics));
        expect(summarizeMetrics(restored)).toEqual(summarizeMetrics(metrics));
      }),
    );
  });

  const stored = encodeMetrics(metricsOf(record()));
  it.each<[string, string]>([
    ['text that is not JSON', stored.slice(1)],
    ['null', 'null'],
    ['another version', stored.replace('"v":3', '"v":2')],
    ['an unknown field', stored.replace('{', '{"x":1,')],
    ['more counters than there are', stored.replace('[1,0,0,0,', '[1,0,0,0,0,0,0,0,0,0,0,0,0,0,')],
    ['a negative counter', stored.replace('[1,0,0,0,', '[-1,0,0,0,')],
    ['a broken sketch', stored.replace('"z":0', '"z":-1')],
    [
      'a series twice',
      JSON.stringify({
        ...(JSON.parse(stored) as object),
        targets: Array.from({ length: 2 }, () => ['k', [1, 0, 1, 1, 1], { z: 1, m: 0, s: 0, b: [] }]),
      }),
    ],
    [
      'too many series',
      JSON.stringify({
        ...(JSON.parse(stored) as object),
        targets: Array.from({ length: 201 }, (_, index) => [`k${index}`, [1, 0, 1, 1, 1], { z: 1, m: 0, s: 0, b: [] }]),
      }),
    ],
  ])('refuses %s', (_what, text) => {
    expect(text).not.toBe(stored);
    expect(decodeMetrics(text)).toBeUndefined();
  });

  it('never throws on anything that JSON can say', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(decodeMetrics(text)).toBeUndefined();
      }),
    );
  });
});
