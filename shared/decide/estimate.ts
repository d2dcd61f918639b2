/**
 * What an attempt would take, cost and be worth, before it runs: evidence blended with the registry's prior.
 * Owns the estimates of one candidate; choosing between candidates is plan.ts.
 */
import { attemptCostNanos } from '../measure/pricing.ts';
import type { PriceSpec, TargetKind, TargetSpec } from '../schema/config.ts';
import type { AcceptanceEstimate, EdgeLoad, LatencyEstimate } from './facts.ts';
import { lognormalShare, normalQuantile, normalShare, Z_OF_P95, Z_OF_P99 } from './normal.ts';
import type { Condition } from './place.ts';

/** Observations that weigh as much as the prior: one slow call must not condemn a place, a hundred must. */
const PRIOR_WEIGHT = 20;
/**
 * Time that one more input adds, as a share of the first one's. In process, inputs run one after another; a remote
 * place computes them as a batch, and most of the first one's time was the way there and back.
 */
const REMOTE_ITEM_SHARE = 0.2;
/** The clock may be too coarse to see a fast place; a ratio of latencies still needs a positive base. */
const LEAST_MS = 0.001;
/** Waiting grows without bound as a place fills up; beyond this the figure says no more than "full". */
const MOST_LOAD_RATIO = 0.95;
/** Of the inputs a first step answers, before any was seen: what calibrated models here accept at their thresholds. */
const PRIOR_ACCEPTED_RATIO = 0.8;

export type LatencyPrior = TargetSpec['serves'][number]['latency_prior'];

/** How long one attempt takes: a warm part with its tail and, where the place may be cold, what waking adds. */
export type Latency = {
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  readonly coldRatio: number;
  readonly coldP50Ms: number;
  readonly coldP95Ms: number;
};

/** How much longer a batch takes than one input. Observed latencies are divided by it, estimates multiplied. */
export function itemFactor(kind: TargetKind, items: number): number {
  return kind === 'edge' ? items : 1 + (items - 1) * REMOTE_ITEM_SHARE;
}

/**
 * @param factor itemFactor of the request, and how much longer load makes it
 * @param queueMs waiting time before it begins
 */
export function estimateLatency(
  prior: LatencyPrior,
  observed: LatencyEstimate | undefined,
  factor: number,
  queueMs: number,
  condition: Pick<Condition, 'coldRatio' | 'coldP50Ms' | 'coldP95Ms'>,
): Latency {
  const share = observed === undefined ? 0 : observed.count / (observed.count + PRIOR_WEIGHT);
  const priorP95Ms = Math.max(prior.p95_ms, prior.p50_ms);
  const p50Ms = Math.max(LEAST_MS, blend(share, observed?.p50Ms, prior.p50_ms) * factor + queueMs);
  const p95Ms = Math.max(p50Ms, blend(share, observed?.p95Ms, priorP95Ms) * factor + queueMs);
  const fittedP99Ms = fitted(p50Ms, p95Ms, Z_OF_P99);
  const p99Ms =
    observed === undefined
      ? fittedP99Ms
      : Math.max(
          fittedP99Ms,
          blend(share, observed.p99Ms, fitted(prior.p50_ms, priorP95Ms, Z_OF_P99)) * factor + queueMs,
        );
  const { coldRatio, coldP50Ms, coldP95Ms } = condition;
  return { p50Ms, p95Ms, p99Ms, coldRatio, coldP50Ms, coldP95Ms };
}

/** More load, more waiting: as in a single queue, by 1 / (1 - load). */
export function loadFactor(loadRatio: number): number {
  return 1 / (1 - Math.min(Math.max(loadRatio, 0), MOST_LOAD_RATIO));
}

/** What else the isolate computes stands before a new attempt at the edge. */
export function edgeLoadOf(load: EdgeLoad | undefined): { readonly factor: number; readonly queueMs: number } {
  return load === undefined ? UNLOADED : { factor: loadFactor(load.cpuRatio), queueMs: Math.max(0, load.queueMs) };
}

