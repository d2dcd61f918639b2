/** A child dies with its parent even where the parent is killed without a word. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { startChild } from '../../local/lib/child-process.ts';
import { deferred } from '../../local/lib/deferred.ts';

const PARENT = fileURLToPath(new URL('../fixtures/local/parent.ts', import.meta.url));
const STUBBORN = fileURLToPath(new URL('../fixtures/local/stubborn.ts', import.meta.url));

async function isGone(pid: number): Promise<boolean> {
  for (let attempt = 0; attempt < 300; attempt += 1) {
    try {
      process.kill(pid, 0);
    } catch {
      return true;
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return false;
}

it('is gone soon after its parent was killed with SIGKILL', async () => {
  const parent = spawn(process.execPath, [PARENT, STUBBORN], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = await once(parent.stdout, 'data');
  const pid = Number(String(line));
  expect(pid).toBeGreaterThan(0);
  process.kill(pid, 0);
  parent.kill('SIGKILL');
  expect(await isGone(pid)).toBe(true);
});

it('that ignores SIGTERM is killed after the grace', async () => {
  const up = deferred<void>();
  const child = startChild({ file: STUBBORN, args: [], environment: {}, onLine: () => up.resolve(undefined) });
  await up.promise;
  const startedAtMs = performance.now();
  await child.stop(150);
  expect(performance.now() - startedAtMs).toBeGreaterThan(140);
  expect((await child.exited).signal).toBe('SIGKILL');
});

it('that cannot be found says so in its last lines', async () => {
  const child = startChild({ file: '/does/not/exist.ts', args: [], environment: {} });
  expect((await child.exited).code).toBe(1);
  expect(child.lastLines().join('\n')).toContain('/does/not/exist.ts');
});
