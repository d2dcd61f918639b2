/**
 * Plain `workerd serve` as a child process, as close to production as a machine of one's own gets: no Miniflare, no
 * proxy in front.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { capnpText, SOCKET_NAME, type WorkerdConfig } from './capnp.ts';

/** The one that wrangler brings, so that what is measured is what is deployed with. */
const wranglerEntry = createRequire(import.meta.url).resolve('wrangler');
const workerd = createRequire(wranglerEntry)('workerd') as { default: string; version: string };

export const WORKERD_VERSION = workerd.version;

export type WorkerdProcess = { readonly pid: number; readonly port: number; stop(): Promise<void> };

const START_TIMEOUT_MS = 20_000;
const CONTROL_FD = 3;

/** @param folder holds the modules; the configuration is written there */
export async function startWorkerd(
  folder: string,
  config: WorkerdConfig,
  pin: readonly string[],
): Promise<WorkerdProcess> {
  const file = join(folder, 'config.capnp');
  writeFileSync(file, capnpText(config));
  const [command, ...args] = [...pin, workerd.default, 'serve', file, `--control-fd=${CONTROL_FD}`];
  // The worker's log lines are written, as in production, and thrown away.
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'inherit', 'pipe'] });
  const port = await announcedPort(child);
  if (child.pid === undefined) throw new Error('workerd did not start');
  return { pid: child.pid, port, stop: () => stop(child) };
}

function announcedPort(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => fail('did not listen in time'), START_TIMEOUT_MS);
    const fail = (why: string) => {
      clearTimeout(timer);
      child.kill('SIGKILL');
      reject(new Error(`workerd ${why}`));
    };
    child.once('error', (error) => fail(`could not be started: ${error.message}`));
    child.once('exit', (status) => fail(`ended with status ${status}`));
    let text = '';
    (child.stdio[CONTROL_FD] as Readable).on('data', (chunk: Buffer) => {
      text += chunk.toString('utf8');
      for (const line of text.split('\n').slice(0, -1)) {
        const event = JSON.parse(line) as { event: string; socket?: string; port?: number };
        if (event.event !== 'listen' || event.socket !== SOCKET_NAME || event.port === undefined) continue;
        clearTimeout(timer);
        child.removeAllListeners('exit');
        resolve(event.port);
      }
    });
  });
}

function stop(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve();
    child.once('exit', () => resolve());
    child.kill('SIGKILL');
  });
}
