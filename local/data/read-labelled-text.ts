/**
 * A labelled text file: CSV with the columns `text` and a label (`intent`, `category` or `label`), gzip accepted.
 */
import { readFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import { parse } from 'csv-parse/sync';

export type LabelledText = { readonly input: string; readonly label: string };

const LABEL_COLUMNS = ['intent', 'category', 'label'];
const GZIP_MAGIC = [0x1f, 0x8b];

/** @throws with the file's name and the line at fault */
export async function readLabelledText(file: string): Promise<readonly LabelledText[]> {
  const text = (await readMaybeGzipped(file)).toString('utf8');
  const rows: Record<string, string>[] = parse(text, { columns: true, skip_empty_lines: true, bom: true });
  const [first] = rows;
  const labelColumn = LABEL_COLUMNS.find((column) => first !== undefined && column in first);
  if (first === undefined || !('text' in first) || labelColumn === undefined) {
    throw new Error(
      `${file} must be CSV with a header naming "text" and one of ${LABEL_COLUMNS.join(', ')}, and at least one row`,
    );
  }
  return rows.map((row, index) => {
    const input = row['text'];
    const label = row[labelColumn];
    if (input === undefined || label === undefined || label === '')
      throw new Error(`${file}: row ${index + 1} has no text or label`);
    return { input, label };
  });
}

export async function readMaybeGzipped(file: string): Promise<Buffer> {
  const bytes = await readFile(file);
  return bytes[0] === GZIP_MAGIC[0] && bytes[1] === GZIP_MAGIC[1] ? gunzipSync(bytes) : bytes;
}
