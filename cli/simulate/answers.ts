/**
 * What each variant really answers: the shipped models' predictions and calibrated confidences for validation rows. Owns
 * reading them and dividing them into halves; nothing here is drawn or made up.
 */
import { parse } from 'csv-parse/sync';
import { readMaybeGzipped } from '../../local/data/read-labelled-text.ts';
import { UserError } from '../user-error.ts';

export const HALVES = ['all', 'first', 'second'] as const;
export type Half = (typeof HALVES)[number];

export type Answers = {
  readonly variants: readonly string[];
  readonly rows: number;
  /** Label number of each row. */
  readonly truth: Uint16Array;
  /** By variant, then row. */
  readonly predicted: readonly Uint16Array[];
  readonly confidence: readonly Float64Array[];
  /** Rows by label number. */
  readonly rowsOf: readonly (readonly number[])[];
  readonly outOfScope: number | undefined;
};

/** CSV with `label` and, per variant, `<variant>_predicted` and `<variant>_confidence`. */
export async function readAnswers(file: string, outOfScopeLabel: string | null, half: Half): Promise<Answers> {
  let rows: Record<string, string>[];
  try {
    rows = parse((await readMaybeGzipped(file)).toString('utf8'), { columns: true, skip_empty_lines: true });
  } catch (cause) {
    throw new UserError(`${file} cannot be read as CSV with scores.`, { cause });
  }
  const [first] = rows;
  const variants = Object.keys(first ?? {}).flatMap((column) => /^(.+)_predicted$/.exec(column)?.[1] ?? []);
  if (first === undefined || variants.length === 0 || !('label' in first))
    throw new UserError(`${file} must have the columns label, and <variant>_predicted, <variant>_confidence for each.`);
  return toAnswers(halfOf(rows, half), variants, outOfScopeLabel, file);
}

/** Every second row of each label, so that both halves have the same mix. */
function halfOf(rows: readonly Record<string, string>[], half: Half): readonly Record<string, string>[] {
  if (half === 'all') return rows;
  const seen = new Map<string, number>();
  return rows.filter((row) => {
    const label = row['label'] ?? '';
    const before = seen.get(label) ?? 0;
    seen.set(label, before + 1);
    return (before % 2 === 0) === (half === 'first');
  });
}

function toAnswers(
  rows: readonly Record<string, string>[],
  variants: readonly string[],
  outOfScopeLabel: string | null,
  file: string,
): Answers {
  const numbers = new Map<string, number>();
  const numberOf = (label: string): number => {
    const known = numbers.get(label) ?? numbers.size;
    numbers.set(label, known);
    return known;
  };
  const truth = Uint16Array.from(rows, (row) => numberOf(row['label'] ?? ''));
  const labels = numbers.size;
  const predicted = variants.map((variant) =>
    Uint16Array.from(rows, (row) => numberOf(row[`${variant}_predicted`] ?? '')),
  );
  const confidence = variants.map((variant) =>
    Float64Array.from(rows, (row, index) => confidenceOf(row[`${variant}_confidence`], file, index)),
  );
  const rowsOf: number[][] = Array.from({ length: labels }, () => []);
  truth.forEach((label, row) => rowsOf[label]?.push(row));
  const outOfScope = outOfScopeLabel === null ? undefined : numbers.get(outOfScopeLabel);
  return { variants, rows: rows.length, truth, predicted, confidence, rowsOf, outOfScope };
}

function confidenceOf(text: string | undefined, file: string, index: number): number {
  const value = Number(text ?? '');
  if (text === undefined || text === '' || !(value >= 0 && value <= 1))
    throw new UserError(`${file}: row ${index + 1} has the confidence "${text ?? ''}", which is not from 0 to 1.`);
  return value;
}