export const UNLOADED = { factor: 1, queueMs: 0 } as const;

/**
 * What must be left for the attempt to finish with this probability. Where the place may be cold, the bound of the part
 * in which the probability falls: exact where warm and cold calls do not overlap, never too little.
 * @param z normalQuantile(probability); asked once per decision
 */
export function neededMs(latency: Latency, probability: number, z: number): number {
  const { coldRatio, coldP50Ms, coldP95Ms } = latency;
  if (coldRatio <= 0) return warmNeededMs(latency, z);
  const warmRatio = 1 - coldRatio;
  if (probability <= warmRatio) return warmNeededMs(latency, normalQuantile(probability / warmRatio));
  const coldZ = normalQuantile((probability - warmRatio) / coldRatio);
  return fitted(latency.p50Ms + coldP50Ms, latency.p95Ms + coldP95Ms, coldZ);
}

/** Times what all but one in a thousand calls take, */
const PATIENCE_FACTOR = 4;
const PATIENCE_PROBABILITY = 0.999;
const PATIENCE_Z = normalQuantile(PATIENCE_PROBABILITY);
/** and no less than this share of the time there is: an estimate may be a prior, and the prior wrong. */
const LEAST_PATIENCE_RATIO = 0.25;

/**
 * After which an attempt is as good as lost.
 * @param coldMs of a cold start, which a place in use may meet when it grows
 */
export function estimatePatienceMs(latency: Latency, coldMs: number, leftMs: number): number {
  const mostMs = PATIENCE_FACTOR * neededMs(latency, PATIENCE_PROBABILITY, PATIENCE_Z) + coldMs;
  return Math.max(mostMs, LEAST_PATIENCE_RATIO * leftMs);
}

function warmNeededMs({ p50Ms, p95Ms, p99Ms }: Latency, z: number): number {
  if (z === Z_OF_P95) return p95Ms;
  if (z < Z_OF_P95) return fitted(p50Ms, p95Ms, z);
  return p95Ms * (p99Ms / p95Ms) ** ((z - Z_OF_P95) / (Z_OF_P99 - Z_OF_P95));
}

/** Probability of an answer within `ms`. */
export function inTimeRatio(latency: Latency, ms: number): number {
  const warm = warmShare(latency, ms);
  const { coldRatio, coldP50Ms, coldP95Ms } = latency;
  if (coldRatio <= 0) return warm;
  return (1 - coldRatio) * warm + coldRatio * lognormalShare(latency.p50Ms + coldP50Ms, latency.p95Ms + coldP95Ms, ms);
}

function warmShare({ p50Ms, p95Ms, p99Ms }: Latency, ms: number): number {
  if (ms <= p95Ms || p99Ms <= p95Ms) return lognormalShare(p50Ms, p95Ms, ms);
  return normalShare(Z_OF_P95 + ((Z_OF_P99 - Z_OF_P95) * Math.log(ms / p95Ms)) / Math.log(p99Ms / p95Ms));
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

export type Acceptance = { readonly acceptedRatio: number; readonly acceptedConfidence: number };

/**
 * How often an answer is accepted at this confidence, and how often an accepted one is then right. A calibrated
 * confidence of at least c means right in at least c of the cases, whatever the variant is on the whole.
 */
export function estimateAcceptance(
  acceptConfidence: number,
  accuracy: number,
  observed: AcceptanceEstimate | undefined,
): Acceptance {
  if (acceptConfidence <= 0) return { acceptedRatio: 1, acceptedConfidence: accuracy };
  if (acceptConfidence > 1) return { acceptedRatio: 0, acceptedConfidence: accuracy };
  const share = observed === undefined ? 0 : observed.count / (observed.count + PRIOR_WEIGHT);
  return {
    acceptedRatio: blend(share, observed?.acceptedRatio, PRIOR_ACCEPTED_RATIO),
    acceptedConfidence: Math.max(acceptConfidence, blend(share, observed?.acceptedConfidence, accuracy)),
  };
}
