/**
 * `npx hybrid`: the operator's command line, with this process's terminal, environment and signals.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { loadDotEnv } from './load-dot-env.ts';
import { runHybrid } from './operator/create-hybrid.ts';

const stop = new AbortController();
process.once('SIGINT', () => stop.abort());
process.once('SIGTERM', () => stop.abort());

try {
  loadDotEnv();
  process.exitCode = await runHybrid(process.argv.slice(2), {
    terminal: {
      out: (text) => console.log(text),
      err: (text) => console.error(text),
      isInteractive: process.stdout.isTTY,
    },
    env: process.env,
    nowMs: () => Date.now(),
    sleep: (ms) => sleep(ms, undefined, { signal: stop.signal }).catch(() => undefined),
    signal: stop.signal,
  });
} catch (error) {
  console.error(error);
  process.exitCode = 1;
}
