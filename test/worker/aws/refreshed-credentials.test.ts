/** Credentials over the hours, on a clock that the test moves: when they are fetched, by how many, and what a failure costs. */
import { describe, expect, it } from 'vitest';
import type { AwsCredentials } from '../../../worker/aws/credentials.ts';
import { createStaticCredentials, withFallback } from '../../../worker/aws/credentials.ts';
import { createRefreshedCredentials } from '../../../worker/aws/refreshed-credentials.ts';
import type { RefreshedCredentialsOptions } from '../../../worker/aws/refreshed-credentials.ts';
import type { TemporaryCredentials } from '../../../worker/aws/sts.ts';
import { createFakeClock } from '../../fakes/fake-clock.ts';

const HOUR_MS = 3_600_000;
const never = new AbortController().signal;

function world(change: Partial<RefreshedCredentialsOptions> & { random?: () => number } = {}) {
  const clock = createFakeClock();
  const kept: Promise<void>[] = [];
  const failures: unknown[] = [];
  let calls = 0;
  let answer: (call: number) => Promise<TemporaryCredentials> = (call) =>
    Promise.resolve({ credentials: credentialsOf(call), expiresAtMs: clock.now() + HOUR_MS });
  const source = createRefreshedCredentials({
    clock,
    random: () => 0.5,
    keepAlive: (work) => kept.push(work),
    onFailure: (error) => failures.push(error),
    fetch: () => answer((calls += 1)),
    ...change,
  });
  return {
    clock,
    source,
    failures,
    calls: () => calls,
    answerWith: (next: typeof answer) => (answer = next),
    /** Everything that was given to waitUntil so far. */
    settled: () => Promise.all(kept),
    get: (signal = never) => source.get(signal),
  };
}

function credentialsOf(call: number): AwsCredentials {
  return { accessKeyId: `ASIA${call}`, secretAccessKey: 'secret', sessionToken: 'token' };
}

