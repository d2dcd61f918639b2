/**
 * Rows to calibrate with: what each shortcut answers to an input, and what the reference says. From a file of scores, or
 * asked of a running gateway, one pinned variant at a time.
 */
import { readFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import { parse } from 'csv-parse/sync';
import type { ReferenceRow, ShortcutAnswer } from '../shared/guard/calibrate-in-order.ts';
import { requestInference } from '../local/request-inference.ts';

export type RowsWanted = {
  readonly shortcuts: readonly string[];
  /** A variant, or undefined: the rows' own labels. */
  readonly reference: string | undefined;
};

const GZIP_MAGIC = 0x1f;

/** CSV with `<variant>_predicted` and `<variant>_confidence` per variant, and `label`; gzip accepted. */
export async function rowsFromScores(file: string, wanted: RowsWanted): Promise<readonly ReferenceRow[]> {
  const bytes = await readFile(file);
  const text = (bytes[0] === GZIP_MAGIC ? gunzipSync(bytes) : bytes).toString('utf8');
  const records: Record<string, string>[] = parse(text, { columns: true, skip_empty_lines: true, bom: true });
  const referenceColumn = wanted.reference === undefined ? 'label' : `${wanted.reference}_predicted`;
  return records.map((record, index) => {
    const column = (name: string): string => {
      const value = record[name];
      if (value === undefined || value === '') throw new Error(`${file}: row ${index + 1} has no ${name}`);
      return value;
    };
    const answers = wanted.shortcuts.map((shortcut): [string, ShortcutAnswer] => {
      const confidence = Number(column(`${shortcut}_confidence`));
      if (!(confidence >= 0 && confidence <= 1))
        throw new Error(`${file}: row ${index + 1} has no confidence from 0 to 1 in ${shortcut}_confidence`);
      return [shortcut, { label: column(`${shortcut}_predicted`), confidence }];
    });
    return { answers: Object.fromEntries(answers), reference: column(referenceColumn) };
  });
}

export type Gateway = { readonly url: string; readonly apiKey: string | undefined; readonly model: string };

/** Small enough for every target's batch limit. */
const BATCH = 16;

/** Asks past every cache, so that each answer is the variant's own. */
export async function rowsFromGateway(
  inputs: readonly { readonly input: string; readonly label: string }[],
  gateway: Gateway,
  wanted: RowsWanted,
): Promise<readonly ReferenceRow[]> {
  const rows: ReferenceRow[] = [];
  for (let start = 0; start < inputs.length; start += BATCH) {
    const batch = inputs.slice(start, start + BATCH);
    const ask = (variant: string): Promise<readonly ShortcutAnswer[]> =>
      askVariant(
        batch.map((row) => row.input),
        variant,
        gateway,
      );
    const byShortcut = new Map<string, readonly ShortcutAnswer[]>();
    for (const shortcut of wanted.shortcuts) byShortcut.set(shortcut, await ask(shortcut));
    const said = wanted.reference === undefined ? undefined : await ask(wanted.reference);
    for (const [index, { label }] of batch.entries()) {
      const reference = said === undefined ? label : said[index]?.label;
      if (reference === undefined) continue;
      const answers = [...byShortcut].flatMap(([shortcut, all]) => {
        const answer = all[index];
        return answer === undefined ? [] : [[shortcut, answer] as const];
      });
      rows.push({ answers: Object.fromEntries(answers), reference });
    }
  }
  return rows;
}

async function askVariant(
  inputs: readonly string[],
  variant: string,
  { url, apiKey, model }: Gateway,
): Promise<readonly ShortcutAnswer[]> {
  const sent = await requestInference(
    url,
    { model_name: model, input_data: inputs, variant, cache: 'bypass', latency_requirement: 60_000 },
    apiKey,
  );
  if (sent.kind === 'failed')
    throw new Error(`${url} did not answer for ${model}/${variant}: ${sent.code}: ${sent.message}`);
  return sent.answer.predictions.map(({ label, confidence }) => ({ label, confidence }));
}
