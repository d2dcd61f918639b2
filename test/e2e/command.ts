/**
 * A command of the product as a person runs it: a child process in a group of its own, so that Ctrl-C can be what it is in
 * a terminal, and so that a test sees whether anything of it is left.
 */
import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { expect } from 'vitest';
import { REPOSITORY_ROOT } from '../../local/bundle-worker.ts';

export type Command = {
  readonly exited: Promise<number | null>;
  output(): string;
  /** Resolves when the output matches; rejects where the command ends first. */
  waitFor(pattern: RegExp, timeoutMs: number): Promise<void>;
  /** What a terminal does: the whole group gets it. */
  interrupt(): void;
  /** What a supervisor does: only the first process gets it. */
  terminate(): void;
  /** Passes once no process of the group is left. */
  expectNothingLeft(): Promise<void>;
  /** For the end of a test, whatever happened. */
  killAll(): void;
};

export function startCommand(file: string, args: readonly string[], environment: Record<string, string>): Command {
  const child = spawn(file, args, {
    cwd: REPOSITORY_ROOT,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...environment },
  });
  let output = '';
  const onData = (bytes: Buffer): void => {
    output += bytes.toString('utf8');
  };
  child.stdout.on('data', onData);
  child.stderr.on('data', onData);
  let isOver = false;
  // `close`: all of its output has been read too.
  const exited = new Promise<number | null>((resolve) => {
    child.once('close', (code) => {
      isOver = true;
      resolve(code);
    });
  });
  const signalGroup = (signal: NodeJS.Signals | 0): boolean => {
    if (child.pid === undefined) return false;
    try {
      return process.kill(-child.pid, signal);
    } catch {
      return false;
    }
  };
  return {
    exited,
    output: () => output,
    async waitFor(pattern, timeoutMs) {
      await expect
        .poll(() => isOver || pattern.test(output), { timeout: timeoutMs, message: `waiting for ${String(pattern)}` })
        .toBe(true);
      expect(output).toMatch(pattern);
    },
    interrupt: () => void signalGroup('SIGINT'),
    terminate: () => void child.kill('SIGTERM'),
    async expectNothingLeft() {
      await expect.poll(() => signalGroup(0), { timeout: 10_000, message: 'a process is left' }).toBe(false);
    },
    killAll: () => void signalGroup('SIGKILL'),
  };
}

/** Free now; another program may still be quicker. */
export async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}
