/**
 * `hybrid models bench`: how long one answer takes, tokenization included; of the ONNX file, on one thread, in the same run.
 */
import { openEdgeModel } from './edge-model.ts';
import type { OriginalFlags } from './original-model.ts';
import { openOriginal } from './original-model.ts';
import { inputsOf } from './verify-model.ts';

export type BenchFlags = OriginalFlags & {
  readonly against?: string;
  readonly inputs?: string;
  readonly count: number;
};

export async function benchModel(file: string, flags: BenchFlags): Promise<string> {
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
  const lines = [`engine            ${quantiles(mine)}`];
  if (original !== null) lines.push(`onnxruntime-node  ${quantiles(others)}`);
  return lines.join('\n');
}

async function timedMs(work: () => unknown): Promise<number> {
  const startedMs = performance.now();
  const result = work();
  if (result instanceof Promise) await result;
  return performance.now() - startedMs;
}

function quantiles(timesMs: readonly number[]): string {
  const sorted = timesMs.toSorted((a, b) => a - b);
  const at = (q: number): string => (sorted[Math.floor(q * sorted.length)] ?? 0).toFixed(4);
  return `p50 ${at(0.5)} ms, p95 ${at(0.95)} ms over ${sorted.length} answers`;
}
