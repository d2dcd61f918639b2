import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createLatencyTracker, estimate, observe } from '../../../shared/measure/latency-tracker.ts';

const NOW_MS = 1_700_000_000_000;
const MINUTE_MS = 60_000;

describe('latency tracker', () => {
  it('knows nothing of a key it has not seen', () => {
    expect(estimate(createLatencyTracker(), 'edge/intent/micro', NOW_MS)).toBeUndefined();
  });

  it('estimates quantiles of what it saw', () => {
    const tracker = createLatencyTracker();
    for (let value = 1; value <= 100; value += 1) observe(tracker, 'k', value, NOW_MS);
    const seen = estimate(tracker, 'k', NOW_MS);
    expect(seen?.count).toBeCloseTo(100, 6);
    expect(seen?.p50Ms).toBeCloseTo(50, -0.5);
    expect(Math.abs((seen?.p95Ms ?? 0) - 95)).toBeLessThan(1.5);
    expect(Math.abs((seen?.p99Ms ?? 0) - 99)).toBeLessThan(1.5);
  });

  it('lets observations count half after a minute', () => {
    const tracker = createLatencyTracker();
    for (let index = 0; index < 40; index += 1) observe(tracker, 'k', 10, NOW_MS);
    expect(estimate(tracker, 'k', NOW_MS + MINUTE_MS)?.count).toBeCloseTo(20, 6);
    expect(estimate(tracker, 'k', NOW_MS + 2 * MINUTE_MS)?.count).toBeCloseTo(10, 6);
  });

  it('follows a place that turned slow, and long afterwards still estimates', () => {
    const tracker = createLatencyTracker();
    for (let index = 0; index < 1_000; index += 1) observe(tracker, 'k', 10, NOW_MS);
    const laterMs = NOW_MS + 10 * MINUTE_MS;
    for (let index = 0; index < 10; index += 1) observe(tracker, 'k', 500, laterMs);
    expect(estimate(tracker, 'k', laterMs)?.p50Ms).toBeGreaterThan(490);
    const muchLaterMs = NOW_MS + 24 * 60 * MINUTE_MS;
    observe(tracker, 'k', 30, muchLaterMs);
    expect(estimate(tracker, 'k', muchLaterMs)).toMatchObject({ count: expect.closeTo(1, 6) as number });
    expect(estimate(tracker, 'k', muchLaterMs)?.p50Ms).toBeCloseTo(30, -0.5);
  });

  it('keeps learning when the clock goes back', () => {
    const tracker = createLatencyTracker();
    for (let index = 0; index < 100; index += 1) observe(tracker, 'k', 10, NOW_MS);
    for (let index = 0; index < 300; index += 1) observe(tracker, 'k', 200, NOW_MS - 60 * MINUTE_MS);
    const seen = estimate(tracker, 'k', NOW_MS - 60 * MINUTE_MS);
    expect(seen?.p50Ms).toBeGreaterThan(190);
    expect(seen?.count).toBeCloseTo(400, 3);
  });

  it('shows a burst of new observations at once', () => {
    const tracker = createLatencyTracker();
    observe(tracker, 'k', 10, NOW_MS);
    expect(estimate(tracker, 'k', NOW_MS)?.p50Ms).toBeCloseTo(10, -0.5);
    for (let index = 0; index < 5; index += 1) observe(tracker, 'k', 100, NOW_MS);
    expect(estimate(tracker, 'k', NOW_MS)?.p50Ms).toBeGreaterThan(90);
  });

  it('asks its sketch rarely: the same estimate while little has changed', () => {
    const tracker = createLatencyTracker();
    for (let index = 0; index < 100; index += 1) observe(tracker, 'k', 10, NOW_MS);
    const seen = estimate(tracker, 'k', NOW_MS);
    observe(tracker, 'k', 10, NOW_MS);
    expect(estimate(tracker, 'k', NOW_MS + 500)).toBe(seen);
    expect(estimate(tracker, 'k', NOW_MS + 1_000)).not.toBe(seen);
  });

  it('holds a bounded number of keys, and drops the one unseen for longest', () => {
    const tracker = createLatencyTracker();
    for (let index = 0; index < 600; index += 1) observe(tracker, `k${index}`, 10, NOW_MS + index);
    expect(tracker.entries.size).toBe(512);
    expect(estimate(tracker, 'k0', NOW_MS + 600)).toBeUndefined();
    expect(estimate(tracker, 'k599', NOW_MS + 600)).toBeDefined();
  });

  it('stays finite and ordered however the clock jumps', () => {
    const jumps = fc.array(
      fc.tuple(fc.integer({ min: -1e9, max: 1e9 }), fc.double({ min: 0, max: 1e5, noNaN: true })),
      { maxLength: 40 },
    );
    fc.assert(
      fc.property(jumps, (steps) => {
        const tracker = createLatencyTracker();
        let nowMs = NOW_MS;
        for (const [stepMs, latencyMs] of steps) {
          nowMs += stepMs;
          observe(tracker, 'k', latencyMs, nowMs);
          const seen = estimate(tracker, 'k', nowMs);
          if (seen === undefined) throw new Error('lost its key');
          expect(seen.count).toBeGreaterThan(0);
          expect(seen.count).toBeLessThanOrEqual(steps.length + 1e-6);
          expect(seen.p50Ms).toBeLessThanOrEqual(seen.p95Ms);
          expect(seen.p95Ms).toBeLessThanOrEqual(seen.p99Ms);
          expect(Number.isFinite(seen.p99Ms)).toBe(true);
        }
      }),
    );
  });
});
