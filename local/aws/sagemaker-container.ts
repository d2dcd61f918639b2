/**
 * The model container behind an endpoint: the real process with the argument `serve`, on a port of its own, pinged until it
 * answers and from then on, started again when it dies. Owns its life; what is asked of it is sagemaker.ts.
 */
import { createServer, get } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { listenOnLoopback } from '../lib/listen.ts';
import { startChild } from '../lib/child-process.ts';
import type { Child } from '../lib/child-process.ts';

/** SageMaker gives /ping two seconds: https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html */
const PING_TIMEOUT_MS = 2_000;
const START_PING_EVERY_MS = 50;
const HEALTH_EVERY_MS = 5_000;
const UNHEALTHY_AFTER = 3;
const MAX_FAILED_STARTS = 3;
const MAX_BACKOFF_MS = 5_000;

export type ContainerOptions = {
  readonly file: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly startTimeoutMs: number;
  /** Between SIGTERM and SIGKILL; SageMaker gives 30 s. */
  readonly stopGraceMs: number;
  readonly onLine?: ((line: string) => void) | undefined;
};

export type ContainerState =
  | { readonly kind: 'starting' }
  | { readonly kind: 'in_service'; readonly port: number; readonly pid: number }
  | { readonly kind: 'failed'; readonly reason: string };

export type Container = {
  state(): ContainerState;
  /** Rejects once it failed to start several times in a row. */
  waitUntilReady(): Promise<void>;
  close(): Promise<void>;
};

export function startContainer(options: ContainerOptions): Container {
  const closing = new AbortController();
  let state: ContainerState = { kind: 'starting' };
  let child: Child | undefined;
  let waiters: { resolve(): void; reject(cause: Error): void }[] = [];

  function enter(next: ContainerState): void {
    state = next;
    if (next.kind === 'starting') return;
    for (const waiter of waiters) {
      if (next.kind === 'in_service') waiter.resolve();
      else waiter.reject(new Error(next.reason));
    }
    waiters = [];
  }

  async function supervise(): Promise<void> {
    let failedStarts = 0;
    while (!closing.signal.aborted) {
      const port = await freePort();
      const current = startChild({
        file: options.file,
        args: ['serve'],
        environment: { ...options.environment, SAGEMAKER_BIND_TO_PORT: String(port) },
        onLine: options.onLine,
      });
      child = current;
      if (await becomesHealthy(current, port)) {
        failedStarts = 0;
        enter({ kind: 'in_service', port, pid: current.pid });
        await staysHealthy(current, port);
      } else {
        failedStarts += 1;
      }
      if (closing.signal.aborted) break;
      await current.kill();
      if (failedStarts >= MAX_FAILED_STARTS) {
        enter({ kind: 'failed', reason: `the container did not start: ${current.lastLines().join('\n')}` });
        return;
      }
      enter({ kind: 'starting' });
      if (failedStarts > 0) await pause(Math.min(MAX_BACKOFF_MS, 100 * 2 ** failedStarts));
    }
  }

  async function becomesHealthy(current: Child, port: number): Promise<boolean> {
    const giveUpAtMs = performance.now() + options.startTimeoutMs;
    while (!current.isGone() && !closing.signal.aborted && performance.now() < giveUpAtMs) {
      if (await ping(port)) return true;
      await pause(START_PING_EVERY_MS);
    }
    return false;
  }

  /** Resolves when it is no longer: exited, or silent too often. */
  async function staysHealthy(current: Child, port: number): Promise<void> {
    let missed = 0;
    while (!closing.signal.aborted && missed < UNHEALTHY_AFTER) {
      const tick = new AbortController();
      await Promise.race([current.exited, pause(HEALTH_EVERY_MS, tick.signal)]);
      tick.abort();
      if (current.isGone()) return;
      missed = (await ping(port)) ? 0 : missed + 1;
    }
  }

  const pause = (ms: number, signal?: AbortSignal): Promise<void> =>
    sleep(ms, undefined, {
      signal: signal === undefined ? closing.signal : AbortSignal.any([signal, closing.signal]),
    }).catch(() => undefined);

  const supervised = supervise().catch((cause: unknown) => enter({ kind: 'failed', reason: String(cause) }));

  return {
    state: () => state,
    waitUntilReady() {
      if (state.kind === 'in_service') return Promise.resolve();
      if (state.kind === 'failed') return Promise.reject(new Error(state.reason));
      return new Promise((resolve, reject) => waiters.push({ resolve, reject }));
    },
    async close() {
      closing.abort();
      await child?.stop(options.stopGraceMs);
      await supervised;
      // A start that was under way when the close began.
      await child?.kill();
      if (state.kind === 'starting') enter({ kind: 'failed', reason: 'closed' });
    },
  };
}

function ping(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get(
      { host: '127.0.0.1', port, path: '/ping', agent: false, timeout: PING_TIMEOUT_MS },
      (answer) => {
        answer.resume();
        resolve(answer.statusCode === 200);
      },
    );
    request.once('timeout', () => request.destroy());
    request.once('error', () => resolve(false));
  });
}

/** Another process may take it in between: then the start fails and the next attempt takes another. */
async function freePort(): Promise<number> {
  const probe = createServer();
  const port = await listenOnLoopback(probe, 0);
  await new Promise((resolve) => probe.close(resolve));
  return port;
}
