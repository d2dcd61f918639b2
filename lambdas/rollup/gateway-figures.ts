/**
 * What the newest rollup says of the gateway, for CloudWatch: rates, latency, cost, guarantees at risk. Owns the definitions;
 * the line they are written in is emf.ts.
 */
import { thresholdInForce } from '../../shared/guard/audit.ts';
import { parseAuditState } from '../../shared/guard/stored-guard.ts';
import { decodeMetrics } from '../../shared/measure/metrics.ts';
import { usdFromNanos } from '../../shared/measure/pricing.ts';
import { ALL_ROUTES } from '../../shared/measure/rollup-steps.ts';
import { summarizeMetrics } from '../../shared/measure/summary.ts';
import { GATEWAY_METRICS } from '../../shared/names.ts';
import { wholeOf, type RollupRun } from './roll-up.ts';
import type { RollupDynamoTable } from './table.ts';

type MetricName = (typeof GATEWAY_METRICS)[keyof typeof GATEWAY_METRICS];

export type GatewayFigures = {
  /** Empty without traffic: every metric costs money in the hours it is written in. */
  readonly metrics: Readonly<Partial<Record<MetricName, number>>>;
  /** For the log line alone. */
  readonly properties: Readonly<Record<string, number>>;
};

/** Below it one failure would already be a rate worth ringing for. */
const MIN_REQUESTS_FOR_A_RATE = 20;

/**
 * Gauges, never sums: the same five minutes written twice must not count twice.
 * @param guaranteed routes that promise agreement: of a shortcut that was switched off nothing is audited any more
 */
export async function gatewayFigures(
  table: RollupDynamoTable,
  run: RollupRun,
  guaranteed: readonly string[],
  nowMs: number,
): Promise<GatewayFigures> {
  const summary = summarizeMetrics(wholeOf(run.newest));
  const properties = {
    windows: run.windows,
    unreadable: run.unreadable,
    buckets: run.buckets,
    lag_minutes: Math.floor(nowMs / 60_000) - run.rolledThrough,
    month_cost_usd: await monthCostUsd(table, nowMs),
  };
  if (summary.request_count === 0) return { metrics: {}, properties };
  const atStake = [...run.newest.routes].flatMap(([route, { audits }]) =>
    audits > 0 || guaranteed.includes(route) ? [route] : [],
  );
  const counted = {
    [GATEWAY_METRICS.requests]: summary.request_count,
    [GATEWAY_METRICS.costPerInferenceUsd]: summary.cost_usd / summary.request_count,
    [GATEWAY_METRICS.guaranteesAtRisk]: await guaranteesAtRisk(table, atStake),
  };
  if (summary.request_count < MIN_REQUESTS_FOR_A_RATE) return { metrics: counted, properties };
  const rates = {
    [GATEWAY_METRICS.errorRate]: summary.error_rate,
    [GATEWAY_METRICS.fallbackRate]: summary.fallback_rate,
    [GATEWAY_METRICS.edgeUtilization]: summary.edge_utilization,
    [GATEWAY_METRICS.p95Ms]: summary.response_time_ms.p95 ?? 0,
  };
  return { metrics: { ...counted, ...rates }, properties };
}

async function monthCostUsd(table: RollupDynamoTable, nowMs: number): Promise<number> {
  const now = new Date(nowMs);
  const firstMinute = Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), 1) / 60_000;
  const days = await table.rollups('day', ALL_ROUTES, firstMinute, Math.floor(nowMs / 60_000));
  let nanos = 0;
  for (const { body } of days) {
    for (const series of decodeMetrics(body)?.routes.values() ?? []) nanos += series.costNanos + series.auditCostNanos;
  }
  return usdFromNanos(nanos);
}

/** Routes of which the newest calibration of a shortcut was tightened or disabled by its audits. */
async function guaranteesAtRisk(table: RollupDynamoTable, routes: readonly string[]): Promise<number> {
  let atRisk = 0;
  for (const route of routes) {
    const states = (await table.auditStates(route)).flatMap((text) => parseAuditState(text) ?? []);
    const newestMs = Math.max(...states.map(({ plan }) => plan.calibratedAtMs));
    const newest = states.filter(({ plan }) => plan.calibratedAtMs === newestMs);
    if (newest.some((state) => state.level > 0 || thresholdInForce(state) === null)) atRisk += 1;
  }
  return atRisk;
}
