/**
 * The requests of a run, the same for every policy: when, where, which sentence, how long its caller can wait. Popularity
 * is Zipf's over intents; each occurrence is another sentence of its intent, so nothing is ever found in a cache.
 */
import type { Answers } from './answers.ts';
import type { Geography } from './geography.ts';
import { weightedPicker } from './random.ts';

export type Workload = {
  readonly count: number;
  /** From the trace's start. */
  readonly atMs: Float64Array;
  readonly pop: Uint16Array;
  /** Row of the answers: which sentence it is. */
  readonly row: Uint16Array;
  /** `latency_requirement`; NaN where none is stated. */
  readonly latencyMs: Float64Array;
};

/** A share of the requests that states this latency requirement. */
export type StatedLatency = { readonly ms: number; readonly share: number };

export type WorkloadOptions = {
  readonly arrivals: Float64Array;
  readonly geography: Geography;
  readonly answers: Answers;
  readonly zipf: number;
  readonly outOfScopeShare: number;
  readonly statedLatencies: readonly StatedLatency[];
  readonly random: () => number;
};

export function createWorkload(options: WorkloadOptions): Workload {
  const { arrivals, geography, answers, random } = options;
  const count = arrivals.length;
  const pickPop = weightedPicker(geography.weights);
  const pickRow = rowPicker(options);
  const stated = options.statedLatencies;
  const workload = {
    count,
    atMs: arrivals,
    pop: new Uint16Array(count),
    row: new Uint16Array(count),
    latencyMs: new Float64Array(count).fill(Number.NaN),
  };
  if (answers.rows === 0) throw new RangeError('there are no rows to ask');
  for (let index = 0; index < count; index += 1) {
    workload.pop[index] = pickPop(random());
    workload.row[index] = pickRow();
    let draw = random();
    for (const { ms, share } of stated) {
      if (draw < share) {
        workload.latencyMs[index] = ms;
        break;
      }
      draw -= share;
    }
  }
  return workload;
}

/** Which intent is the popular one is drawn too. */
function rowPicker({ answers, zipf, outOfScopeShare, random }: WorkloadOptions): () => number {
  const scopes = answers.rowsOf
    .map((rows, label) => ({ rows, label }))
    .filter(({ rows, label }) => rows.length > 0 && label !== answers.outOfScope);
  shuffle(scopes, random);
  const pickScope = weightedPicker(scopes.map((_, rank) => (rank + 1) ** -zipf));
  const outside = answers.outOfScope === undefined ? [] : (answers.rowsOf[answers.outOfScope] ?? []);
  return () => {
    const isOutside = random() < outOfScopeShare && outside.length > 0;
    const rows = isOutside ? outside : (scopes[pickScope(random())]?.rows ?? outside);
    return rows[Math.floor(random() * rows.length)] ?? 0;
  };
}

function shuffle(list: unknown[], random: () => number): void {
  for (let index = list.length - 1; index > 0; index -= 1) {
    const other = Math.floor(random() * (index + 1));
    const held = list[index];
    const swapped = list[other];
    list[index] = swapped;
    list[other] = held;
  }
}
