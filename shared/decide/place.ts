/**
 * What condition a place is in: what this isolate has seen of it, and what the control plane's probe last said.
 * Owns the rule that one's own eyes beat an older report; turning the condition into milliseconds is estimate.ts.
 */
import type { TargetKind } from '../schema/config.ts';
import type { ResourceStatus, TargetState } from './facts.ts';
import { lognormalShare } from './normal.ts';

/** A probe looks every minute or so; one that has missed a few says nothing any more. */
const STATUS_MAX_AGE_MS = 300_000;
/** Clocks of probe and isolate may differ; a report from further in the future is of another clock. */
const STATUS_MAX_AHEAD_MS = 60_000;
/** Where a place without `cold_start` says that it is not ready. */
const DEFAULT_COLD = { p50_ms: 5_000, p95_ms: 30_000 } as const;
/** However long a place has been waking, the next call may still meet it cold: never less than this. */
const LEAST_COLD_RATIO = 0.02;

export type Condition = {
  /** The probe's latest word, where it is recent enough to mean anything. */
  readonly status: ResourceStatus | undefined;
  readonly isDown: boolean;
  /** Chance that a call now meets a place that must start first. */
  readonly coldRatio: number;
  /** What such a call waits in addition. */
  readonly coldP50Ms: number;
  readonly coldP95Ms: number;
};

const WARM: Condition = { status: undefined, isDown: false, coldRatio: 0, coldP50Ms: 0, coldP95Ms: 0 };

export function conditionOf(state: TargetState, nowMs: number): Condition {
  const { spec, seen } = state;
  const status = recent(state.status, nowMs);
  const isWaking = seen?.notReadySinceMs !== undefined;
  if (status === undefined && spec.cold_start === undefined && !isWaking) return WARM;
  const health = status !== undefined && !isOlder(status, state) ? status.health : 'up';
  const { p50_ms: coldP50Ms, p95_ms: coldP95Ms } = spec.cold_start ?? DEFAULT_COLD;
  return {
    status,
    isDown: health === 'down',
    coldRatio: health === 'scaled_to_zero' ? 1 : ownColdRatio(state, coldP50Ms, coldP95Ms, nowMs),
    coldP50Ms,
    coldP95Ms,
  };
}

function recent(status: ResourceStatus | undefined, nowMs: number): ResourceStatus | undefined {
  if (status === undefined) return undefined;
  const ageMs = nowMs - status.asOfMs;
  return ageMs >= -STATUS_MAX_AHEAD_MS && ageMs <= STATUS_MAX_AGE_MS ? status : undefined;
}

/** Whether this isolate has seen the place answer, or wake, since the probe looked. */
function isOlder(status: ResourceStatus, { seen }: TargetState): boolean {
  return (seen?.answeredAtMs ?? -Infinity) >= status.asOfMs || (seen?.notReadySinceMs ?? -Infinity) >= status.asOfMs;
}

/**
 * In use, the cold starts it meets are in its sketch already. Waking, it is the likelier to be up the longer ago it
 * was first rejected: so it is tried again by itself, sooner where more time is left.
 */
function ownColdRatio({ spec, seen }: TargetState, coldP50Ms: number, coldP95Ms: number, nowMs: number): number {
  if (seen?.notReadySinceMs !== undefined) {
    const wakingMs = Math.max(0, nowMs - seen.notReadySinceMs);
    return Math.max(LEAST_COLD_RATIO, 1 - lognormalShare(coldP50Ms, coldP95Ms, wakingMs));
  }
  if (spec.cold_start === undefined) return 0;
  const idleMs = nowMs - (seen?.answeredAtMs ?? -Infinity);
  return idleMs >= 0 && idleMs <= spec.cold_start.idle_ms ? 0 : spec.cold_start.probability;
}

/** Places that are not a cloud region. */
export function isEdgeKind(kind: TargetKind): boolean {
  switch (kind) {
    case 'edge':
    // A server of one's own, at the edge of the network.
    case 'gpu':
    case 'mcu':
      return true;
    case 'lambda':
    case 'sagemaker':
      return false;
  }
}
