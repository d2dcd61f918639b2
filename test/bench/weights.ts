/**
 * What the edge's variants cost that are not in the script: from asking to answering where one is cold and where it is warm,
 * and the memory of an isolate that holds them all. The gateway as deployed, its assets read from disk, in plain workerd.
 * Run: npm run bench -- weights [--runs n]. One JSON line a figure.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { cardSchema, type Card } from '../../shared/schema/card.ts';
import { runningMs, residentMb } from './process-usage.ts';
import { post } from './scenarios.ts';
import { figureOf } from './spread.ts';
import { bundleWorker } from './worker-bundle.ts';
import { startWorkerd, WORKERD_VERSION } from './workerd-process.ts';
import { workerSetups } from './workers.ts';

const WARM_ANSWERS = 40;
const TEXT = 'how do i change the pin of my new card';

const { values: flags } = parseArgs({
  allowPositionals: true,
  options: { runs: { type: 'string', default: '5' }, seconds: { type: 'string' } },
});
const folder = mkdtempSync(join(tmpdir(), 'bench-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
const measured = new Map<string, { unit: string; values: number[] }>();
const { gateway, bare } = workerSetups(folder, bundleWorker(join(folder, 'deployed')), 'http://127.0.0.1:9/');
const edge = cards().flatMap((card) =>
  Object.entries(card.variants).flatMap(([variant, { runtime }]) => (runtime === 'engine' ? [{ card, variant }] : [])),
);

console.log(JSON.stringify({ workerd: WORKERD_VERSION, load_average: loadavg()[0] }));
for (let run = 0; run < Number(flags.runs); run += 1) await measure();
for (const [figure, { unit, values }] of measured) console.log(JSON.stringify(figureOf(figure, unit, values)));
process.exit(0);

async function measure(): Promise<void> {
  const empty = await startWorkerd(bare.folder, bare.config, []);
  await fetch(`http://127.0.0.1:${empty.port}/`);
  add('bare_rss_mb', 'MB', residentMb(empty.pid));
  await empty.stop();
  const worker = await startWorkerd(gateway.folder, gateway.config, []);
  // The first answer of all also compiles the script.
  await fetch(`http://127.0.0.1:${worker.port}/v1/models`);
  add('gateway_rss_mb', 'MB', residentMb(worker.pid));
  for (const { card, variant } of edge) {
    const name = `${card.name}_${variant}`;
    const ask = () => asked(worker.port, worker.pid, card, variant);
    const cold = await ask();
    const warm: { ms: number; cpuMs: number }[] = [];
    for (let i = 0; i < WARM_ANSWERS; i += 1) warm.push(await ask());
    const warmMs = median(warm.map(({ ms }) => ms));
    add(`${name}_cold_ms`, 'ms', cold.ms);
    add(`${name}_warm_ms`, 'ms', warmMs);
    add(`${name}_load_cpu_ms`, 'ms', cold.cpuMs - median(warm.map(({ cpuMs }) => cpuMs)));
  }
  add('all_edge_variants_rss_mb', 'MB', residentMb(worker.pid));
  await worker.stop();
}

async function asked(port: number, pid: number, card: Card, variant: string): Promise<{ ms: number; cpuMs: number }> {
  const { input } = card;
  const pixels =
    input.kind === 'image' ? Array.from({ length: input.height * input.width }, (_unused, i) => (i % 7) / 7) : [];
  const body = { model_name: card.name, variant, cache: 'bypass', input_data: input.kind === 'text' ? TEXT : pixels };
  const [startedMs, cpuBeforeMs] = [performance.now(), runningMs(pid)];
  await post(port, JSON.stringify(body));
  return { ms: performance.now() - startedMs, cpuMs: runningMs(pid) - cpuBeforeMs };
}

function cards(): Card[] {
  const models = fileURLToPath(new URL('../../models', import.meta.url));
  return readdirSync(models).flatMap((name) => {
    try {
      return [cardSchema.parse(JSON.parse(readFileSync(join(models, name, 'card.json'), 'utf8')))];
    } catch {
      return [];
    }
  });
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function add(figure: string, unit: string, value: number): void {
  const known = measured.get(figure) ?? { unit, values: [] };
  known.values.push(value);
  measured.set(figure, known);
}
