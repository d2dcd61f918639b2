/**
 * `npm run bench [name ...]`: what the worker costs per request under plain workerd, one JSON line per figure. Offline.
 * `npm run bench -- engine`: the engine beside other runtimes (engine.ts). `npm run bench -- weights`: loading (weights.ts).
 * Owns the order of measuring (interleaved, so that what else the machine does falls on all alike) and what is printed.
 * Requests per second are those of this machine in this minute; processor time and the ratios to the baselines travel.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { shareCores } from './cores.ts';
import { startHelper } from './helper-process.ts';
import type { LoadJob, LoadResult } from './load-protocol.ts';
import { cpuMs, residentMb } from './process-usage.ts';
import { decidePerSecond, readCard, sketchAddPerSecond } from './pure-figures.ts';
import { post, prime, scenarios, sortSentences, type Scenario, type WorkerName } from './scenarios.ts';
import { figureOf } from './spread.ts';
import { bundleWorker } from './worker-bundle.ts';
import { startWorkerd, WORKERD_VERSION, type WorkerdProcess } from './workerd-process.ts';
import { workerSetups } from './workers.ts';

const CONNECTIONS = 16;
const WARM_UP_MS = 1_000;
const PURE_MS = 300;

/** Whatever wrangler.toml says, so that both are known; what is loaded is the bundle as it would be deployed. */
const BUNDLE_FLAGS = { bundle_gzip_kb: '--minify=true', bundle_gzip_unminified_kb: '--minify=false' };

const UNITS: Readonly<Record<string, string>> = {
  edge_text_rps: 'requests/s',
  edge_text_cpu_ms: 'ms',
  open_inference_rps: 'requests/s',
  open_inference_cpu_ms: 'ms',
  graphql_rps: 'requests/s',
  graphql_cpu_ms: 'ms',
  cache_hit_rps: 'requests/s',
  cache_hit_cpu_ms: 'ms',
  escalated_rps: 'requests/s',
  escalated_cpu_ms: 'ms',
  cascade_rps: 'requests/s',
  cascade_cpu_ms: 'ms',
  bare_worker_rps: 'requests/s',
  bare_worker_cpu_ms: 'ms',
  parse_fetch_rps: 'requests/s',
  parse_fetch_cpu_ms: 'ms',
  first_answer_ms: 'ms',
  bare_first_answer_ms: 'ms',
  isolate_rss_mb: 'MB',
  bare_rss_mb: 'MB',
  bundle_gzip_kb: 'KB',
  bundle_gzip_unminified_kb: 'KB',
  weights_gzip_kb: 'KB',
  decide_per_s: '1/s',
  sketch_add_per_s: '1/s',
};

const { values: flags, positionals: names } = parseArgs({
  allowPositionals: true,
  options: { runs: { type: 'string', default: '5' }, seconds: { type: 'string', default: '3' } },
});
// What the edge's variants cost to load, and together; it ends the process.
if (names[0] === 'weights') await import('./weights.ts');
// The engine's figures are of another kind, and take minutes: asked for by name, and alone. It ends the process.
if (names[0] === 'engine') await import('./engine.ts');
const runs = positive('--runs', flags.runs);
const durationMs = 1_000 * positive('--seconds', flags.seconds);
for (const name of names) {
  if (!Object.keys(UNITS).some((known) => known.startsWith(name))) {
    console.error(
      `There is no figure "${name}". Figures (a beginning of a name is enough): ${Object.keys(UNITS).join(', ')}`,
    );
    process.exit(1);
  }
}

const measured = new Map<string, number[]>();
const wanted = (figure: string) => names.length === 0 || names.some((name) => figure.startsWith(name));
const add = (figure: string, value: number) => measured.set(figure, [...(measured.get(figure) ?? []), value]);

const folder = mkdtempSync(join(tmpdir(), 'bench-'));
const stops: (() => unknown)[] = [() => rmSync(folder, { recursive: true, force: true })];
process.once('SIGINT', () => process.exit(130));
process.once('SIGTERM', () => process.exit(143));
process.once('exit', () => stops.toReversed().forEach((stop) => stop()));

console.log(JSON.stringify({ machine: machine() }));
try {
  await measure();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}
for (const [figure, unit] of Object.entries(UNITS)) {
  const values = measured.get(figure);
  if (wanted(figure) && values !== undefined) console.log(JSON.stringify(figureOf(figure, unit, values)));
}
process.exit(0);

