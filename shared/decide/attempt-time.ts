/**
 * The time an attempt gets: room is left for those behind it, and one that is as good as lost is ended where another place
 * would answer as well. Owns the division of what is left; when it is as good as lost is estimated before (estimate.ts).
 */
import type { PlannedAttempt } from './plan-types.ts';
import { findOpen, isAffordable, isOpen, mayFollow, type Standing } from './standing.ts';

/** An attempt keeps at least this share of what is left, however slow the one behind it. */
const LEAST_SHARE = 0.5;
/** Timers fire late on a busy machine: kept free even for a place that answers at once, or it would never be asked. */
const LEAST_ROOM_MS = 20;

/** Leaves room for the places that would be asked after failures, while this one keeps a fair chance of its own. */
export function timeoutMsOf(standing: Standing, index: number): number {
  const { plan, leftMs } = standing;
  const own = plan.attempts[index];
  if (own === undefined) return leftMs;
  const roomMs = roomBehindMs(standing, own);
  const fairMs = Math.max(
    leftMs * LEAST_SHARE,
    Math.min(own.predictedP95Ms, roomMs === 0 ? leftMs : leftMs - LEAST_ROOM_MS),
  );
  const boundMs = Math.min(own.timeoutMs, leftMs, Math.max(leftMs - roomMs, fairMs));
  return own.patienceMs < boundMs && isReplaceable(standing, own) ? own.patienceMs : boundMs;
}

/** Should it be as good as lost, another place would answer as well as it does, still in time and paid for. */
function isReplaceable(standing: Standing, own: PlannedAttempt): boolean {
  const leftMs = standing.leftMs - own.patienceMs;
  const other = findOpen(
    standing,
    (it) =>
      it.target !== own.target &&
      it.predictedAccuracy >= own.predictedAccuracy &&
      it.neededMs <= leftMs &&
      it.predictedCostNanos + own.predictedCostNanos <= standing.leftNanos &&
      isAffordable(it, standing) &&
      mayFollow(it, standing),
  );
  return other !== undefined;
}

/** For every other open place that could be in time, once: each may fail in its turn, and the last must still be asked. */
function roomBehindMs(standing: Standing, own: PlannedAttempt): number {
  const { leftMs } = standing;
  const { attempts } = standing.plan;
  let roomMs = 0;
  for (let index = 0; index < attempts.length; index += 1) {
    const behind = attempts[index];
    if (behind === undefined || behind.target === own.target || behind.role === 'hedge') continue;
    if (behind.predictedP50Ms > leftMs || !isOpen(standing, index, behind)) continue;
    if (findOpen(standing, (candidate) => candidate.target === behind.target) !== index) continue;
    roomMs += Math.max(LEAST_ROOM_MS, behind.predictedP50Ms);
  }
  return roomMs;
}
