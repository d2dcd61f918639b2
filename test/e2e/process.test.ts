/** The commands of the README as a person runs them: what they print, how they end, and that nothing of them is left. */
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { REPOSITORY_ROOT } from '../../local/bundle-worker.ts';
import { freePort, startCommand, type Command } from './command.ts';
import { ask, readiness } from './gateway-client.ts';

const STARTED_MS = 60_000;
const running: Command[] = [];

function npmStart(port: number, ...args: string[]): Command {
  return track(startCommand('npm', ['start', '--', ...args], { PORT: String(port), API_KEY: '' }));
}

function track(command: Command): Command {
  running.push(command);
  return command;
}

afterEach(() => {
  for (const command of running.splice(0)) command.killAll();
});

describe('npm start -- --once', () => {
  it('prints a table of answers and a summary, exits 0 and leaves nothing behind', async () => {
    const command = npmStart(await freePort(), '--once');
    const code = await command.exited;
    const output = command.output();
    expect(code, output).toBe(0);
    expect(output).toMatch(/^input +answer +confidence +place +ms +USD +reason$/m);
    const rows = output.split('\n').filter((line) => /\b(edge|mcu|lambda|sagemaker) \(\w+\)|cache \(hit\)/.test(line));
    expect(rows.length).toBeGreaterThan(8);
    expect(output).toMatch(
      /^how much money is in my savings account +balance +\d\.\d{3} +edge \(micro\) +[\d.]+ +0\.\d{9} /m,
    );
    expect(output).toMatch(/^what is my credit limit \(complexity: high\) .* sagemaker \(large\)/m);
    expect(output).toMatch(/^how much money is in my savings account \(again\) .* cache \(hit\)/m);
    expect(output).toMatch(new RegExp(`^${rows.length} answers, \\d+ of them at the edge or from its cache`, 'm'));
    expect(output).toMatch(/through the large model only: [\d.]+ USD \(\d+ % saved\)/);
    expect(output).toMatch(/First answer \d+\.\d s after the start/);
    expect(output).not.toContain('FAILED');
    await command.expectNothingLeft();
  });

  it('says so where its port is taken, and exits 1', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as AddressInfo;
    const command = npmStart(port, '--once');
    expect(await command.exited).toBe(1);
    expect(command.output()).toContain(`Port ${port} is taken by another program. Choose another: PORT=8788 npm start`);
    // A message, not a stack.
    expect(command.output()).not.toMatch(/^\s+at /m);
    other.close();
  });

  it('says so where its port is no port, and exits 1', async () => {
    const command = track(startCommand('npm', ['start', '--', '--once'], { PORT: 'eighty' }));
    expect(await command.exited).toBe(1);
    expect(command.output()).toContain('PORT must be a whole number from 0 to 65535, not "eighty"');
  });
});

describe('npm start', () => {
  it('keeps serving, says how to call it, and stops on Ctrl-C with no process left', async () => {
    const port = await freePort();
    const command = npmStart(port);
    await command.waitFor(/Ctrl-C stops all of it/, STARTED_MS);
    expect(command.output()).toContain(`curl -s http://127.0.0.1:${port}/v1/infer`);
    const url = `http://127.0.0.1:${port}`;
    const { status } = await ask(url, { model_name: 'intent', input_data: 'wake me up at seven' });
    expect(status).toBe(200);
    // One line of JSON per request.
    await command.waitFor(/^\{.*"message":"request".*"outcome":"ok".*\}$/m, 5_000);
    command.interrupt();
    await command.exited;
    expect(command.output().match(/Stopping \.\.\./g)).toHaveLength(1);
    await command.expectNothingLeft();
    await expect(fetch(`${url}/healthz`)).rejects.toThrow(/fetch failed/);
  });

  it('stops where only its first process is asked to, as a supervisor does', async () => {
    const port = await freePort();
    const command = track(
      startCommand(process.execPath, [join(REPOSITORY_ROOT, 'local/start.ts')], { PORT: String(port), API_KEY: '' }),
    );
    await command.waitFor(/Ctrl-C stops all of it/, STARTED_MS);
    command.terminate();
    expect(await command.exited).toBe(0);
    await command.expectNothingLeft();
  });
});

describe('npx wrangler dev alone', () => {
  it('serves the edge variants offline and says plainly why it cannot escalate', async () => {
    const port = await freePort();
    const command = track(
      startCommand('npx', ['--no-install', 'wrangler', 'dev', '--port', String(port), '--inspector-port', '0'], {
        WRANGLER_SEND_METRICS: 'false',
        CLOUDFLARE_CF_FETCH_ENABLED: 'false',
        CI: 'true',
      }),
    );
    await command.waitFor(/Ready on/, STARTED_MS);
    const url = `http://127.0.0.1:${port}`;

    const easy = await ask(url, { model_name: 'intent', input_data: 'wake me up at seven' });
    expect([easy.status, easy.body.target_used.id]).toEqual([200, 'edge']);
    expect(easy.body.decision.config_version).toBe('embedded');

    const hard = await ask(url, {
      model_name: 'intent',
      input_data: 'it is about that thing',
      min_accuracy: 1,
      explain: true,
    });
    expect(hard.status).toBe(200);
    expect(hard.body.predictions[0]).toMatchObject({ target: 'edge', accepted: false });
    expect(hard.body.decision.missed).toContain('confidence');
    expect(hard.body.decision.refused).toEqual([
      expect.objectContaining({ target: 'lambda', reason: 'unreachable', detail: 'no function_url is configured' }),
      expect.objectContaining({ target: 'sagemaker', reason: 'unreachable', detail: 'no endpoint_name is configured' }),
    ]);

    const cloud = await ask(url, { model_name: 'intent', input_data: 'wake me up at seven', placement: 'cloud' });
    expect([cloud.status, cloud.body.error?.code]).toEqual([503, 'target_unavailable']);
    expect(cloud.body.error?.message).toContain('no function_url is configured');

    const { ready, config, targets } = await readiness(url);
    expect(ready).toBe(true);
    expect(config).toMatchObject({ version: 'embedded', last_error: 'no DynamoDB table is configured' });
    expect(targets.filter(({ reachable }) => reachable).map(({ id }) => id)).toEqual(['edge']);
    command.interrupt();
    await command.exited;
    await command.expectNothingLeft();
  });
});
