/**
 * The two special functions that exact binomial bounds need. Owns numerics only; what they mean here is bounds.ts.
 */

const HALF_LOG_TWO_PI = 0.9189385332046728;
/** From here on the series below is exact to double precision. */
const SERIES_FROM = 10;

/** ln Γ(x) for x > 0. Stirling's series (Abramowitz and Stegun 6.1.41), small arguments lifted by Γ(x + 1) = x Γ(x). */
export function logGamma(x: number): number {
  let lifted = x;
  let product = 1;
  while (lifted < SERIES_FROM) {
    product *= lifted;
    lifted += 1;
  }
  const inverse = 1 / lifted;
  const square = inverse * inverse;
  const series =
    inverse *
    (1 / 12 -
      square * (1 / 360 - square * (1 / 1260 - square * (1 / 1680 - square * (1 / 1188 - square * (691 / 360360))))));
  return (lifted - 0.5) * Math.log(lifted) - lifted + HALF_LOG_TWO_PI + series - Math.log(product);
}

/**
 * Regularized incomplete beta function I_x(a, b) for a, b > 0: the continued fraction of DLMF 8.17.22, evaluated by
 * Lentz's method as modified by Thompson and Barnett (1986); the symmetry I_x(a, b) = 1 - I_(1-x)(b, a) keeps x where
 * it converges, within about the square root of the larger parameter in steps.
 */
export function regularizedBeta(x: number, a: number, b: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  if (x > (a + 1) / (a + b + 2)) return 1 - regularizedBeta(1 - x, b, a);
  const logFront = logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x);
  return (Math.exp(logFront) / a) * continuedFraction(x, a, b);
}

const TINY = 1e-300;
const PRECISION = 1e-15;
/** Enough for parameters of a hundred million. */
const MAX_STEPS = 20_000;

function continuedFraction(x: number, a: number, b: number): number {
  let c = 1;
  let d = 1 / awayFromZero(1 - ((a + b) * x) / (a + 1));
  let value = d;
  for (let m = 1; m <= MAX_STEPS; m += 1) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / awayFromZero(1 + even * d);
    c = awayFromZero(1 + even / c);
    value *= d * c;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / awayFromZero(1 + odd * d);
    c = awayFromZero(1 + odd / c);
    value *= d * c;
    if (Math.abs(d * c - 1) < PRECISION) break;
  }
  return value;
}

function awayFromZero(value: number): number {
  return Math.abs(value) < TINY ? TINY : value;
}
