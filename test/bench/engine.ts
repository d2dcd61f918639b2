// `npm run bench -- engine [--runs n]`: the engine beside onnxruntime-node and onnxruntime-web (one thread each), interleaved in one run, and
// what it costs in plain workerd; one JSON line a figure. Ratios above 1: the engine is faster.

import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Runner } from './engine-runners.ts';
import { engineRunner, kernels, nodeRuntime, onnxRunner, webRuntime } from './engine-runners.ts';
import { timedModels } from './engine-models.ts';
import type { Add } from './engine-workerd.ts';
import { addColdStart, addMemory, addSizes, addTextTimes, engineSetups, readBytes } from './engine-workerd.ts';
import { figureOf } from './spread.ts';

/** How long one runtime runs before the next has its turn: long enough to be timed, short enough for luck to be shared. */
const TURN_MS = 250;
const WARM_UP_MS = 400;

const { values: flags } = parseArgs({ allowPositionals: true, options: { runs: { type: 'string', default: '7' } } });
const runs = Number(flags.runs);
if (!(runs >= 1 && runs <= 1000)) throw new RangeError('--runs takes a number from 1 to 1000');

console.log(
  JSON.stringify({ machine: cpus()[0]?.model, cores: cpus().length, load: loadavg()[0], node: process.versions.node }),
);
const models = timedModels();
for (const timed of models) {
  const runners: Runner[] = [
    await engineRunner(timed, 'engine'),
    await engineRunner(timed, 'engine_no_relaxed'),
    await onnxRunner(timed, 'onnxruntime_node', nodeRuntime),
    await onnxRunner(timed, 'onnxruntime_web', webRuntime()),
  ];
  await measure(timed.name, runners);
}
await measure('gemm_64x384x1536', [gemm('engine', 'kernels-relaxed', 1), gemm('engine_no_relaxed', 'kernels', 2)]);
await measureInWorkerd();
process.exit(0);

async function measureInWorkerd(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-engine-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const measured = new Map<string, { unit: string; values: number[] }>();
  const add: Add = (figure, unit, value) => {
    const known = measured.get(figure) ?? { unit, values: [] };
    known.values.push(value);
    measured.set(figure, known);
  };
  const setups = engineSetups(folder);
  addSizes(setups, add);
  const text = 'wake me up at seven';
  const large = models.find(({ name }) => name === 'transformer_64');
  for (let run = 0; run < runs; run += 1) {
    await addColdStart(setups, 'micro_text', { key: 'micro', bytes: readBytes('models/intent/micro.hyb'), text }, add);
    await addColdStart(
      setups,
      'small_transformer',
      { key: 's', bytes: readBytes('models/intent/small.hyb'), text },
      add,
    );
    if (large) await addColdStart(setups, 'transformer_6x384', { key: 'large', bytes: large.hyb, text }, add);
  }
  for (let run = 0; run < Math.min(runs, 3); run += 1) {
    await addTextTimes(setups, add);
    await addMemory(setups, add);
  }
  for (const [figure, { unit, values }] of measured) console.log(JSON.stringify(figureOf(figure, unit, values)));
}

async function measure(name: string, runners: readonly Runner[]): Promise<void> {
  const times = new Map<string, number[]>(runners.map(({ runtime }) => [runtime, []]));
  for (const runner of runners) await turnMs(runner, WARM_UP_MS);
  for (let run = 0; run < runs; run += 1) {
    for (const runner of runners) times.get(runner.runtime)?.push(await turnMs(runner, TURN_MS));
  }
  for (const [runtime, list] of times) {
    console.log(JSON.stringify(figureOf(`${name}_${runtime}`, 'ms', list)));
  }
  const mine = times.get('engine') ?? [];
  for (const [runtime, list] of times) {
    if (runtime === 'engine') continue;
    const ratios = list.map((ms, i) => ms / (mine[i] ?? Number.NaN));
    console.log(JSON.stringify(figureOf(`${name}_${runtime}_over_engine`, 'ratio', ratios)));
  }
}

/**
 * The fastest single answer, or processor time an answer where that is less: what else the machine does only adds to the first, and hardly
 * shows in the second, which counts what else the process does.
 */
async function turnMs(runner: Runner, forMs: number): Promise<number> {
  let [answers, fastestMs] = [0, Number.POSITIVE_INFINITY];
  const before = process.cpuUsage();
  for (const endMs = performance.now() + forMs; performance.now() < endMs;) {
    const startedMs = performance.now();
    const result = runner.run();
    if (result instanceof Promise) await result;
    fastestMs = Math.min(fastestMs, performance.now() - startedMs);
    answers += 1;
  }
  const { user, system } = process.cpuUsage(before);
  return Math.min(fastestMs, (user + system) / 1000 / answers);
}

function gemm(runtime: string, file: string, quantizedBytes: number): Runner {
  const [rows, depth, outputs] = [64, 384, 1536];
  const sizes = [rows * depth * quantizedBytes, rows * 8, outputs * depth, outputs * 4, outputs * 4, outputs * 4];
  const offsets = sizes.map((_, i) => 1024 + sizes.slice(0, i).reduce((sum, n) => sum + n, 0));
  const out = 1024 + sizes.reduce((sum, n) => sum + n, 0);
  const pages = Math.ceil((out + rows * outputs * 4) / 65_536);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const { exports } = new WebAssembly.Instance(kernels(file), { env: { memory } });
  const product: unknown = exports['product'];
  if (typeof product !== 'function') throw new TypeError(`${file} has no product`);
  return { runtime, run: () => product(...offsets, out, rows, depth, outputs, 0) as unknown };
}
