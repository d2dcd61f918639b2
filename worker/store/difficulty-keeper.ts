/**
 * The learned difficulty estimate of this isolate: read in the background when a route first asks for it, and tried again a
 * while later where it could not be. Owns that life cycle; without an estimate a decision is made as if it asked for none.
 */
import type { EstimateDifficulty } from '../../shared/difficulty/estimate-difficulty.ts';
import type { Clock, Difficulty } from '../ports.ts';

export type DifficultyKeeperOptions = {
  readonly read: () => Promise<ArrayBuffer>;
  readonly clock: Clock;
  readonly onFailure?: (error: unknown) => void;
};

const RETRY_MS = 60_000;

export function createDifficultyKeeper({ read, clock, onFailure }: DifficultyKeeperOptions): Difficulty {
  let estimate: EstimateDifficulty | undefined;
  let nextReadMs = 0;

  async function load(): Promise<void> {
    try {
      const [bytes, { readDifficulty }] = await Promise.all([
        read(),
        import('../../shared/difficulty/estimate-difficulty.ts'),
      ]);
      estimate = readDifficulty(bytes);
    } catch (error) {
      onFailure?.(error);
    }
  }

  return {
    of(texts, keepAlive) {
      const nowMs = clock.now();
      if (estimate === undefined) {
        if (nowMs >= nextReadMs) {
          // A read may die with the request that began it: the pause counts from its beginning.
          nextReadMs = nowMs + RETRY_MS;
          keepAlive(load());
        }
        return undefined;
      }
      let hardest = -1;
      for (const text of texts) hardest = Math.max(hardest, estimate(text));
      return hardest;
    },
  };
}
