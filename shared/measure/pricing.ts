/**
 * What things cost, in whole nano-dollars (1e-9 USD). Why nano: a millisecond of edge CPU is 20 of them; in
 * micro-dollars it would round to zero. 2^53 nano-dollars are nine million dollars, so sums stay exact.
 * Owns the formulas; the prices themselves are configuration, with a date.
 */
import type { GatewayPrice, PriceSpec } from '../schema/config.ts';

const NANOS_PER_USD = 1e9;
const MS_PER_SECOND = 1000;
const SECONDS_PER_HOUR = 3600;
const MB_PER_GB = 1024;

export function nanosFromUsd(usd: number): number {
  return Math.round(usd * NANOS_PER_USD);
}

export function usdFromNanos(nanos: number): number {
  return nanos / NANOS_PER_USD;
}

/**
 * One attempt that kept its place busy for `computeMs`, whatever came of it: a failed attempt is billed too, so pass
 * the place's own figure or, where it never answered, the time it may have worked.
 * A batch is one attempt: its items share the request fee and are billed through `computeMs`.
 */
export function attemptCostNanos(price: PriceSpec, computeMs: number): number {
  const busyMs = computeMs > 0 ? computeMs : 0;
  switch (price.kind) {
    case 'edge_cpu':
      return Math.round(busyMs * price.usd_per_million_cpu_ms * (NANOS_PER_USD / 1e6));
    case 'lambda': {
      // Billed per whole millisecond: https://aws.amazon.com/lambda/pricing/
      const gbSeconds = (Math.ceil(busyMs) / MS_PER_SECOND) * (price.memory_mb / MB_PER_GB);
      return Math.round((gbSeconds * price.usd_per_gb_second + price.usd_per_million_requests / 1e6) * NANOS_PER_USD);
    }
    case 'instance': {
      // An instance is paid by the hour, busy or not; a request's share is its time over what runs at once, over utilization.
      const usdPerBusySecond = price.usd_per_hour / SECONDS_PER_HOUR / price.concurrency / price.utilization_ratio;
      return Math.round((busyMs / MS_PER_SECOND) * usdPerBusySecond * NANOS_PER_USD);
    }
    case 'serverless': {
      const seconds = Math.ceil(busyMs) / MS_PER_SECOND;
      return Math.round((seconds * price.usd_per_second + price.usd_per_million_requests / 1e6) * NANOS_PER_USD);
    }
    case 'flat':
      return Math.round(price.usd_per_request * NANOS_PER_USD);
  }
}

/** What the gateway itself costs for one request, wherever the answer came from. */
export function gatewayCostNanos(price: GatewayPrice): number {
  const usdPerMillion =
    price.usd_per_million_requests +
    price.cpu_ms_per_request * price.usd_per_million_cpu_ms +
    (price.table_writes_per_request ?? 0) * (price.usd_per_million_table_writes ?? 0);
  return Math.round(usdPerMillion * (NANOS_PER_USD / 1e6));
}
