/**
 * Questions with whether a weak and a strong model answered them rightly: a gzipped CSV, and its n-grams as sparse rows.
 */
import { parse } from 'csv-parse/sync';
import { readMaybeGzipped } from '../../local/data/read-labelled-text.ts';
import type { GramSpec } from '../../shared/difficulty/text-grams.ts';
import { createTextGrams } from '../../shared/difficulty/text-grams.ts';
import { UserError } from '../user-error.ts';
import type { SparseRows } from './ridge.ts';
import type { Outcome } from './routing-curve.ts';

/** Chosen with the penalty, in train-difficulty.ts. */
const RARITY = 1.3;

/** `weakAnswer` where the file has it, as `weak_response`. */
export type Question = Outcome & { readonly prompt: string; readonly weakAnswer?: string };

export async function readQuestions(file: string): Promise<readonly Question[]> {
  const text = (await readMaybeGzipped(file)).toString('utf8');
  const rows: Record<string, string>[] = parse(text, { columns: true, skip_empty_lines: true, bom: true });
  return rows.map((row, i) => {
    const { prompt, weak_correct: weak, strong_correct: strong, weak_response: weakAnswer } = row;
    if (prompt === undefined || !isBit(weak) || !isBit(strong))
      throw new UserError(`${file}: row ${i + 1} has no prompt, or weak_correct or strong_correct is neither 0 nor 1.`);
    const question = { prompt, weakRight: weak === '1', strongRight: strong === '1' };
    return weakAnswer === undefined ? question : { ...question, weakAnswer };
  });
}

function isBit(value: string | undefined): value is '0' | '1' {
  return value === '0' || value === '1';
}

/** Each n-gram of a question once, rare ones heavier; how rare is asked of `known` alone. */
export function gramRows(questions: readonly Question[], known: readonly number[], grams: GramSpec): SparseRows {
  const gramsOf = createTextGrams(grams);
  const kept = questions.map(({ prompt }) => {
    const { ids, count } = gramsOf(prompt);
    return ids.slice(0, count);
  });
  const starts = new Uint32Array(kept.length + 1);
  kept.forEach((ids, row) => (starts[row + 1] = (starts[row] ?? 0) + ids.length));
  const columns = new Uint32Array(starts.at(-1) ?? 0);
  kept.forEach((ids, row) => columns.set(ids, starts[row] ?? 0));
  const holders = new Uint32Array(2 ** grams.bits);
  for (const row of known) for (const id of kept[row] ?? []) holders[id] = (holders[id] ?? 0) + 1;
  const columnScales = Float64Array.from(holders, (count) => Math.log((1 + known.length) / (1 + count)) ** RARITY);
  const rowScales = Float64Array.from(kept, (ids) => 1 / Math.sqrt(Math.max(1, ids.length)));
  return { starts, columns, rowScales, columnScales };
}
