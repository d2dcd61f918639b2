/**
 * The standard normal distribution and the log-normal through a median and a 95th percentile, which is how the latencies
 * of one place usually lie. Owns the formulas only.
 */

export const Z_OF_P95 = 1.6448536269514722;
export const Z_OF_P99 = 2.3263478740408408;
const LEAST_PROBABILITY = 1e-6;

/**
 * Quantile. Rational approximation by P. J. Acklam (2003), relative error below 1.15e-9. Exact at 0.95, which most
 * routes ask for.
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

/**
 * Distribution function. Abramowitz and Stegun 26.2.17, absolute error below 7.5e-8.
 */
export function normalShare(z: number): number {
  const t = 1 / (1 + 0.2316419 * Math.abs(z));
  const density = 0.3989422804014327 * Math.exp((-z * z) / 2);
  const tail =
    density * t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  return z >= 0 ? 1 - tail : tail;
}

/** Share of a log-normal at or below `ms`; a step where both quantiles are alike. */
export function lognormalShare(p50Ms: number, p95Ms: number, ms: number): number {
  if (!(ms > 0)) return 0;
  const spread = Math.log(p95Ms / p50Ms);
  if (!(spread > 0)) return ms >= p50Ms ? 1 : 0;
  return normalShare((Math.log(ms / p50Ms) * Z_OF_P95) / spread);
}
