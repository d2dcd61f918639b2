/**
 * What an attempt would take, cost and be worth, before it runs: evidence blended with the registry's prior.
 * Owns the estimates of one candidate; choosing between candidates is plan.ts.
 */
import { attemptCostNanos } from '../measure/pricing.ts';
import type { PriceSpec, TargetKind, TargetSpec } from '../schema/config.ts';
import type { LatencyEstimate } from './facts.ts';

/** Observations that weigh as much as the prior: one slow call must not condemn a place, a hundred must. */
const PRIOR_WEIGHT = 20;
/**
 * Time that one more input adds, as a share of the first one's. In process, inputs run one after another; a remote
 * place computes them as a batch, and most of the first one's time was the way there and back.
 */
const REMOTE_ITEM_SHARE = 0.2;
const Z_OF_P95 = 1.6448536269514722;
const Z_OF_P99 = 2.3263478740408408;
/** The clock may be too coarse to see a fast place; a ratio of latencies still needs a positive base. */
const LEAST_MS = 0.001;
const LEAST_PROBABILITY = 1e-6;

export type LatencyPrior = TargetSpec['serves'][number]['latency_prior'];

export type Latency = { readonly p50Ms: number; readonly p95Ms: number; readonly neededMs: number };

/** How much longer a batch takes than one input. Observed latencies are divided by it, estimates multiplied. */
export function itemFactor(kind: TargetKind, items: number): number {
  return kind === 'edge' ? items : 1 + (items - 1) * REMOTE_ITEM_SHARE;
}

/**
 * @param factor itemFactor of the request
 * @param deadlineZ normalQuantile of the route's deadline probability
 */
export function estimateLatency(
  prior: LatencyPrior,
  observed: LatencyEstimate | undefined,
  factor: number,
  deadlineZ: number,
): Latency {
  const share = observed === undefined ? 0 : observed.count / (observed.count + PRIOR_WEIGHT);
  const priorP95Ms = Math.max(prior.p95_ms, prior.p50_ms);
  const p50Ms = Math.max(LEAST_MS, blend(share, observed?.p50Ms, prior.p50_ms) * factor);
  const p95Ms = Math.max(p50Ms, blend(share, observed?.p95Ms, priorP95Ms) * factor);
  if (deadlineZ === Z_OF_P95) return { p50Ms, p95Ms, neededMs: p95Ms };
  const fittedMs = fitted(p50Ms, p95Ms, deadlineZ);
  if (deadlineZ < Z_OF_P95) return { p50Ms, p95Ms, neededMs: fittedMs };
  const p99Ms = blend(share, observed?.p99Ms, fitted(prior.p50_ms, priorP95Ms, Z_OF_P99)) * factor;
  const tailMs = p95Ms * (p99Ms / p95Ms) ** ((deadlineZ - Z_OF_P95) / (Z_OF_P99 - Z_OF_P95));
  return { p50Ms, p95Ms, neededMs: Math.max(fittedMs, tailMs) };
}

function blend(share: number, observedMs: number | undefined, priorMs: number): number {
  return observedMs === undefined ? priorMs : share * observedMs + (1 - share) * priorMs;
}

/** Log-normal through p50 and p95: where the latencies of one place usually lie, up to the tail. */
function fitted(p50Ms: number, p95Ms: number, z: number): number {
  return p50Ms * (p95Ms / p50Ms) ** (z / Z_OF_P95);
}

/**
 * In process, CPU is what is billed, and the clock does not show it: the variant's measured share and that of handling an
 * input. Elsewhere it is the time the place says it was busy.
 * @param computeMs of one input
 * @param factor itemFactor of the request
 */
export function estimateCostNanos(price: PriceSpec, computeMs: number, factor: number): number {
  return attemptCostNanos(price, (price.kind === 'edge_cpu' ? price.cpu_ms_per_item + computeMs : computeMs) * factor);
}

/**
 * Quantile of the standard normal distribution. Rational approximation by P. J. Acklam (2003), relative error below
 * 1.15e-9. Exact at 0.95, which most routes ask for.
 */
export function normalQuantile(probability: number): number {
  if (probability === 0.95) return Z_OF_P95;
  const p = Math.min(Math.max(probability, LEAST_PROBABILITY), 1 - LEAST_PROBABILITY);
  if (p < 0.02425) return tailQuantile(Math.sqrt(-2 * Math.log(p)));
  if (p > 1 - 0.02425) return -tailQuantile(Math.sqrt(-2 * Math.log(1 - p)));
  const q = p - 0.5;
  const r = q * q;
  const numerator =
    (((((-39.69683028665376 * r + 220.9460984245205) * r - 275.9285104469687) * r + 138.357751867269) * r -
      30.66479806614716) *
      r +
      2.506628277459239) *
    q;
  const denominator =
    ((((-54.47609879822406 * r + 161.5858368580409) * r - 155.6989798598866) * r + 66.80131188771972) * r -
      13.28068155288572) *
      r +
    1;
  return numerator / denominator;
}

function tailQuantile(q: number): number {
  const numerator =
    ((((-0.007784894002430293 * q - 0.3223964580411365) * q - 2.400758277161838) * q - 2.549732539343734) * q +
      4.374664141464968) *
      q +
    2.938163982698783;
  const denominator =
    (((0.007784695709041462 * q + 0.3224671290700398) * q + 2.445134137142996) * q + 3.754408661907416) * q + 1;
  return numerator / denominator;
}
