/**
 * What the engine costs inside plain workerd: its files, the first answer of a fresh process, a text, and memory. Owns the worker's bundle
 * and the measuring; the runtimes side by side are engine.ts's.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { buildSync } from 'esbuild';
import { readLabelledText } from '../../local/data/read-labelled-text.ts';
import { BARE_WORKER } from './baseline-workers.ts';
import type { WorkerdModule } from './capnp.ts';
import { shareCores } from './cores.ts';
import { residentMb, runningMs } from './process-usage.ts';
import { startWorkerd, type WorkerdProcess } from './workerd-process.ts';
import type { WorkerSetup } from './workers.ts';

export type Add = (figure: string, unit: string, value: number) => void;
export type Setups = { readonly engine: WorkerSetup; readonly bare: WorkerSetup };

const ROOT = new URL('../../', import.meta.url);
const KERNELS = ['kernels.wasm', 'kernels-relaxed.wasm'];
const COMPATIBILITY = { compatibilityDate: '2026-08-22', compatibilityFlags: [], bindings: {} };
/** Enough repetitions of one text for a request's own time not to show. */
const REPEATS = 500;
const TEXTS = 150;

export function engineSetups(folder: string): Setups {
  const [engine, bare] = [join(folder, 'engine'), join(folder, 'bare')];
  for (const one of [engine, bare]) mkdirSync(one, { recursive: true });
  buildSync({
    entryPoints: [fileURLToPath(new URL('test/workerd/engine-bench-worker.ts', ROOT))],
    outfile: join(engine, 'index.js'),
    bundle: true,
    minify: true,
    format: 'esm',
    loader: { '.wasm': 'copy' },
    assetNames: '[name]',
    logLevel: 'error',
  });
  writeFileSync(join(bare, 'index.js'), BARE_WORKER);
  const script = { name: 'index.js', kind: 'esModule' } as const;
  const wasm = KERNELS.map((name): WorkerdModule => ({ name: `./${name}`, kind: 'wasm' }));
  return {
    engine: { folder: engine, config: { ...COMPATIBILITY, modules: [script, ...wasm] } },
    bare: { folder: bare, config: { ...COMPATIBILITY, modules: [script] } },
  };
}

export function addSizes(setups: Setups, add: Add): void {
  for (const name of KERNELS) add(`${name}_gzip`, 'bytes', gzipBytes(new URL(`worker/engine/${name}`, ROOT)));
  add('engine_worker_script_gzip', 'bytes', gzipBytes(join(setups.engine.folder, 'index.js')));
}

function gzipBytes(file: string | URL): number {
  return gzipSync(readFileSync(file), { level: 9 }).byteLength;
}

type Weights = { readonly key: string; readonly bytes: Uint8Array<ArrayBuffer>; readonly text: string };

/** From asking the system for the process to the first answer, weights handed in, over a worker that does nothing with them. */
export async function addColdStart(setups: Setups, name: string, weights: Weights, add: Add): Promise<void> {
  const engine = await firstAnswer(setups.engine, weights);
  const bare = await firstAnswer(setups.bare, weights);
  add(`cold_start_${name}`, 'ms', engine.elapsedMs - bare.elapsedMs);
  add(`cold_start_${name}_cpu`, 'ms', engine.cpuMs - bare.cpuMs);
  add(`cold_start_${name}_with_the_process`, 'ms', engine.elapsedMs);
}

async function firstAnswer(setup: WorkerSetup, weights: Weights): Promise<{ elapsedMs: number; cpuMs: number }> {
  const startedMs = performance.now();
  const worker = await startWorkerd(setup.folder, setup.config, shareCores().worker);
  await ask(worker, weights);
  const found = { elapsedMs: performance.now() - startedMs, cpuMs: runningMs(worker.pid) };
  await worker.stop();
  return found;
}

async function ask(worker: WorkerdProcess, { key, bytes, text }: Weights, times = 1): Promise<string> {
  const query = new URLSearchParams({ key, text, times: String(times) });
  const answer = await fetch(`http://127.0.0.1:${worker.port}/?${query}`, { method: 'POST', body: bytes });
  const said = await answer.text();
  if (!answer.ok) throw new Error(`${key}: ${answer.status} ${said.slice(0, 300)}`);
  return said;
}

