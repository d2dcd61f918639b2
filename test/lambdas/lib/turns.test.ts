import { describe, expect, it } from 'vitest';
import { createTurns } from '../../../lambdas/lib/turns.ts';

describe('turns', () => {
  it('runs one at a time, in the order asked, also after a failure', async () => {
    const turns = createTurns();
    const events: string[] = [];
    const work = (name: string) => async (): Promise<string> => {
      events.push(`start ${name}`);
      await new Promise((resolve) => setTimeout(resolve, 2));
      events.push(`end ${name}`);
      if (name === 'b') throw new Error('b');
      return name;
    };
    const results = await Promise.allSettled(['a', 'b', 'c'].map((name) => turns(work(name))));
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(events).toEqual(['start a', 'end a', 'start b', 'end b', 'start c', 'end c']);
  });
});
