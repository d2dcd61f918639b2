import { describe, expect, it } from 'vitest';
import {
  estimateAcceptance,
  estimateCostNanos,
  estimateLatency,
  inTimeRatio,
  itemFactor,
  neededMs,
} from '../../../shared/decide/estimate.ts';
import type { Latency, LatencyPrior } from '../../../shared/decide/estimate.ts';
import type { LatencyEstimate } from '../../../shared/decide/facts.ts';
import { normalQuantile, normalShare } from '../../../shared/decide/normal.ts';

const prior = { p50_ms: 20, p95_ms: 60 };
const warm = { coldRatio: 0, coldP50Ms: 0, coldP95Ms: 0 };

function latencyOf(given: LatencyPrior, seen?: LatencyEstimate, factor = 1): Latency {
  return estimateLatency(given, seen, factor, 0, warm);
}

function needed(latency: Latency, probability: number): number {
  return neededMs(latency, probability, normalQuantile(probability));
}

const observed = (count: number) => ({ count, p50Ms: 100, p95Ms: 200, p99Ms: 1_000 });

describe('estimateLatency', () => {
  it('takes the prior where nothing was observed', () => {
    expect(latencyOf(prior)).toMatchObject({ p50Ms: 20, p95Ms: 60 });
    expect(latencyOf(prior, observed(0))).toMatchObject({ p50Ms: 20, p95Ms: 60 });
    expect(needed(latencyOf(prior), 0.95)).toBe(60);
  });

  it('moves from the prior to the evidence as observations grow', () => {
    expect(latencyOf(prior, observed(20))).toMatchObject({ p50Ms: 60, p95Ms: 130 });
    expect(latencyOf(prior, observed(1e9)).p50Ms).toBeCloseTo(100, 3);
  });

  it('asks for more time at a higher probability', () => {
    const latency = latencyOf(prior, observed(50));
    const times = [0, 0.3, 0.5, 0.9, 0.95, 0.99, 0.999, 1].map((p) => needed(latency, p));
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    expect(times[2]).toBeCloseTo(latency.p50Ms, 9);
  });

  it('believes an observed tail beyond the fitted one, once it was seen often enough', () => {
    expect(needed(latencyOf(prior, observed(1e9)), 0.99)).toBeCloseTo(1_000, 2);
    expect(needed(latencyOf(prior, observed(1)), 0.99)).toBeLessThan(150);
  });

  it('survives a clock too coarse to see the place, and a prior turned upside down', () => {
    const unseen = latencyOf(prior, { count: 1e12, p50Ms: 0, p95Ms: 0, p99Ms: 0 });
    expect(unseen.p50Ms).toBeGreaterThan(0);
    expect(Number.isFinite(needed(unseen, 0.99))).toBe(true);
    expect(inTimeRatio(unseen, 1)).toBe(1);
    expect(latencyOf({ p50_ms: 60, p95_ms: 20 })).toMatchObject({ p50Ms: 60, p95Ms: 60 });
    expect([59, 60].map((ms) => inTimeRatio(latencyOf({ p50_ms: 60, p95_ms: 20 }), ms))).toEqual([0, 1]);
  });

  it('scales with the batch: one after another in process, less elsewhere', () => {
    expect(itemFactor('edge', 8)).toBe(8);
    expect(itemFactor('lambda', 1)).toBe(1);
    expect(itemFactor('sagemaker', 6)).toBe(2);
    expect(latencyOf(prior, undefined, 2)).toMatchObject({ p50Ms: 40, p95Ms: 120 });
  });
});

describe('inTimeRatio', () => {
  it('is the other side of what is needed, tail included', () => {
    for (const latency of [latencyOf(prior), latencyOf(prior, observed(80))]) {
      for (const p of [0.01, 0.3, 0.5, 0.9, 0.95, 0.97, 0.99, 0.999])
        expect(inTimeRatio(latency, needed(latency, p))).toBeCloseTo(p, 5);
    }
    expect(inTimeRatio(latencyOf(prior), 0)).toBe(0);
    expect(inTimeRatio(latencyOf(prior), -5)).toBe(0);
  });

  const cold = estimateLatency(prior, undefined, 1, 0, { coldRatio: 0.1, coldP50Ms: 1_000, coldP95Ms: 2_000 });

  it('counts on a cold start as often as there is one', () => {
    expect(inTimeRatio(cold, 300)).toBeCloseTo(0.9, 3);
    expect(inTimeRatio(cold, 1_020)).toBeCloseTo(0.95, 3);
    expect(inTimeRatio(cold, 60_000)).toBeCloseTo(1, 6);
  });

  it('never needs less time than the probability asks, cold starts included', () => {
    for (const p of [0, 0.1, 0.5, 0.8, 0.89, 0.9, 0.91, 0.95, 0.99, 0.999])
      expect(inTimeRatio(cold, needed(cold, p))).toBeGreaterThanOrEqual(p - 1e-4);
    expect(needed(cold, 0.8)).toBeLessThan(100);
    expect(needed(cold, 0.95)).toBeCloseTo(1_020, 0);
  });
});

describe('estimateAcceptance', () => {
  it('accepts everything at 0, nothing above 1, and moves from the prior to the evidence between', () => {
    expect(estimateAcceptance(0, 0.9, undefined)).toEqual({ acceptedRatio: 1, acceptedConfidence: 0.9 });
    expect(estimateAcceptance(Infinity, 0.9, undefined).acceptedRatio).toBe(0);
    expect(estimateAcceptance(0.7, 0.9, undefined)).toEqual({ acceptedRatio: 0.8, acceptedConfidence: 0.9 });
    const seen = { count: 20, acceptedRatio: 0.4, acceptedConfidence: 0.98 };
    const blended = estimateAcceptance(0.7, 0.9, seen);
    expect(blended.acceptedRatio).toBeCloseTo(0.6, 9);
    expect(blended.acceptedConfidence).toBeCloseTo(0.94, 9);
  });

  it('takes an accepted answer to be right at least as often as its confidence says', () => {
    expect(estimateAcceptance(0.99, 0.9, undefined).acceptedConfidence).toBe(0.99);
  });
});

describe('normalShare', () => {
  it('is the inverse of the quantile', () => {
    for (const p of [1e-5, 0.01, 0.2, 0.5, 0.8, 0.99, 1 - 1e-5])
      expect(normalShare(normalQuantile(p))).toBeCloseTo(p, 6);
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
