/**
 * `hybrid models bench`: how long one answer takes, tokenization included; of the ONNX file, on one thread, in the same run.
 */
import type { Report } from '../operator/terminal.ts';
import { openEdgeModel } from './edge-model.ts';
import type { OriginalFlags } from './original-model.ts';
import { openOriginal } from './original-model.ts';
import { inputsOf } from './verify-model.ts';

export type BenchFlags = OriginalFlags & {
  readonly against?: string;
  readonly inputs?: string;
  readonly count: number;
};

export async function benchModel(file: string, flags: BenchFlags): Promise<Report> {
  const edge = await openEdgeModel(file);
  const inputs = await inputsOf(edge, { ...flags, count: Math.min(flags.count, 64) });
  const original = flags.against === undefined ? null : await openOriginal(flags.against, flags, edge.wordPieces);
  const [mine, others]: [number[], number[]] = [[], []];
  for (let i = -Math.ceil(flags.count / 4); i < flags.count; i += 1) {
    const input = inputs[((i % inputs.length) + inputs.length) % inputs.length];
    if (input === undefined) break;
    const mineMs = await timedMs(() => edge.model.classify(input));
    // Interleaved, so that what else the machine does falls on both alike.
    const otherMs = original === null ? 0 : await timedMs(() => original.ask(input));
    if (i < 0) continue;
    mine.push(mineMs);
    others.push(otherMs);
  }
  const engine = quantiles(mine);
  const runtime = original === null ? null : quantiles(others);
  const lines = [`engine            ${describe(engine)}`];
  if (runtime !== null) lines.push(`onnxruntime-node  ${describe(runtime)}`);
  return { value: { engine_ms: engine, onnxruntime_node_ms: runtime }, text: lines.join('\n') };
}

async function timedMs(work: () => unknown): Promise<number> {
  const startedMs = performance.now();
  const result = work();
  if (result instanceof Promise) await result;
  return performance.now() - startedMs;
}

type Quantiles = { readonly p50: number; readonly p95: number; readonly n: number };

function quantiles(timesMs: readonly number[]): Quantiles {
  const sorted = timesMs.toSorted((a, b) => a - b);
  const at = (q: number): number => Number((sorted[Math.floor(q * sorted.length)] ?? 0).toFixed(4));
  return { p50: at(0.5), p95: at(0.95), n: sorted.length };
}

function describe({ p50, p95, n }: Quantiles): string {
  return `p50 ${p50.toFixed(4)} ms, p95 ${p95.toFixed(4)} ms over ${n} answers`;
}
