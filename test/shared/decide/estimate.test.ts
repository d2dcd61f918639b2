import { describe, expect, it } from 'vitest';
import { estimateCostNanos, estimateLatency, itemFactor, normalQuantile } from '../../../shared/decide/estimate.ts';

const prior = { p50_ms: 20, p95_ms: 60 };
const z95 = normalQuantile(0.95);
const observed = (count: number) => ({ count, p50Ms: 100, p95Ms: 200, p99Ms: 1_000 });

describe('estimateLatency', () => {
  it('takes the prior where nothing was observed', () => {
    expect(estimateLatency(prior, undefined, 1, z95)).toEqual({ p50Ms: 20, p95Ms: 60, neededMs: 60 });
    expect(estimateLatency(prior, observed(0), 1, z95)).toEqual({ p50Ms: 20, p95Ms: 60, neededMs: 60 });
  });

  it('moves from the prior to the evidence as observations grow', () => {
    expect(estimateLatency(prior, observed(20), 1, z95)).toMatchObject({ p50Ms: 60, p95Ms: 130 });
    expect(estimateLatency(prior, observed(1e9), 1, z95).p50Ms).toBeCloseTo(100, 3);
  });

  it('asks for more time at a higher probability', () => {
    const needed = [0, 0.3, 0.5, 0.9, 0.95, 0.99, 0.999, 1].map(
      (p) => estimateLatency(prior, observed(50), 1, normalQuantile(p)).neededMs,
    );
    expect(needed).toEqual(needed.toSorted((a, b) => a - b));
    expect(needed[2]).toBeCloseTo(estimateLatency(prior, observed(50), 1, z95).p50Ms, 9);
  });

  it('believes an observed tail beyond the fitted one, once it was seen often enough', () => {
    const neededMs = (count: number) => estimateLatency(prior, observed(count), 1, normalQuantile(0.99)).neededMs;
    expect(neededMs(1e9)).toBeCloseTo(1_000, 2);
    expect(neededMs(1)).toBeLessThan(150);
  });

  it('survives a clock too coarse to see the place, and a prior turned upside down', () => {
    const unseen = estimateLatency(prior, { count: 1e12, p50Ms: 0, p95Ms: 0, p99Ms: 0 }, 1, normalQuantile(0.99));
    expect(unseen.p50Ms).toBeGreaterThan(0);
    expect(Number.isFinite(unseen.neededMs)).toBe(true);
    expect(estimateLatency({ p50_ms: 60, p95_ms: 20 }, undefined, 1, z95)).toEqual({
      p50Ms: 60,
      p95Ms: 60,
      neededMs: 60,
    });
  });

  it('scales with the batch: one after another in process, less elsewhere', () => {
    expect(itemFactor('edge', 8)).toBe(8);
    expect(itemFactor('lambda', 1)).toBe(1);
    expect(itemFactor('sagemaker', 6)).toBe(2);
    expect(estimateLatency(prior, undefined, 2, z95)).toEqual({ p50Ms: 40, p95Ms: 120, neededMs: 120 });
  });
});

describe('estimateCostNanos', () => {
  it('bills CPU per input at the edge, the variant’s own and that of handling it, and the time the place is busy elsewhere', () => {
    expect(estimateCostNanos({ kind: 'edge_cpu', usd_per_million_cpu_ms: 0.02, cpu_ms_per_item: 0.1 }, 3, 4)).toBe(248);
    expect(
      estimateCostNanos({ kind: 'instance', usd_per_hour: 3.6, concurrency: 1, utilization_ratio: 1 }, 10, 4),
    ).toBe(40_000);
  });
});

describe('normalQuantile', () => {
  // Values of the standard normal table.
  it.each([
    [0.001, -3.090232],
    [0.01, -2.326348],
    [0.3, -0.524401],
    [0.5, 0],
    [0.9, 1.281552],
    [0.95, 1.644854],
    [0.975, 1.959964],
    [0.99, 2.326348],
    [0.9999, 3.719016],
  ])('of %d is %d', (probability, z) => {
    expect(normalQuantile(probability)).toBeCloseTo(z, 5);
  });

  it('is finite at 0 and 1', () => {
    expect(normalQuantile(0)).toBeLessThan(-4);
    expect(normalQuantile(1)).toBeGreaterThan(4);
    expect(Number.isFinite(normalQuantile(1))).toBe(true);
  });
});
