/**
 * Rows for the guarantee's figures: how sure the shortcut was of a validation row, and whether the reference says the
 * same. From the scores beside the model, or made up (and said so) where there are none.
 */
import { existsSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { parse } from 'csv-parse/sync';
import type { CalibrationPair } from '../../shared/guard/calibrate.ts';

export type Row = CalibrationPair & { readonly label: string };

export type Comparison = { readonly name: string; readonly rows: readonly Row[] };

const SYNTHETIC_ROWS = 3_100;

export function comparisons(scoresFile: string, random: () => number): readonly Comparison[] {
  if (!existsSync(scoresFile)) return [{ name: 'synthetic', rows: synthetic(random) }];
  const records: Record<string, string>[] = parse(gunzipSync(readFileSync(scoresFile)), { columns: true });
  const against = (variant: string, reference: string): readonly Row[] =>
    records.map((record) => ({
      confidence: Number(record[`${variant}_confidence`]),
      agreed: record[`${variant}_predicted`] === record[reference],
      label: record['label'] ?? '',
    }));
  return [
    { name: 'intent micro against large', rows: against('micro', 'large_predicted') },
    { name: 'intent micro against labels', rows: against('micro', 'label') },
    { name: 'intent base against large', rows: against('base', 'large_predicted') },
  ];
}

/** Calibrated confidences, most of them high; 150 classes and 3 % out of scope. */
function synthetic(random: () => number): readonly Row[] {
  return Array.from({ length: SYNTHETIC_ROWS }, (_, index) => {
    const isOutOfScope = index % 31 === 0;
    const confidence = 1 - (isOutOfScope ? 0.2 + 0.7 * random() : 0.75 * random() ** 6);
    return { confidence, agreed: random() < confidence, label: isOutOfScope ? 'oos' : `class ${index % 150}` };
  });
}
