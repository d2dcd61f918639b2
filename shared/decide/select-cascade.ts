/**
 * Primary attempts of a cascade: the route's steps in order, each as long as time and money hold out after the ones
 * before it. Owns where the caller's complexity makes it start and how sure each answer must be.
 */
import type { CascadeSteps } from '../schema/route-policy.ts';
import type { Candidate, Choice } from './candidate.ts';
import type { Facts } from './facts.ts';
import type { MissedRequirement } from './plan-types.ts';
import { best, bestEffort, byAccuracy, byCost, isHard, isUrgent, selectSingle, tooSlow } from './select-single.ts';
import type { Selection, SetAside } from './select-single.ts';
import { spread } from './spread.ts';

/** What is left for all primary attempts together. */
type Left = { readonly ms: number; readonly nanos: number };

export function selectCascade(
  facts: Facts,
  candidates: readonly Candidate[],
  steps: CascadeSteps,
  leftMs: number,
  leftNanos: number,
): Selection {
  const setAside: SetAside[] = [];
  const pool: Candidate[] = [];
  for (const candidate of candidates) {
    if (positionOf(steps, candidate.variant) >= 0) pool.push(candidate);
    else setAside.push({ candidate, reason: 'not_in_policy', detail: 'no step of the cascade names this variant' });
  }
  const selection = selectInPolicy(facts, pool, steps, { ms: leftMs, nanos: leftNanos });
  return setAside.length === 0 ? selection : { ...selection, setAside: [...setAside, ...selection.setAside] };
}

function selectInPolicy(facts: Facts, pool: readonly Candidate[], steps: CascadeSteps, left: Left): Selection {
  const { complexity } = facts.requirements;
  if (complexity === 'high') return withStepConfidence(selectSingle(facts, pool, byAccuracy, left.ms), facts, steps);
  const firstStep = complexity === 'medium' || (complexity === 'auto' && isHard(facts)) ? 1 : 0;
  const missed: MissedRequirement[] = [];
  let walked = walk(facts, pool, steps, firstStep, left);
  if (walked.primary.length === 0 && firstStep > 0) {
    if (complexity === 'medium') missed.push('model_complexity');
    walked = walk(facts, pool, steps, 0, left);
  }
  if (walked.primary.length === 0) {
    const chosen = bestEffort(pool, facts, left.ms);
    if (chosen === undefined)
      return { primary: [], setAside: [], missed: [], reason: 'No step of the cascade can answer.' };
    missed.push('latency_requirement');
    const setAside = walked.setAside.filter((it) => it.candidate !== chosen);
    walked = { primary: [{ candidate: chosen, acceptConfidence: stepConfidence(facts, steps, chosen) }], setAside };
  }
  if (missed.length === 0) walked = speculate(walked, facts, pool, steps, left);
  if (isBelowMinAccuracy(walked.primary, facts)) missed.push('min_accuracy');
  return { ...walked, missed, reason: reasonOf(walked.primary, missed) };
}

type Walked = Pick<Selection, 'primary' | 'setAside'>;

function walk(facts: Facts, pool: readonly Candidate[], steps: CascadeSteps, firstStep: number, left: Left): Walked {
  const primary: Choice[] = [];
  const setAside: SetAside[] = [];
  let { ms, nanos } = left;
  let isAnyAccepted = false;
  for (const [position, step] of steps.entries()) {
    const options = pool.filter((candidate) => candidate.variant === step.variant);
    if (position < firstStep || isAnyAccepted) {
      for (const candidate of options) setAside.push(skipped(candidate, facts));
      continue;
    }
    if (facts.acceptConfidenceOf?.[step.variant] === null) {
      for (const candidate of options) setAside.push(switchedOff(candidate));
      continue;
    }
    const fits = (candidate: Candidate): boolean => candidate.neededMs <= ms && candidate.costNanos <= nanos;
    const cheapest = best(options, byCost, fits);
    const chosen = cheapest === undefined ? undefined : spread(cheapest, options, facts, fits);
    for (const candidate of options) {
      if (candidate.neededMs > ms) setAside.push(tooSlow(candidate, ms));
      else if (candidate.costNanos > nanos) setAside.push(tooDear(candidate, nanos));
    }
    if (chosen === undefined) continue;
    const acceptConfidence = stepConfidence(facts, steps, chosen);
    primary.push({ candidate: chosen, acceptConfidence });
    ms -= chosen.p50Ms;
    nanos -= chosen.costNanos;
    isAnyAccepted = facts.requirements.complexity === 'low' && acceptConfidence === 0;
  }
  return { primary, setAside };
}

/**
 * Time holds one step, not two in sequence: for whom it is worth it, a later step begins together with the first, and its
 * answer is used only where the first one's is not good enough. The last one that fits, for there is no third chance.
 */