describe('refreshed credentials', () => {
  it('are fetched once for all who wait', async () => {
    const { get, calls } = world();
    const all = await Promise.all(Array.from({ length: 50 }, () => get()));
    expect(calls()).toBe(1);
    expect(new Set(all.map(({ accessKeyId }) => accessKeyId))).toEqual(new Set(['ASIA1']));
  });

  it('are given while warm without a call, as the same promise', async () => {
    const { get, calls, clock } = world();
    await get();
    clock.advance(HOUR_MS / 2);
    expect(get()).toBe(get());
    expect(calls()).toBe(1);
  });

  it('are renewed in the background before they expire, and nobody waits for that', async () => {
    const { get, calls, clock, settled } = world();
    await get();
    clock.advance(0.83 * HOUR_MS);
    expect((await get()).accessKeyId).toBe('ASIA1');
    expect((await get()).accessKeyId).toBe('ASIA1');
    await settled();
    expect((await get()).accessKeyId).toBe('ASIA2');
    expect(calls()).toBe(2);
  });

  it.each([0, 0.25, 0.5, 0.75, 0.999])('cost one to two calls in any hour of a day (random %f)', async (drawn) => {
    const { get, calls, clock, settled } = world({ random: () => drawn });
    const perHour: number[] = [];
    for (let hour = 0; hour < 24; hour += 1) {
      const before = calls();
      for (let second = 0; second < 3_600; second += 5) {
        await get();
        await settled();
        clock.advance(5_000);
      }
      perHour.push(calls() - before);
    }
    expect(Math.min(...perHour)).toBeGreaterThanOrEqual(1);
    expect(Math.max(...perHour)).toBeLessThanOrEqual(2);
    expect(calls() / 24).toBeLessThan(1.4);
  });

  it('that expired are fetched again before anybody gets them', async () => {
    const { get, clock } = world();
    await get();
    clock.advance(HOUR_MS - 59_000);
    expect((await get()).accessKeyId).toBe('ASIA2');
  });

  it('stay in use while STS is away, which is asked less and less often', async () => {
    const { get, calls, clock, settled, failures, answerWith } = world();
    await get();
    answerWith(() => Promise.reject(new Error('away')));
    clock.advance(0.83 * HOUR_MS);
    for (let second = 0; second < 500; second += 1) {
      expect((await get()).accessKeyId).toBe('ASIA1');
      await settled();
      clock.advance(1_000);
    }
    // 1, 2, 4, ... 60 s between tries, each times 0.75 here: some 15 in 500 s, not 500.
    expect(calls()).toBeGreaterThan(10);
    expect(calls()).toBeLessThan(20);
    expect(failures).toHaveLength(calls() - 1);
    answerWith((call) => Promise.resolve({ credentials: credentialsOf(call), expiresAtMs: clock.now() + HOUR_MS }));
    clock.advance(60_000);
    await get();
    await settled();
    expect((await get()).accessKeyId).toBe(`ASIA${calls()}`);
  });

  it('that AWS no longer takes are replaced in the background, at most once in five minutes', async () => {
    const { source, get, calls, clock, settled } = world();
    await get();
    for (let second = 0; second < 600; second += 1) {
      source.refused?.();
      await get();
      await settled();
      clock.advance(1_000);
    }
    expect(calls()).toBe(2);
    source.refused?.();
    expect((await get()).accessKeyId).toBe('ASIA2');
    await settled();
    expect((await get()).accessKeyId).toBe('ASIA3');
  });

  it('that cannot be had are refused at once until the next try is due', async () => {
    const { get, calls, clock, answerWith } = world();
    answerWith(() => Promise.reject(new Error('away')));
    await expect(get()).rejects.toThrow('away');
    for (let ask = 0; ask < 100; ask += 1) await expect(get()).rejects.toThrow('away');
    expect(calls()).toBe(1);
    clock.advance(1_000);
    await expect(get()).rejects.toThrow('away');
    expect(calls()).toBe(2);
  });

  it('that have all but expired when they come are a failure', async () => {
    const { get, clock, answerWith } = world();
    answerWith(() => Promise.resolve({ credentials: credentialsOf(1), expiresAtMs: clock.now() + 30_000 }));
    await expect(get()).rejects.toThrow('all but expired');
  });

  it('are not waited for by a caller who left, and come all the same', async () => {
    const { get, calls, answerWith, clock } = world();
    let arrive: (value: TemporaryCredentials) => void = () => undefined;
    answerWith(() => new Promise((resolve) => (arrive = resolve)));
    const caller = new AbortController();
    const left = get(caller.signal);
    const stays = get();
    caller.abort();
    await expect(left).rejects.toThrow('the caller left');
    arrive({ credentials: credentialsOf(7), expiresAtMs: clock.now() + HOUR_MS });
    expect((await stays).accessKeyId).toBe('ASIA7');
    expect(calls()).toBe(1);
  });

  it('are given up on when STS does not answer, and asked for anew when a fetch died with its request', async () => {
    const slow = world({ timeoutMs: 20 });
    slow.answerWith(() => new Promise(() => undefined));
    await expect(slow.get()).rejects.toThrow('did not answer within 20 ms');

    const dead = world();
    dead.answerWith(() => new Promise(() => undefined));
    const lost = dead.get(AbortSignal.timeout(10));
    await expect(lost).rejects.toThrow('the caller left');
    dead.answerWith((call) =>
      Promise.resolve({ credentials: credentialsOf(call), expiresAtMs: dead.clock.now() + HOUR_MS }),
    );
    dead.clock.advance(11_000);
    expect((await dead.get()).accessKeyId).toBe('ASIA2');
  });

  it('fall back to a key pair only while there are none', async () => {
    const { source, answerWith, clock } = world();
    const both = withFallback(source, createStaticCredentials({ accessKeyId: 'AKIA', secretAccessKey: 's' }));
    answerWith(() => Promise.reject(new Error('away')));
    expect((await both.get(never)).accessKeyId).toBe('AKIA');
    answerWith((call) => Promise.resolve({ credentials: credentialsOf(call), expiresAtMs: clock.now() + HOUR_MS }));
    clock.advance(1_000);
    expect((await both.get(never)).accessKeyId).toBe('ASIA2');
  });
});
