/**
 * One primary place by the policy's order, among those that meet the requirements; when none does, the best effort.
 * Owns which requirement gives way first: complexity (a hint), then accuracy, then time (a late answer is none).
 */
import type { Candidate, Choice } from './candidate.ts';
import type { Facts } from './facts.ts';
import type { MissedRequirement, RefusalReason } from './plan-types.ts';
import { spread } from './spread.ts';

/** Negative where `a` goes first. */
export type Order = (a: Candidate, b: Candidate) => number;

export const byCost: Order = (a, b) =>
  a.rankCostNanos - b.rankCostNanos || a.rankMs - b.rankMs || b.accuracy - a.accuracy;
export const byLatency: Order = (a, b) =>
  a.rankMs - b.rankMs || a.rankCostNanos - b.rankCostNanos || b.accuracy - a.accuracy;
export const byAccuracy: Order = (a, b) =>
  b.accuracy - a.accuracy || a.rankCostNanos - b.rankCostNanos || a.rankMs - b.rankMs;

/** A candidate that a requirement keeps from being primary. It may still stand in reserve. */
export type SetAside = { readonly candidate: Candidate; readonly reason: RefusalReason; readonly detail: string };

export type Selection = {
  readonly primary: readonly Choice[];
  readonly setAside: readonly SetAside[];
  readonly missed: readonly MissedRequirement[];
  readonly reason: string;
};

export function selectSingle(facts: Facts, pool: readonly Candidate[], order: Order, leftMs: number): Selection {
  const needs = needsOf(facts, leftMs);
  const favourite = choose(pool, order, needs, facts);
  if (favourite === undefined)
    return { primary: [], setAside: [], missed: [], reason: 'No place in the policy can answer.' };
  const chosen = spread(favourite, pool, facts, (it) => isInTime(it, needs));
  const missed: MissedRequirement[] = [];
  if (!isInTime(chosen, needs)) missed.push('latency_requirement');
  if (!isGoodEnough(chosen, needs)) missed.push('min_accuracy');
  if (!isHardEnough(chosen, needs) && facts.requirements.complexity !== 'auto') missed.push('model_complexity');
  return {
    primary: [{ candidate: chosen, acceptConfidence: 0 }],
    setAside: pool.flatMap((candidate) => (candidate === chosen ? [] : setAsideOf(candidate, needs))),
    missed,
    reason: reasonOf(chosen, order, missed),
  };
}

/** Estimated, before any model runs, to be beyond the smallest one. */
export function isHard({ difficulty, route, requirements }: Facts): boolean {
  const { skip_above_difficulty: most } = route;
  return most !== undefined && difficulty !== undefined && requirements.variant === undefined && difficulty > most;
}

type Needs = {
  readonly leftMs: number;
  readonly minAccuracy: number;
  /** The one variant that is hard enough, or undefined: any above `aboveAccuracy`. */
  readonly onlyVariant: string | undefined;
  readonly aboveAccuracy: number;
};

function needsOf(facts: Facts, leftMs: number): Needs {
  const { requirements, model } = facts;
  // Who pins a variant has answered the question of complexity.
  const complexity = requirements.variant === undefined ? requirements.complexity : 'auto';
  return {
    leftMs,
    minAccuracy: requirements.minAccuracy ?? 0,
    onlyVariant: complexity === 'high' ? model.reference_variant : undefined,
    aboveAccuracy: complexity === 'medium' || (complexity === 'auto' && isHard(facts)) ? leastAccuracy(facts) : -1,
  };
}

function choose(pool: readonly Candidate[], order: Order, needs: Needs, facts: Facts): Candidate | undefined {
  const orderUnmet = needs.onlyVariant === undefined ? order : byAccuracy;
  return (
    best(pool, order, (it) => isInTime(it, needs) && isGoodEnough(it, needs) && isHardEnough(it, needs)) ??
    best(pool, orderUnmet, (it) => isInTime(it, needs) && isGoodEnough(it, needs)) ??
    best(pool, byAccuracy, (it) => isInTime(it, needs)) ??
    bestEffort(pool, facts, needs.leftMs)
  );
}

/** Nothing fits at the asked probability: even odds will do, else whoever is quickest or, for the patient, cheapest. */
export function bestEffort(pool: readonly Candidate[], facts: Facts, leftMs: number): Candidate | undefined {
  const hasEvenOdds = (candidate: Candidate): boolean => candidate.p50Ms <= leftMs;
  if (isUrgent(facts)) return best(pool, byAccuracy, hasEvenOdds) ?? best(pool, byMedian, always);
  return best(pool, byCost, hasEvenOdds) ?? best(pool, byCost, always);
}

export function isUrgent(facts: Facts): boolean {
  const { priority } = facts.requirements;
  return priority === 'high' || priority === 'critical';
}

const byMedian: Order = (a, b) => a.p50Ms - b.p50Ms || byAccuracy(a, b);
const always = (): boolean => true;

/** The first in order among the wanted; of equals the one the configuration names first. */
export function best(
  pool: readonly Candidate[],
  order: Order,
  isWanted: (candidate: Candidate) => boolean,
): Candidate | undefined {
  let chosen: Candidate | undefined;
  for (const candidate of pool) {
    if (isWanted(candidate) && (chosen === undefined || order(candidate, chosen) < 0)) chosen = candidate;
  }
  return chosen;
}

function isInTime(candidate: Candidate, needs: Needs): boolean {
  return candidate.neededMs <= needs.leftMs;
}

function isGoodEnough(candidate: Candidate, needs: Needs): boolean {
  return candidate.accuracy >= needs.minAccuracy;
}

function isHardEnough(candidate: Candidate, needs: Needs): boolean {
  if (needs.onlyVariant !== undefined) return candidate.variant === needs.onlyVariant;
  return candidate.accuracy > needs.aboveAccuracy;
}

function leastAccuracy(facts: Facts): number {
  let least = Infinity;
  for (const variant of facts.model.variants) if (variant.accuracy < least) least = variant.accuracy;
  return least;
}

function setAsideOf(candidate: Candidate, needs: Needs): SetAside[] {
  if (!isHardEnough(candidate, needs)) {
    const detail =
      needs.onlyVariant === undefined
        ? 'a request this hard leaves out the weakest variant'
        : `high starts with ${needs.onlyVariant}`;
    return [{ candidate, reason: 'complexity_skips', detail }];
  }
  if (!isGoodEnough(candidate, needs)) {
    return [
      { candidate, reason: 'below_min_accuracy', detail: `accuracy ${candidate.accuracy}, ${needs.minAccuracy} asked` },
    ];
  }
  if (!isInTime(candidate, needs)) return [tooSlow(candidate, needs.leftMs)];
  return [];
}

export function tooSlow(candidate: Candidate, leftMs: number): SetAside {
  return { candidate, reason: 'too_slow', detail: `needs ${tenths(candidate.neededMs)} ms, ${tenths(leftMs)} ms left` };
}

function tenths(ms: number): number {
  return Math.round(ms * 10) / 10;
}

function reasonOf(chosen: Candidate, order: Order, missed: readonly MissedRequirement[]): string {
  const place = `${chosen.variant} at ${chosen.spec.id}`;
  if (missed.length > 0) return `Best effort: ${place}; no place meets every requirement.`;
  if (order === byCost) return `${place} is the cheapest that meets the requirements.`;
  if (order === byLatency) return `${place} is the fastest that meets the requirements.`;
  return `${place} is the most accurate that meets the requirements.`;
}
