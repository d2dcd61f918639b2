/**
 * Sharing load between places that are as good as each other, and now and then looking at one that nobody has looked at.
 * Owns both uses of chance in choosing a place; neither ever leaves what the requirements allow.
 */
import { attemptCostNanos } from '../measure/pricing.ts';
import type { Candidate } from './candidate.ts';
import { CHANCE_OF, drawFor } from './chance.ts';
import type { Facts } from './facts.ts';

/** Estimates are noisy: places within it of the best, in time and in cost, count as equal. */
const NEAR_RATIO = 1.25;
/** A place with fewer (decayed) observations than this has a stale estimate. */
const STALE_EVIDENCE = 5;

/**
 * Of two places drawn among those that are as good as the best, the one with more room. Two at random instead of the
 * least busy of all: many isolates with the same view would otherwise all turn to the same place.
 */
export function spread(
  best: Candidate,
  pool: readonly Candidate[],
  facts: Facts,
  isWanted: (candidate: Candidate) => boolean,
): Candidate {
  if (pool.length < 2) return best;
  const quickest = quickestOf(best, pool, isWanted);
  let count = 0;
  for (const candidate of pool) if (isAlike(candidate, quickest) && isWanted(candidate)) count += 1;
  if (count < 2) return quickest;
  const alike = pool.filter((candidate) => isAlike(candidate, quickest) && isWanted(candidate));
  const draw = drawFor(facts.random, CHANCE_OF.place) * count;
  const first = alike[Math.floor(draw)] ?? quickest;
  const step = 1 + Math.floor((draw - Math.floor(draw)) * (count - 1));
  const second = alike[(Math.floor(draw) + step) % count] ?? quickest;
  return roomOf(second) < roomOf(first) ? second : first;
}

/** The quickest place of the same variant and kind that costs no more than the best. */
function quickestOf(
  best: Candidate,
  pool: readonly Candidate[],
  isWanted: (candidate: Candidate) => boolean,
): Candidate {
  let quickest = best;
  for (const candidate of pool) {
    if (candidate.rankMs < quickest.rankMs && isAsCheap(candidate, best) && isWanted(candidate)) quickest = candidate;
  }
  return quickest;
}

/**
 * Two regions with one price bill the same for the same work: what their last calls happened to take, cold starts
 * included, says nothing of the next.
 */
function isAsCheap(candidate: Candidate, best: Candidate): boolean {
  if (candidate.variant !== best.variant || candidate.kind !== best.kind) return false;
  if (candidate.rankCostNanos <= best.rankCostNanos * NEAR_RATIO) return true;
  return candidate.priceRatio === best.priceRatio && billOf(candidate) === billOf(best);
}

const SOME_MS = 1_000;

function billOf({ spec }: Candidate): number {
  return attemptCostNanos(spec.price, SOME_MS);
}

function isAlike(candidate: Candidate, best: Candidate): boolean {
  return (
    candidate.rankMs <= best.rankMs * NEAR_RATIO &&
    best.rankMs <= candidate.rankMs * NEAR_RATIO &&
    isAsCheap(candidate, best)
  );
}

function roomOf(candidate: Candidate): number {
  return candidate.occupiedRatio * candidate.p50Ms;
}

/**
 * Another place for the first choice, where its estimate is stale and nothing is risked: it is likely enough in time even
 * with the first choice asked after it, money and retries pay for both, and the request is not critical.
 */
export function explore(
  chosen: Candidate,
  pool: readonly Candidate[],
  facts: Facts,
  leftMs: number,
  leftNanos: number,
  mayStandIn: (candidate: Candidate) => boolean,
): Candidate | undefined {
  const { exploration } = facts.route;
  if (exploration === undefined || facts.requirements.priority === 'critical') return undefined;
  if (facts.mayRetry === false && chosen.kind !== 'edge') return undefined;
  const draw = drawFor(facts.random, CHANCE_OF.explore);
  if (draw >= exploration.share) return undefined;
  const stale = pool.filter(
    (candidate) =>
      candidate !== chosen &&
      candidate.evidence < STALE_EVIDENCE &&
      candidate.neededMs + chosen.neededMs <= leftMs &&
      candidate.costNanos + chosen.costNanos <= leftNanos &&
      mayStandIn(candidate),
  );
  return stale[Math.floor((draw / exploration.share) * stale.length)];
}
