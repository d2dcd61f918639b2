/**
 * A Node child process that cannot outlive its parent. Owns spawning, its last words, and stopping it for certain.
 * What is spoken with the child is its owner's business (an HTTP port, as in AWS).
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const TETHER = new URL('./tether.ts', import.meta.url).href;
const KEPT_LINES = 20;

type ChildExit = { readonly code: number | null; readonly signal: NodeJS.Signals | null };

export type Child = {
  readonly pid: number;
  readonly exited: Promise<ChildExit>;
  isGone(): boolean;
  /** The last lines of both outputs, for an error message. */
  lastLines(): readonly string[];
  /** SIGTERM, then SIGKILL after the grace; resolves when it is gone. */
  stop(graceMs: number): Promise<void>;
  kill(): Promise<void>;
};

export type ChildOptions = {
  /** A path or file: URL of a TypeScript or JavaScript file. */
  readonly file: string | URL;
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly onLine?: ((line: string) => void) | undefined;
};

const living = new Set<ChildProcess>();
let exitHookSet = false;

/** The parent's environment is not handed down, as it is not in AWS; only what Node needs to start. */
const HANDED_DOWN = ['PATH', 'HOME', 'TMPDIR', 'TEMP', 'SYSTEMROOT', 'LANG'];

export function startChild(options: ChildOptions): Child {
  if (!exitHookSet) {
    exitHookSet = true;
    process.once('exit', () => {
      for (const child of living) child.kill('SIGKILL');
    });
  }
  const file = options.file instanceof URL ? fileURLToPath(options.file) : options.file;
  const base = Object.fromEntries(
    HANDED_DOWN.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
  );
  const child = spawn(process.execPath, ['--import', TETHER, file, ...options.args], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: { ...base, ...options.environment },
  });
  living.add(child);

  const lines: string[] = [];
  for (const output of [child.stdout, child.stderr]) {
    if (output === null) continue;
    createInterface({ input: output }).on('line', (line) => {
      if (lines.push(line) > KEPT_LINES) lines.shift();
      options.onLine?.(line);
    });
  }
  const exited = new Promise<ChildExit>((resolve) => {
    child.once('exit', (code, signal) => {
      living.delete(child);
      resolve({ code, signal });
    });
    child.once('error', (cause) => {
      living.delete(child);
      lines.push(String(cause));
      resolve({ code: null, signal: null });
    });
  });
  return {
    pid: child.pid ?? -1,
    exited,
    isGone: () => !living.has(child),
    lastLines: () => lines,
    async stop(graceMs) {
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
      await exited;
      clearTimeout(timer);
    },
    async kill() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}