/**
 * Inside workerd no clock runs while code does, so texts are timed from outside: one of them many times a request, less a request that
 * asks nothing. The quantiles are over texts.
 */
export async function addTextTimes(setups: Setups, add: Add): Promise<void> {
  const worker = await startWorkerd(setups.engine.folder, setups.engine.config, shareCores().worker);
  try {
    const file = fileURLToPath(new URL('models/intent/validation.csv.gz', ROOT));
    const rows = await readLabelledText(file);
    const texts = rows.filter((_, i) => i % Math.ceil(rows.length / TEXTS) === 0).map(({ input }) => input);
    const weights = { key: 'intent/micro', bytes: readBytes('models/intent/micro.hyb') };
    for (const text of texts) await ask(worker, { ...weights, text }, 20);
    const timesUs: number[] = [];
    const none = new Uint8Array();
    for (const text of texts) {
      const measured = async (times: number): Promise<number> => {
        const startedMs = performance.now();
        await ask(worker, { ...weights, bytes: none, text }, times);
        return performance.now() - startedMs;
      };
      // The least of three: what else the machine does only adds.
      const [idle, busy] = [Math.min(await measured(0), await measured(0), await measured(0)), [] as number[]];
      for (let i = 0; i < 3; i += 1) busy.push(await measured(REPEATS));
      timesUs.push((1000 * (Math.min(...busy) - idle)) / REPEATS);
    }
    timesUs.sort((a, b) => a - b);
    add('micro_text_in_workerd_p50', 'us', timesUs[Math.floor(0.5 * timesUs.length)] ?? Number.NaN);
    add('micro_text_in_workerd_p99', 'us', timesUs[Math.floor(0.99 * timesUs.length)] ?? Number.NaN);
  } finally {
    await worker.stop();
  }
}

/** All edge variants of the cards, each asked once, in one isolate; over a worker that was handed the same bytes. */
export async function addMemory(setups: Setups, add: Add): Promise<void> {
  const edge = readdirSync(new URL('models', ROOT)).flatMap(edgeFilesOf);
  const measured = await Promise.all(
    [setups.engine, setups.bare].map(async (setup) => {
      const worker = await startWorkerd(setup.folder, setup.config, shareCores().worker);
      let said = '';
      for (const key of edge) {
        const text = key.startsWith('digits') ? '' : 'wake me up at seven';
        said = await ask(worker, { key, bytes: readBytes(`models/${key}`), text });
      }
      // What was read and dropped is collected when the isolate has a moment.
      await new Promise((resolve) => setTimeout(resolve, 1500));
      for (let i = 0; i < 200; i += 1)
        await ask(worker, { key: edge[0] ?? '', bytes: new Uint8Array(), text: 'again' });
      const megabytes = residentMb(worker.pid);
      await worker.stop();
      return { megabytes, said };
    }),
  );
  const [engine, bare] = measured;
  const { loaded } = JSON.parse(engine?.said ?? '{"loaded":[]}') as { loaded: { workingBytes: number }[] };
  if (loaded.length !== edge.length) throw new Error(`${loaded.length} of ${edge.length} models stayed loaded`);
  add('models_loaded', 'models', loaded.length);
  add('models_working_memory', 'MB', loaded.reduce((sum, { workingBytes }) => sum + workingBytes, 0) / 2 ** 20);
  add('isolate_rss_all_models', 'MB', engine?.megabytes ?? Number.NaN);
  add('isolate_rss_over_empty_worker', 'MB', (engine?.megabytes ?? Number.NaN) - (bare?.megabytes ?? Number.NaN));
}

type Variants = Readonly<Record<string, { readonly file: string; readonly runtime: string }>>;

function edgeFilesOf(model: string): string[] {
  const card = new URL(`models/${model}/card.json`, ROOT);
  if (!existsSync(card)) return [];
  const { variants } = JSON.parse(readFileSync(card, 'utf8')) as { variants: Variants };
  return Object.values(variants).flatMap(({ file, runtime }) => (runtime === 'engine' ? [`${model}/${file}`] : []));
}

export function readBytes(path: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(readFileSync(new URL(path, ROOT)));
}
