/**
 * The figures people read, from what was counted. Owns their definitions, in the wire's names.
 */
import { newRouteSeries } from './metrics.ts';
import type { MetricsSnapshot, RouteSeries } from './metrics.ts';
import { usdFromNanos } from './pricing.ts';
import { mergeSketch, quantile } from './sketch.ts';
import type { Sketch } from './sketch.ts';

/** null where nothing was measured. Relative error of the quantiles at most 1 %; `max` is exact. */
export type LatencySummary = {
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
  readonly max: number | null;
  /** With the count, what a Prometheus summary asks for. */
  readonly sum: number;
  readonly count: number;
};

export type RouteFigures = {
  readonly request_count: number;
  /** Requests answered with an error. */
  readonly error_count: number;
  /** error_count / request_count */
  readonly error_rate: number;
  /** Requests with at least one fallback attempt (an attempt failed) / requests. */
  readonly fallback_rate: number;
  /** Requests with at least one escalation attempt (an answer was not good enough) / requests. */
  readonly escalation_rate: number;
  /** Inputs answered by the edge or by a cache / inputs. */
  readonly edge_utilization: number;
  readonly cache_hit_count: number;
  /** Answers past their time that stood in for a failure. */
  readonly stale_count: number;
  /** Requests whose plan could not promise every requirement. */
  readonly missed_count: number;
  /** Attempts, failed ones too, and the gateway itself. */
  readonly cost_usd: number;
  /** The same requests, each answered by the reference variant at its cheapest place. */
  readonly cloud_only_cost_usd: number;
  readonly cost_saved_usd: number;
  /** cost_saved_usd / cloud_only_cost_usd; 0 where nothing would have been spent. */
  readonly saving_ratio: number;
  /** Accepted answers asked again of the reference in the background; their cost is in no other figure. */
  readonly audit_count: number;
  readonly audit_disagreement_count: number;
  readonly audit_failure_count: number;
  readonly audit_cost_usd: number;
  readonly response_time_ms: LatencySummary;
};

type TargetFigures = {
  readonly target: string;
  readonly model: string;
  readonly variant: string;
  readonly attempt_count: number;
  readonly failure_count: number;
  readonly failure_rate: number;
  readonly item_count: number;
  /** Inputs whose answer was good enough / inputs asked. */
  readonly accepted_ratio: number;
  readonly cost_usd: number;
  readonly response_time_ms: LatencySummary;
};

export type MetricsSummary = RouteFigures & {
  readonly by_route: readonly (RouteFigures & { readonly route: string })[];
  readonly by_target: readonly TargetFigures[];
};

export function summarizeMetrics(metrics: MetricsSnapshot): MetricsSummary {
  const total = newRouteSeries();
  const by_route = Array.from(metrics.routes, ([route, series]) => {
    addUp(total, series);
    return { route, ...figuresOf(series) };
  });
  const by_target = Array.from(metrics.targets, ([key, series]) => {
    const [target = '', model = '', variant = ''] = key.split('|');
    return {
      target,
      model,
      variant,
      attempt_count: series.attempts,
      failure_count: series.failures,
      failure_rate: share(series.failures, series.attempts),
      item_count: series.items,
      accepted_ratio: share(series.acceptedItems, series.items),
      cost_usd: usdFromNanos(series.costNanos),
      response_time_ms: latencyOf(series.latency),
    };
  });
  return { ...figuresOf(total), by_route, by_target };
}

function figuresOf(series: RouteSeries): RouteFigures {
  const savedNanos = series.cloudOnlyCostNanos - series.costNanos;
  return {
    request_count: series.requests,
    error_count: series.errors,
    error_rate: share(series.errors, series.requests),
    fallback_rate: share(series.fallbacks, series.requests),
    escalation_rate: share(series.escalations, series.requests),
    edge_utilization: share(series.edgeItems, series.items),
    cache_hit_count: series.cacheHits,
    stale_count: series.staleHits,
    missed_count: series.missed,
    cost_usd: usdFromNanos(series.costNanos),
    cloud_only_cost_usd: usdFromNanos(series.cloudOnlyCostNanos),
    cost_saved_usd: usdFromNanos(savedNanos),
    saving_ratio: share(savedNanos, series.cloudOnlyCostNanos),
    audit_count: series.audits,
    audit_disagreement_count: series.auditDisagreements,
    audit_failure_count: series.auditFailures,
    audit_cost_usd: usdFromNanos(series.auditCostNanos),
    response_time_ms: latencyOf(series.latency),
  };
}

function latencyOf(sketch: Sketch): LatencySummary {
  return {
    p50: quantile(sketch, 0.5) ?? null,
    p95: quantile(sketch, 0.95) ?? null,
    p99: quantile(sketch, 0.99) ?? null,
    max: sketch.count > 0 ? sketch.max : null,
    sum: sketch.sumThousandths / 1000,
    count: sketch.count,
  };
}

function share(part: number, whole: number): number {
  return whole > 0 ? part / whole : 0;
}

function addUp(total: RouteSeries, series: RouteSeries): void {
  total.requests += series.requests;
  total.errors += series.errors;
  total.fallbacks += series.fallbacks;
  total.escalations += series.escalations;
  total.items += series.items;
  total.edgeItems += series.edgeItems;
  total.cacheHits += series.cacheHits;
  total.staleHits += series.staleHits;
  total.missed += series.missed;
  total.costNanos += series.costNanos;
  total.cloudOnlyCostNanos += series.cloudOnlyCostNanos;
  total.audits += series.audits;
  total.auditDisagreements += series.auditDisagreements;
  total.auditFailures += series.auditFailures;
  total.auditCostNanos += series.auditCostNanos;
  mergeSketch(total.latency, series.latency);
}