function speculate(walked: Walked, facts: Facts, pool: readonly Candidate[], steps: CascadeSteps, left: Left): Walked {
  const [first, ...others] = walked.primary;
  const { speculation } = facts.route;
  const isWanted =
    speculation === undefined ? isUrgent(facts) : speculation.priorities.includes(facts.requirements.priority);
  if (first === undefined || others.length > 0 || !(first.acceptConfidence > 0) || !isWanted) return walked;
  const nanos = left.nanos - first.candidate.costNanos;
  for (let position = steps.length - 1; position > positionOf(steps, first.candidate.variant); position -= 1) {
    const variant = steps[position]?.variant;
    const chosen = best(
      pool,
      byCost,
      (it) => it.variant === variant && it.neededMs <= left.ms && it.costNanos <= nanos && isAllowed(it, facts),
    );
    if (chosen === undefined) continue;
    const second = { candidate: chosen, acceptConfidence: stepConfidence(facts, steps, chosen), isSpeculative: true };
    return { primary: [first, second], setAside: walked.setAside.filter((it) => it.candidate !== chosen) };
  }
  return walked;
}

function isAllowed(candidate: Candidate, facts: Facts): boolean {
  return facts.acceptConfidenceOf?.[candidate.variant] !== null;
}

/**
 * How sure an answer of this variant must be. With `min_accuracy`, calibrated confidence of at least that much makes
 * each accepted answer right at that rate, however weak the variant is on the whole. The cascade's last step takes any:
 * there is nothing better to ask. Where the route states an agreement guarantee, its threshold stands in the step's place
 * and holds for `low` too: Infinity where it accepts nothing.
 */
export function stepConfidence(facts: Facts, steps: CascadeSteps, candidate: Candidate): number {
  const position = positionOf(steps, candidate.variant);
  const step = steps[position];
  if (step === undefined || position === steps.length - 1) return 0;
  const { complexity, minAccuracy = 0 } = facts.requirements;
  const guarded = facts.acceptConfidenceOf?.[candidate.variant];
  if (guarded === null) return Infinity;
  if (complexity === 'low') return Math.max(guarded ?? 0, candidate.accuracy >= minAccuracy ? 0 : minAccuracy);
  return Math.max(guarded ?? step.accept_confidence, minAccuracy);
}

function withStepConfidence(selection: Selection, facts: Facts, steps: CascadeSteps): Selection {
  const primary = selection.primary.map(({ candidate }) => ({
    candidate,
    acceptConfidence: stepConfidence(facts, steps, candidate),
  }));
  return { ...selection, primary };
}

function positionOf(steps: CascadeSteps, variant: string): number {
  for (let position = 0; position < steps.length; position += 1)
    if (steps[position]?.variant === variant) return position;
  return -1;
}

function skipped(candidate: Candidate, facts: Facts): SetAside {
  const { complexity } = facts.requirements;
  const detail =
    complexity === 'low'
      ? 'low takes any answer of the step before'
      : complexity === 'auto'
        ? `estimated difficulty ${facts.difficulty ?? 0}, above ${facts.route.skip_above_difficulty ?? 0}`
        : `${complexity} starts above the first step`;
  return { candidate, reason: 'complexity_skips', detail };
}

function switchedOff(candidate: Candidate): SetAside {
  return { candidate, reason: 'shortcut_off', detail: 'the agreement guarantee accepts none of its answers now' };
}

function tooDear(candidate: Candidate, leftNanos: number): SetAside {
  return {
    candidate,
    reason: 'over_budget',
    detail: `${candidate.costNanos} nano-dollars, ${Math.max(0, leftNanos)} left after the steps before it`,
  };
}

function isBelowMinAccuracy(primary: readonly Choice[], facts: Facts): boolean {
  const { minAccuracy } = facts.requirements;
  if (minAccuracy === undefined) return false;
  for (const { candidate } of primary) if (candidate.accuracy >= minAccuracy) return false;
  return true;
}

function reasonOf(primary: readonly Choice[], missed: readonly MissedRequirement[]): string {
  const [first, second] = primary;
  if (first === undefined) return 'No step of the cascade can answer.';
  const place = `${first.candidate.variant} at ${first.candidate.spec.id}`;
  if (missed.includes('latency_requirement')) return `Best effort: ${place}; no step is likely to be in time.`;
  if (second === undefined) return `${place} answers; no further step fits the requirements.`;
  if (second.isSpeculative === true)
    return `${place} answers; ${second.candidate.variant} at ${second.candidate.spec.id} starts with it, because time does not hold both in sequence.`;
  return `${place} answers first; below confidence ${first.acceptConfidence} it escalates to ${second.candidate.variant} at ${second.candidate.spec.id}.`;
}
