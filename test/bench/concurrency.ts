/**
 * `npm run bench:concurrency [-- --requests N]`: N edge requests at once, each on a connection of its own, against one
 * isolate in plain workerd. Prints how many were answered, and how long the slowest hundredth waited.
 * workerd holds two file descriptors a connection: 10,000 need a limit (`ulimit -n`) of about 20,400.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { residentMb } from './process-usage.ts';
import { bundleWorker } from './worker-bundle.ts';
import { startWorkerd } from './workerd-process.ts';
import { workerSetups } from './workers.ts';

const { values } = parseArgs({ options: { requests: { type: 'string', default: '9000' } } });
const count = Number(values.requests);
if (!Number.isInteger(count) || count < 1) throw new Error('--requests must be a whole number above 0');

const folder = mkdtempSync(join(tmpdir(), 'concurrency-'));
const { gateway } = workerSetups(folder, bundleWorker(join(folder, 'gateway')), 'http://127.0.0.1:1/');
const worker = await startWorkerd(gateway.folder, gateway.config, []);
const agent = new Agent({ keepAlive: true, maxSockets: count });

/** @returns milliseconds, or undefined where it was not answered with 200 */
function ask(index: number): Promise<number | undefined> {
  const body = JSON.stringify({ model_name: 'intent', input_data: `wake me up in ${index} minutes`, variant: 'micro' });
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
  const startedAtMs = performance.now();
  return new Promise((resolve) => {
    const sent = request({ agent, host: '127.0.0.1', port: worker.port, path: '/v1/infer', method: 'POST', headers });
    sent.on('response', (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode === 200 ? performance.now() - startedAtMs : undefined));
    });
    sent.on('error', () => resolve(undefined));
    sent.end(body);
  });
}

try {
  const startedAtMs = performance.now();
  const waits = await Promise.all(Array.from({ length: count }, (_, index) => ask(index)));
  const elapsedMs = performance.now() - startedAtMs;
  const answered = waits.filter((wait) => wait !== undefined).toSorted((a, b) => a - b);
  const figures: readonly [string, string, number][] = [
    ['concurrent_requests', 'requests', count],
    ['concurrent_answered_ratio', 'ratio', answered.length / count],
    ['concurrent_p99_ms', 'ms', Math.round(answered[Math.floor(answered.length * 0.99)] ?? 0)],
    ['concurrent_total_ms', 'ms', Math.round(elapsedMs)],
    ['concurrent_rss_mb', 'MB', Math.round(residentMb(worker.pid))],
  ];
  for (const [name, unit, value] of figures) {
    console.log(JSON.stringify({ name, unit, median: value, min: value, max: value, n: 1 }));
  }
} finally {
  agent.destroy();
  await worker.stop();
  rmSync(folder, { recursive: true, force: true });
}