async function measure(): Promise<void> {
  const bundle = bundleWorker(join(folder, 'deployed'));
  add('weights_gzip_kb', bundle.weightsGzipKb);
  for (const [figure, flag] of Object.entries(BUNDLE_FLAGS)) {
    if (wanted(figure)) add(figure, bundleWorker(join(folder, figure), [flag]).scriptGzipKb);
  }

  const cores = shareCores();
  const [label = ''] = readCard('intent').labels;
  const upstream = startHelper(import.meta.resolve('./upstream.ts'), [label], cores.load);
  const load = startHelper(import.meta.resolve('./load-client.ts'), [], cores.load);
  stops.push(
    () => upstream.stop(),
    () => load.stop(),
  );
  const setups = workerSetups(folder, bundle, `http://127.0.0.1:${await upstream.ask<number>()}/`);
  const start = async (name: WorkerName) => {
    const worker = await startWorkerd(setups[name].folder, setups[name].config, cores.worker);
    stops.push(() => worker.stop());
    return worker;
  };
  const workers = {
    gateway: await start('gateway'),
    bare: await start('bare'),
    parse_fetch: await start('parse_fetch'),
  };

  const all = scenarios(await sortSentences(workers.gateway.port)).filter(
    ({ name }) => wanted(`${name}_rps`) || wanted(`${name}_cpu_ms`),
  );
  const send = async (scenario: Scenario, ms: number) => {
    const job: LoadJob = { ...scenario, port: workers[scenario.worker].port, connections: CONNECTIONS, durationMs: ms };
    const result = await load.ask<LoadResult>(job);
    if (result.wrong === 0) return result;
    throw new Error(
      `${scenario.name}: ${result.wrong} of ${result.requests} answers are not what was asked for, such as\n${result.firstWrong}`,
    );
  };
  for (const scenario of all) {
    if (scenario.primed === true) await prime(scenario, workers[scenario.worker].port);
    await send(scenario, WARM_UP_MS);
  }
  for (let run = 0; run < runs; run += 1) {
    for (const scenario of all) {
      const { pid, port } = workers[scenario.worker];
      if (scenario.primed === true) await prime(scenario, port);
      const beforeMs = cpuMs(pid);
      const { requests, elapsedMs } = await send(scenario, durationMs);
      add(`${scenario.name}_cpu_ms`, (cpuMs(pid) - beforeMs) / requests);
      add(`${scenario.name}_rps`, (1_000 * requests) / elapsedMs);
    }
    if (all.length > 0) {
      add('isolate_rss_mb', residentMb(workers.gateway.pid));
      add('bare_rss_mb', residentMb(workers.bare.pid));
    }
    if (wanted('first_answer_ms')) add('first_answer_ms', await firstAnswerMs(() => start('gateway')));
    if (wanted('bare_first_answer_ms')) add('bare_first_answer_ms', await firstAnswerMs(() => start('bare')));
    if (wanted('decide_per_s')) add('decide_per_s', decidePerSecond(PURE_MS));
    if (wanted('sketch_add_per_s')) add('sketch_add_per_s', sketchAddPerSecond(PURE_MS));
  }
  await Promise.all(Object.values(workers).map((worker) => worker.stop()));
}

/** From asking the system for the process to having the whole answer. */
async function firstAnswerMs(start: () => Promise<WorkerdProcess>): Promise<number> {
  const startedAtMs = performance.now();
  const worker = await start();
  await post(
    worker.port,
    JSON.stringify({ model_name: 'intent', input_data: 'wake me up at seven', variant: 'micro' }),
  );
  const elapsedMs = performance.now() - startedAtMs;
  await worker.stop();
  return elapsedMs;
}

function machine(): Record<string, unknown> {
  const [oneMinute = 0] = loadavg();
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    pinned: shareCores().worker.length > 0,
    load_average: Number(oneMinute.toFixed(2)),
    node: process.versions.node,
    workerd: WORKERD_VERSION,
    connections: CONNECTIONS,
    note: 'requests/s depend on what else runs here; cpu_ms and ratios to bare_worker and parse_fetch travel',
  };
}

function positive(option: string, text: string): number {
  const value = Number(text);
  if (value > 0 && Number.isFinite(value)) return value;
  console.error(`${option} must be a number above 0, not "${text}"`);
  process.exit(1);
}
