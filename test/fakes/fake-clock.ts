/** A clock that only moves when told to. */
import type { Clock } from '../../worker/ports.ts';

export type FakeClock = Clock & { advance(ms: number): void };

export function createFakeClock(startMs = 1_700_000_000_000): FakeClock {
  let nowMs = startMs;
  return {
    now: () => nowMs,
    advance(ms) {
      nowMs += ms;
    },
  };
}
