/**
 * A request under way in the simulator, its attempts, and what happens to them. Owns types only; time is replay.ts.
 */
import type { AttemptWhy, FinishedAttempt, Plan, PlannedAttempt } from '../../shared/decide/plan-types.ts';
import type { Reply } from './world.ts';

export type Running = {
  readonly index: number;
  readonly planned: PlannedAttempt;
  readonly why: AttemptWhy;
  readonly positions: readonly number[];
  readonly target: number;
  readonly startedAtMs: number;
};

/** A request under way. */
export type Flight = {
  readonly request: number;
  readonly pop: number;
  readonly plan: Plan;
  readonly arrivedAtMs: number;
  readonly plannedAtMs: number;
  readonly deadlineAtMs: number;
  readonly finished: FinishedAttempt[];
  readonly running: Running[];
  /** Best answer so far. */
  target: number;
  variant: number;
  accuracy: number;
  isAccepted: boolean;
  isOver: boolean;
};

/** An attempt ends, or (`running` undefined) it is time to ask again. */
export type Event = {
  readonly flight: Flight;
  readonly running: Running | undefined;
  readonly reply: Reply | undefined;
};
