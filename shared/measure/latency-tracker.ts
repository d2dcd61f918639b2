/**
 * Live latency per key (a target with a variant) that forgets: recent observations weigh more. Owns the decay and the
 * bound on keys; blending with the registry's prior belongs to decide/estimate.ts.
 * Forward decay (Cormode, Shkapenyuk, Srivastava, Xu 2009): instead of shrinking the past, each new observation is
 * weighed up by e^(rate * (now - landmark)); only ratios matter, and the landmark moves before weights grow large.
 */
import type { LatencyEstimate } from '../decide/facts.ts';
import { addToSketch, createSketch, quantile, scaleSketch } from './sketch.ts';
import type { Sketch } from './sketch.ts';

/** After it an observation weighs half. Slow enough to hold some hundred requests, quick enough to follow a deploy. */
const HALF_LIFE_MS = 60_000;
const DECAY_PER_MS = Math.LN2 / HALF_LIFE_MS;
/** e^30 is 1e13: far from losing precision in a double's sums. */
const MAX_EXPONENT = 30;
/** Beyond it the key unseen for longest is dropped: configurations change, isolates live long. */
const MAX_KEYS = 512;
/** An estimate stays as it is until so many observations or milliseconds later; asking costs microseconds. */
const REUSE_OBSERVATIONS_RATIO = 0.05;
const REUSE_MS = 1000;

type Entry = {
  sketch: Sketch;
  landmarkMs: number;
  lastSeenMs: number;
  sinceEstimate: number;
  estimatedAtMs: number;
  estimate: LatencyEstimate | undefined;
};

export type LatencyTracker = { readonly entries: Map<string, Entry> };

export function createLatencyTracker(): LatencyTracker {
  return { entries: new Map() };
}

/** In place. */
export function observe(tracker: LatencyTracker, key: string, latencyMs: number, nowMs: number): void {
  const entry = tracker.entries.get(key) ?? addEntry(tracker, key, nowMs);
  advance(entry, nowMs);
  addToSketch(entry.sketch, latencyMs, Math.exp(DECAY_PER_MS * (nowMs - entry.landmarkMs)));
  entry.sinceEstimate += 1;
}

export function estimate(tracker: LatencyTracker, key: string, nowMs: number): LatencyEstimate | undefined {
  const entry = tracker.entries.get(key);
  if (entry === undefined) return undefined;
  const known = entry.estimate;
  const ageMs = nowMs - entry.estimatedAtMs;
  if (
    known !== undefined &&
    ageMs >= 0 &&
    ageMs < REUSE_MS &&
    entry.sinceEstimate <= known.count * REUSE_OBSERVATIONS_RATIO
  ) {
    return known;
  }
  advance(entry, nowMs);
  const { sketch } = entry;
  entry.estimate = {
    count: sketch.count * Math.exp(-DECAY_PER_MS * (nowMs - entry.landmarkMs)),
    p50Ms: quantileOfWeighted(sketch, 0.5),
    p95Ms: quantileOfWeighted(sketch, 0.95),
    p99Ms: quantileOfWeighted(sketch, 0.99),
  };
  entry.estimatedAtMs = nowMs;
  entry.sinceEstimate = 0;
  return entry.estimate;
}

function quantileOfWeighted(sketch: Sketch, q: number): number {
  return quantile(sketch, q) ?? 0;
}

function addEntry(tracker: LatencyTracker, key: string, nowMs: number): Entry {
  if (tracker.entries.size >= MAX_KEYS) {
    let stalest: string | undefined;
    let stalestMs = Infinity;
    for (const [candidate, entry] of tracker.entries) {
      if (entry.lastSeenMs < stalestMs) [stalest, stalestMs] = [candidate, entry.lastSeenMs];
    }
    if (stalest !== undefined) tracker.entries.delete(stalest);
  }
  const entry: Entry = {
    sketch: createSketch(),
    landmarkMs: nowMs,
    lastSeenMs: nowMs,
    sinceEstimate: 0,
    estimatedAtMs: 0,
    estimate: undefined,
  };
  tracker.entries.set(key, entry);
  return entry;
}

/** Moves the entry's time. A clock that went back stands still for the entry: the past keeps its age, no more. */
function advance(entry: Entry, nowMs: number): void {
  if (nowMs < entry.lastSeenMs) entry.landmarkMs -= entry.lastSeenMs - nowMs;
  entry.lastSeenMs = nowMs;
  const exponent = DECAY_PER_MS * (nowMs - entry.landmarkMs);
  if (exponent <= MAX_EXPONENT) return;
  scaleSketch(entry.sketch, Math.exp(-exponent));
  entry.landmarkMs = nowMs;
}
