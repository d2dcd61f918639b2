/**
 * The execution environments of one function: starts one when none is idle, up to its concurrency; beyond it the call is
 * throttled, as Lambda does, and never queued. A dead environment is forgotten; the next call starts a fresh one.
 */
import { startEnvironment } from './lambda-environment.ts';
import type { Environment, FunctionSpec, Invocation } from './lambda-environment.ts';

export type PooledInvocation = Invocation | { readonly kind: 'throttled' };

export type Pool = {
  /** Rejects where the handler cannot be loaded. */
  invoke(event: Buffer, id: string): Promise<PooledInvocation>;
  /** Starts one environment ahead of the first call. */
  warm(): Promise<void>;
  pids(): readonly number[];
  close(): Promise<void>;
};

export function createPool(spec: FunctionSpec, concurrency: number): Pool {
  /** Taken slots, those that are still starting included. */
  let slots = 0;
  let closed = false;
  const idle: Environment[] = [];
  const all = new Set<Environment>();
  const starting = new Set<Promise<Environment>>();
  /** Calls that wait for an environment whose answer is out already: a matter of microseconds. */
  const waiting: ((environment: Environment | undefined) => void)[] = [];

  async function start(): Promise<Environment> {
    slots += 1;
    const launch = startEnvironment(spec);
    starting.add(launch);
    let environment: Environment;
    try {
      environment = await launch;
    } catch (cause) {
      slots -= 1;
      throw cause;
    } finally {
      starting.delete(launch);
    }
    all.add(environment);
    void bury(environment);
    await environment.ready;
    // The first idle moment belongs to whoever started it.
    environment.onIdle(() => release(environment));
    return environment;
  }

  async function bury(environment: Environment): Promise<void> {
    await environment.dead;
    slots -= 1;
    all.delete(environment);
    const at = idle.indexOf(environment);
    if (at >= 0) idle.splice(at, 1);
    waiting.shift()?.(undefined);
  }

  function release(environment: Environment): void {
    const next = waiting.shift();
    if (next === undefined) idle.push(environment);
    else next(environment);
  }

  async function acquire(): Promise<Environment | undefined> {
    for (;;) {
      if (closed) return undefined;
      const ready = idle.pop();
      if (ready !== undefined) return ready;
      const finishing = [...all].filter((environment) => environment.finishing()).length;
      // Cheaper than a cold start, and at full concurrency no reason to throttle.
      if (finishing <= waiting.length) return slots < concurrency ? start() : undefined;
      const handed = await new Promise<Environment | undefined>((resolve) => waiting.push(resolve));
      if (handed !== undefined) return handed;
    }
  }

  return {
    async invoke(event, id) {
      const environment = await acquire();
      return environment === undefined ? { kind: 'throttled' } : environment.invoke(event, id);
    },
    async warm() {
      if (idle.length > 0 || slots >= concurrency || closed) return;
      release(await start());
    },
    pids: () => [...all].map((environment) => environment.pid),
    async close() {
      closed = true;
      await Promise.allSettled(starting);
      await Promise.all([...all].map((environment) => environment.stop()));
    },
  };
}
