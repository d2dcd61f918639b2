/**
 * How often answers of a place's variant were accepted and how sure those were: means that forget. Owns the reducer; blending
 * with what calibrated models do in general is decide/estimate.ts.
 */
import type { AcceptanceEstimate } from '../decide/facts.ts';

/** Weight of one more observation in a mean: about the last twenty count. */
export const MEAN_WEIGHT = 0.05;
/** Beyond it the mean has forgotten the first ones. */
const MAX_COUNT = 2 / MEAN_WEIGHT;

/** @param items inputs asked, of which some were accepted */
export function observeAcceptance(
  before: AcceptanceEstimate | undefined,
  accepted: { readonly items: number; readonly confidenceSum: number },
  items: number,
): AcceptanceEstimate {
  const ratio = accepted.items / items;
  const confidence = accepted.items === 0 ? undefined : accepted.confidenceSum / accepted.items;
  // 0: none was accepted yet.
  const mean = before?.acceptedConfidence || (confidence ?? 0);
  // Young means weigh every observation alike.
  const count = (before?.count ?? 0) + 1;
  const weight = Math.max(MEAN_WEIGHT, 1 / count);
  const ratioBefore = before?.acceptedRatio ?? ratio;
  return {
    count: Math.min(count, MAX_COUNT),
    acceptedRatio: ratioBefore + weight * (ratio - ratioBefore),
    acceptedConfidence: mean + weight * ((confidence ?? mean) - mean),
  };
}
