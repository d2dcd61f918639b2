/**
 * `npm run bench:metrics -- [--seconds N] [--rps N] [--isolates N] [--shards N] [--seed N]`: what metrics cost and how exact they
 * are, one JSON line a figure. The worker's own sink and store flush simulated traffic, all isolates starting in the same
 * second; the rollup's own code sums it up. Prices are DynamoDB's on demand and Lambda's, of November 2026.
 */
import { parseArgs } from 'node:util';
import { rollUp } from '../../lambdas/rollup/roll-up.ts';
import { decodeMetrics } from '../../shared/measure/metrics.ts';
import { parseWindow, putRollup } from '../../shared/measure/metrics-items.ts';
import { ALL_ROUTES } from '../../shared/measure/rollup-steps.ts';
import { quantile } from '../../shared/measure/sketch.ts';
import { createMemoryTable } from '../lambdas/rollup/memory-table.ts';
import { itemBytes, simulateFlushes, START_MS } from './metrics-flushes.ts';

const USD_PER_WRITE = 0.625e-6;
const USD_PER_READ = 0.125e-6;
const USD_PER_GB_SECOND = 0.0000133334;
const ROLLUP_GB = 0.25;
const WRITE_UNIT_BYTES = 1_024;
/** Eventually consistent: two reads of 4 KB. */
const READ_UNIT_BYTES = 8_192;
/** Runs that read the same minute: it is recomputed for twenty. */
const READS_OF_A_WINDOW = 4;
const RUN_SECONDS = 300;

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '600' },
    rps: { type: 'string', default: '1000' },
    isolates: { type: 'string', default: '2000' },
    shards: { type: 'string', default: '4' },
    seed: { type: 'string', default: '1' },
  },
});
const shape = {
  seconds: Number(values.seconds),
  requestsPerSecond: Number(values.rps),
  isolates: Number(values.isolates),
  seed: Number(values.seed),
};

const { requests, flushes, latenciesMs } = await simulateFlushes(shape, Number(values.shards));
const units = (sizeBytes: number): number => Math.ceil(sizeBytes / WRITE_UNIT_BYTES);
const perMillion = (usd: number): number => (usd / requests) * 1e6;
const writeUnits = flushes.reduce((sum, { sizeBytes }) => sum + units(sizeBytes), 0);

const busiest = new Map<string, number>();
for (const { atMs, item, sizeBytes } of flushes) {
  const key = `${textOf(item['pk'])} ${Math.floor(atMs / 1_000)}`;
  busiest.set(key, (busiest.get(key) ?? 0) + units(sizeBytes));
}

const table = createMemoryTable();
for (const { item } of flushes) {
  const window = parseWindow(item);
  if (window === undefined) throw new Error('the store put something that is no window');
  table.putWindow(window.minute, textOf(item['sk']), window.body);
}
const endMs = START_MS + shape.seconds * 1_000 + 120_000;
let rollupCpuSeconds = 0;
for (let atMs = START_MS + 60_000; atMs <= endMs + RUN_SECONDS * 1_000; atMs += RUN_SECONDS * 1_000) {
  const before = process.cpuUsage();
  await rollUp(table, atMs);
  const { user, system } = process.cpuUsage(before);
  rollupCpuSeconds += (user + system) / 1e6;
}
const runs = Math.floor((endMs - START_MS) / 1_000 / RUN_SECONDS) + 1;
const rollups = [...table.stored.values()].map((rollup) => itemBytes(putRollup(rollup)));
const rollupWriteUnits = rollups.reduce((sum, sizeBytes) => sum + units(sizeBytes), 0) * READS_OF_A_WINDOW;
const readUnits = (flushes.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) / READ_UNIT_BYTES) * READS_OF_A_WINDOW;

const whole = table.stored.get(`day#${ALL_ROUTES}#${Math.floor(START_MS / 86_400_000) * 1_440}`);
const sketch = decodeMetrics(whole?.body ?? '')?.routes.get(ALL_ROUTES)?.latency;
if (sketch === undefined || sketch.count !== requests) throw new Error('the rollup does not hold every request once');
const exact = latenciesMs.toSorted((a, b) => a - b);
const worstError = Math.max(
  ...[0.5, 0.9, 0.95, 0.99, 0.999].map((q) => {
    const truth = exact[Math.floor(q * (exact.length - 1))] ?? 0;
    return truth === 0 ? (quantile(sketch, q) ?? 0) : Math.abs((quantile(sketch, q) ?? 0) / truth - 1);
  }),
);

const flushUsd = writeUnits * USD_PER_WRITE;
const rollupUsd =
  readUnits * USD_PER_READ + rollupWriteUnits * USD_PER_WRITE + rollupCpuSeconds * ROLLUP_GB * USD_PER_GB_SECOND;
for (const [name, unit, value] of [
  ['metrics: requests simulated', 'requests', requests],
  ['metrics: flushes per million requests', 'puts', (flushes.length / requests) * 1e6],
  ['metrics: write units of a flush, mean', 'WRU', writeUnits / flushes.length],
  ['metrics: flushes cost per million requests', 'USD', perMillion(flushUsd)],
  ['metrics: rollup cost per million requests', 'USD', perMillion(rollupUsd)],
  ['metrics: cost per million requests, all of it (goal 0.06)', 'USD', perMillion(flushUsd + rollupUsd)],
  ['metrics: busiest second of a partition (goal 500)', 'WRU', Math.max(...busiest.values())],
  ['metrics: processor seconds of one rollup, mean', 's', rollupCpuSeconds / runs],
  ['metrics: worst quantile of merged sketches against exact (goal 0.02)', 'ratio', worstError],
] as const) {
  console.log(JSON.stringify({ name, unit, value: Number(value.toPrecision(4)) }));
}

function textOf(value: { S: string } | { N: string } | undefined): string {
  return value !== undefined && 'S' in value ? value.S : '';
}
