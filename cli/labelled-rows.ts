/**
 * The labelled file of an evaluation, ready to be sent: found, read, checked against the model's labels, thinned out.
 */
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { REPOSITORY_ROOT } from '../local/bundle-worker.ts';
import { readIdxPair } from '../local/data/read-idx.ts';
import { readLabelledText } from '../local/data/read-labelled-text.ts';
import type { GatewayModel } from './gateway-model.ts';
import { UserError } from './user-error.ts';

export type LabelledRow = { readonly input: unknown; readonly label: string };

/** Files that ship with a model: held out of its training. */
const SHIPPED: Readonly<Record<GatewayModel['input']['kind'], string>> = {
  text: 'validation.csv.gz',
  image: 'report-sample/images-idx3-ubyte.gz',
};

export async function mustExist(file: string): Promise<void> {
  await access(file).catch((cause: unknown) => {
    throw new UserError(`There is no file ${file} that can be read.`, { cause });
  });
}

export function shippedFile(model: GatewayModel): string {
  return join(REPOSITORY_ROOT, 'models', model.name, SHIPPED[model.input.kind]);
}

export async function readRows(file: string, model: GatewayModel): Promise<readonly LabelledRow[]> {
  await mustExist(file);
  let rows: readonly LabelledRow[];
  try {
    rows =
      model.input.kind === 'text'
        ? await readLabelledText(file)
        : (await readIdxPair(file)).map(({ pixels, label }) => ({ input: pixels, label }));
  } catch (cause) {
    throw new UserError(cause instanceof Error ? cause.message : String(cause), { cause });
  }
  if (rows.length === 0) throw new UserError(`${file} holds no rows.`);
  checkLabels(rows, model, file);
  return rows;
}

function checkLabels(rows: readonly LabelledRow[], model: GatewayModel, file: string): void {
  const known = new Set(model.labels);
  const index = rows.findIndex((row) => !known.has(row.label));
  const row = rows[index];
  if (row === undefined) return;
  const some = model.labels.slice(0, 5).join(', ');
  throw new UserError(
    `${file}: row ${index + 1} has the label "${row.label}", which ${model.name} ${model.version} does not know. ` +
      `It knows ${model.labels.length}: ${some}${model.labels.length > 5 ? ', ...' : ''}`,
  );
}

/** `count` rows evenly spread over the file: files come sorted by label, so its head would be one label only. */
export function spreadOut<T>(rows: readonly T[], count: number): readonly T[] {
  if (count >= rows.length) return rows;
  return Array.from({ length: count }, (_, index) => rows[Math.floor((index * rows.length) / count)]).filter(
    (row) => row !== undefined,
  );
}
