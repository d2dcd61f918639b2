import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { DIFFICULTY_FILE } from '../../../shared/difficulty/difficulty-file.ts';
import { createDifficultyKeeper } from '../../../worker/store/difficulty-keeper.ts';
import { createFakeClock } from '../../fakes/fake-clock.ts';
import { createHarness } from '../harness.ts';
import { testConfig } from '../test-config.ts';

const file = readFileSync(fileURLToPath(new URL('../../../models/difficulty/uplift.hyd', import.meta.url)));
const bytes = async (): Promise<ArrayBuffer> => new Uint8Array(file).buffer;

function open(read: () => Promise<ArrayBuffer>) {
  const clock = createFakeClock();
  const failures: unknown[] = [];
  const background: Promise<unknown>[] = [];
  const difficulty = createDifficultyKeeper({ read, clock, onFailure: (error) => failures.push(error) });
  const of = (...texts: string[]) => difficulty.of(texts, (work) => void background.push(work));
  return { clock, failures, background, of };
}

describe('the difficulty estimate', () => {
  it('is the file the repository holds', () => {
    expect(file.byteLength).toBe(DIFFICULTY_FILE.size_bytes);
    expect(createHash('sha256').update(file).digest('hex')).toBe(DIFFICULTY_FILE.sha256);
  });

  it('is read once, in the background, and is that of the hardest text', async () => {
    let reads = 0;
    const { of, background } = open(() => {
      reads += 1;
      return bytes();
    });
    expect([of('hello'), of('hello')]).toEqual([undefined, undefined]);
    await Promise.all(background);
    expect(reads).toBe(1);
    const [one, other] = [of('hello') ?? Number.NaN, of('What is the capital of France?') ?? Number.NaN];
    expect(of('hello', 'What is the capital of France?')).toBe(Math.max(one, other));
    expect(Math.abs(one)).toBeLessThanOrEqual(1);
  });

  it.each([
    ['away', () => Promise.reject(new Error('no assets'))],
    ['broken', async () => new ArrayBuffer(8)],
  ])('that is %s is none, and tried again a minute later', async (_name, read) => {
    let isBroken = true;
    const { of, background, clock, failures } = open(() => (isBroken ? read() : bytes()));
    of('hello');
    await Promise.all(background.splice(0));
    expect([of('hello'), failures.length, background.length]).toEqual([undefined, 1, 0]);
    isBroken = false;
    clock.advance(60_000);
    of('hello');
    await Promise.all(background);
    expect(of('hello')).toBeTypeOf('number');
  });

  it('lets a hard request start at the second step, where the route says so and the caller says nothing', async () => {
    const config = testConfig((one) => ({
      ...one,
      routes: one.routes.map((route) => ({ ...route, skip_above_difficulty: 0.2 })),
    }));
    const asked: string[] = [];
    const difficulty = {
      of: (texts: readonly string[]) => {
        asked.push(...texts);
        return texts.includes('hard') ? 0.3 : 0.1;
      },
    };
    const harness = createHarness({ config, difficulty });
    const variantOf = async (extra: object) => (await harness.post({ model_name: 'mood', ...extra })).body.variant;
    expect(await variantOf({ input_data: 'easy' })).toBe('micro');
    expect(await variantOf({ input_data: ['easy', 'hard'] })).toBe('base');
    expect(await variantOf({ input_data: 'hard', model_complexity: 'low' })).toBe('micro');
    expect(asked).toEqual(['easy', 'easy', 'hard']);
    await createHarness({ difficulty }).post({ model_name: 'mood', input_data: 'nobody looks' });
    expect(asked).not.toContain('nobody looks');
  });
});
