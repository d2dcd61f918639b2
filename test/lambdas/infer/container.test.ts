/** The container as SageMaker runs it: a real process, real models (tiny ones), real signals. */
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { parseLines, textRequest, TINY_DIR } from '../tiny.ts';

const ENTRY = fileURLToPath(new URL('../../../lambdas/infer/container.ts', import.meta.url));

type Log = Record<string, unknown>;
type Container = {
  readonly child: ChildProcess;
  readonly port: number;
  readonly logs: readonly Log[];
  readonly output: () => string;
  /** Resolves with the first line of that message, past or future. */
  readonly logged: (message: string) => Promise<Log>;
  readonly exited: Promise<number | null>;
};

let running: Container | undefined;
afterEach(() => running?.child.kill('SIGKILL'));

function launch(environment: Record<string, string>, argument = 'serve'): ChildProcess {
  const env = { PATH: process.env['PATH'], MODEL_DIR: TINY_DIR, SAGEMAKER_BIND_TO_PORT: '0', ...environment };
  return spawn(process.execPath, [ENTRY, argument], { env, stdio: ['ignore', 'pipe', 'pipe'] });
}

function exitCode(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => child.once('exit', (code) => resolve(code)));
}

async function start(environment: Record<string, string> = {}): Promise<Container> {
  const child = launch(environment);
  const logs: Log[] = [];
  let output = '';
  child.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const waiting = new Map<string, (log: Log) => void>();
  if (child.stdout === null) throw new Error('no standard output');
  createInterface(child.stdout).on('line', (line) => {
    output += `${line}\n`;
    const log: Log = JSON.parse(line);
    logs.push(log);
    waiting.get(String(log['message']))?.(log);
  });
  const logged = (message: string): Promise<Log> => {
    const past = logs.find((log) => log['message'] === message);
    return past === undefined ? new Promise((resolve) => waiting.set(message, resolve)) : Promise.resolve(past);
  };
  const exited = exitCode(child);
  const port = Number((await logged('listening'))['port']);
  running = { child, port, logs, output: () => output, logged, exited };
  return running;
}

function post(port: number, body: unknown): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const options = {
      port,
      host: '127.0.0.1',
      path: '/invocations',
      method: 'POST',
      headers: { 'content-type': 'application/json' },
    };
    request(options, resolve).on('error', reject).end(JSON.stringify(body));
  });
}

const slowRequest = (count: number) => textRequest(Array<string>(count).fill('hello'), { variant: 'slow' });

describe('the container process', () => {
  it('listens, loads, says it is ready, and answers pings and invocations', async () => {
    const { port, logged } = await start();
    expect([200, 503]).toContain((await fetch(`http://127.0.0.1:${port}/ping`)).status);
    expect(await logged('ready')).toMatchObject({ models: 3 });
    expect((await fetch(`http://127.0.0.1:${port}/ping`)).status).toBe(200);
    const response = await post(port, textRequest(['hello']));
    expect(parseLines((await response.toArray()).join(''))[0]).toMatchObject({ label: 'greet' });
  });

  it('sends the first lines while the last are not computed yet', async () => {
    const { port, logged } = await start();
    await logged('ready');
    const response = await post(port, slowRequest(64));
    const arrivals: { readonly atMs: number; readonly text: string }[] = [];
    for await (const chunk of response) arrivals.push({ atMs: performance.now(), text: String(chunk) });
    const [first, last] = [arrivals[0], arrivals.at(-1)];
    expect(parseLines(arrivals.map(({ text }) => text).join(''))).toHaveLength(65);
    expect(first?.text).not.toContain('"done"');
    expect(last?.text).toContain('"done"');
    // Three of four groups of 16 inputs, some milliseconds each, lie between.
    expect((last?.atMs ?? 0) - (first?.atMs ?? 0)).toBeGreaterThan(30);
  });

  it('stops computing for a caller that hangs up, and serves the next', async () => {
    const { port, logged, logs } = await start();
    await logged('ready');
    const response = await post(port, slowRequest(640));
    await once(response, 'data');
    response.destroy();
    expect(await logged('request')).toMatchObject({
      outcome: 'aborted',
      error_code: 'client_closed_request',
      items: 640,
    });
    expect(Number(logs.at(-1)?.['answered'])).toBeLessThan(200);
    expect((await post(port, textRequest(['hello']))).statusCode).toBe(200);
  });

  it('finishes what runs after SIGTERM, takes nothing new, and exits 0', async () => {
    const { child, port, logged, exited } = await start();
    await logged('ready');
    const response = await post(port, slowRequest(64));
    const whole = response.toArray();
    child.kill('SIGTERM');
    const signalledMs = performance.now();
    await logged('draining');
    await expect(fetch(`http://127.0.0.1:${port}/ping`)).rejects.toThrow('fetch failed');
    expect(parseLines((await whole).join('')).at(-1)).toMatchObject({ kind: 'done', count: 64 });
    expect(await exited).toBe(0);
    // Not after the keep-alive of a connection that nobody uses any more.
    expect(performance.now() - signalledMs).toBeLessThan(3000);
  });

  it('survives garbage and logs no input', async () => {
    const { port, logged, output } = await start();
    await logged('ready');
    const canary = 'CANARY-91c2';
    const url = `http://127.0.0.1:${port}/invocations?${canary}`;
    const headers = { 'content-type': 'application/json', 'x-custom': canary };
    const bodies = [
      `{"${canary}`,
      JSON.stringify(textRequest([canary])),
      JSON.stringify({ [canary]: canary }),
      '\u0000',
    ];
    const statuses: number[] = [];
    for (const body of bodies) {
      const response = await fetch(url, { method: 'POST', headers, body });
      statuses.push(response.status);
      expect(await response.text()).not.toContain('    at ');
    }
    expect(statuses).toEqual([400, 200, 400, 400]);
    expect((await fetch(`http://127.0.0.1:${port}/ping`)).status).toBe(200);
    expect(output()).not.toContain(canary);
  });

  it.each([
    ['a port that is none', { SAGEMAKER_BIND_TO_PORT: 'eighty' }, 'SAGEMAKER_BIND_TO_PORT'],
    ['a variant that no card has', { MODEL_VARIANTS: 'enormous' }, 'enormous'],
    ['a folder that is not there', { MODEL_DIR: '/nowhere/models' }, '/nowhere/models'],
  ])('does not start with %s, and says why', async (_, environment, reason) => {
    const child = launch(environment);
    let output = '';
    child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()));
    expect(await exitCode(child)).toBe(1);
    expect(output).toContain(reason);
  });

  it('asks for its argument', async () => {
    expect(await exitCode(launch({}, 'train'))).toBe(2);
  });
});
