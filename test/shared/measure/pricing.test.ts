import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { attemptCostNanos, gatewayCostNanos, nanosFromUsd, usdFromNanos } from '../../../shared/measure/pricing.ts';
import type { PriceSpec } from '../../../shared/schema/config.ts';

const edge: PriceSpec = { kind: 'edge_cpu', usd_per_million_cpu_ms: 0.02, cpu_ms_per_item: 0.1 };
const lambda: PriceSpec = {
  kind: 'lambda',
  usd_per_gb_second: 0.0000133334,
  usd_per_million_requests: 0.2,
  memory_mb: 2048,
};
const instance: PriceSpec = { kind: 'instance', usd_per_hour: 0.36, concurrency: 2, utilization_ratio: 0.25 };
const serverless: PriceSpec = { kind: 'serverless', usd_per_second: 0.00008, usd_per_million_requests: 0.5 };
const flat: PriceSpec = { kind: 'flat', usd_per_request: 0.001 };

describe('pricing', () => {
  it.each<[string, PriceSpec, number, number]>([
    ['a millisecond of edge CPU is 20 nano-dollars', edge, 1, 20],
    ['a twentieth of one is not lost', edge, 0.05, 1],
    // 101 ms * 2 GB = 0.202 GB-s * 13,333.4 nanos = 2,693.3, and 200 for the request.
    ['Lambda bills whole milliseconds of memory, and the request', lambda, 100.2, 2_893],
    ['Lambda bills the request even if nothing ran', lambda, 0, 200],
    // 0.36 / 3600 s = 100,000 nanos a second, / 2 at once / 0.25 in use = 200,000.
    ['an instance is paid for idle time too', instance, 10, 2_000],
    // 11 ms * 80 nanos, and 500 for the request.
    ['serverless bills whole milliseconds, and the request', serverless, 10.5, 1_380],
    ['a flat price does not look at time', flat, 12_345, 1_000_000],
  ])('%s', (_name, price, computeMs, nanos) => {
    expect(attemptCostNanos(price, computeMs)).toBe(nanos);
  });

  it('counts the gateway by request and CPU', () => {
    const price = {
      usd_per_million_requests: 0.3,
      usd_per_million_cpu_ms: 0.02,
      cpu_ms_per_request: 0.2,
      as_of: '2026-11-01',
    };
    expect(gatewayCostNanos(price)).toBe(304);
    const withTable = { ...price, table_writes_per_request: 0.04, usd_per_million_table_writes: 0.625 };
    expect(gatewayCostNanos(withTable)).toBe(329);
  });

  it('is a whole number that never falls as time grows, and never negative, whatever the time', () => {
    const prices = fc.constantFrom(edge, lambda, instance, serverless, flat);
    fc.assert(
      fc.property(
        prices,
        fc.double({ min: -10, max: 600_000, noNaN: true }),
        fc.double({ min: 0, max: 1_000, noNaN: true }),
        (price, ms, moreMs) => {
          const nanos = attemptCostNanos(price, ms);
          expect(Number.isSafeInteger(nanos)).toBe(true);
          expect(nanos).toBeGreaterThanOrEqual(0);
          expect(attemptCostNanos(price, ms + moreMs)).toBeGreaterThanOrEqual(nanos);
        },
      ),
    );
    expect(attemptCostNanos(lambda, Number.NaN)).toBe(200);
  });

  it('turns dollars into nano-dollars and back', () => {
    expect(nanosFromUsd(0.0000123)).toBe(12_300);
    expect(usdFromNanos(nanosFromUsd(1.5))).toBe(1.5);
  });
});
