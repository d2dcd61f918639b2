/**
 * Inputs for calibrating, verifying and timing: read from a file, or made up from a seed.
 */
import { readFile } from 'node:fs/promises';
import * as z from 'zod';
import { readLabelledText } from '../../local/data/read-labelled-text.ts';
import type { ModelInput } from '../../worker/engine/model.ts';
import { UserError } from '../user-error.ts';

export type Example = { readonly input: ModelInput; readonly label: string | null };

const rowSchema = z.union([
  z.strictObject({ text: z.string(), label: z.string().optional() }),
  z.strictObject({ values: z.array(z.number()), label: z.string().optional() }),
]);

/** NDJSON with `text` or `values` (0 to 1, rows of pixels with their channels) and maybe `label`; or a CSV of texts. */
export async function readExamples(file: string): Promise<readonly Example[]> {
  if (/\.csv(\.gz)?$/i.test(file)) {
    const rows = await readLabelledText(file).catch((cause: unknown) => {
      throw new UserError(cause instanceof Error ? cause.message : String(cause), { cause });
    });
    return rows.map(({ input, label }) => ({ input: { kind: 'text', text: input }, label }));
  }
  const lines = (await readUserFile(file)).toString('utf8').split('\n');
  const examples = lines.flatMap((line, i) => (line.trim() === '' ? [] : [exampleOf(line, `${file}:${i + 1}`)]));
  if (examples.length === 0) throw new UserError(`${file} holds no examples.`);
  return examples;
}

function exampleOf(line: string, where: string): Example {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch (cause) {
    throw new UserError(`${where} is not JSON.`, { cause });
  }
  const row = rowSchema.safeParse(json);
  if (!row.success) throw new UserError(`${where} is neither {"text", "label"} nor {"values", "label"}.`);
  const { label = null } = row.data;
  if ('text' in row.data) return { input: { kind: 'text', text: row.data.text }, label };
  return { input: { kind: 'image', pixels: Float32Array.from(row.data.values) }, label };
}

export async function readUserFile(file: string): Promise<Buffer> {
  return readFile(file).catch((cause: unknown) => {
    throw new UserError(`There is no file ${file} that can be read.`, { cause });
  });
}

/** Numbers from 0 to 1 that depend on the seed alone. */
export function randomFrom(seed: number): () => number {
  let state = (seed ^ 0x9e3779b9) | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

export function randomImage(values: number, random: () => number): ModelInput {
  return { kind: 'image', pixels: Float32Array.from({ length: values }, random) };
}

/** Whole pieces of the vocabulary, one to `most` of them. */
export function randomText(pieces: readonly string[], most: number, random: () => number): ModelInput {
  const words = pieces.filter((piece) => /^[\p{L}\p{N}]+$/u.test(piece));
  const count = 1 + Math.floor(random() * most);
  const picked = Array.from({ length: count }, () => words[Math.floor(random() * words.length)] ?? 'a');
  return { kind: 'text', text: picked.join(' ') };
}
