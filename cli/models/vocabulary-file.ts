/**
 * A WordPiece vocabulary as tools leave it: vocab.txt, or tokenizer.json of the tokenizers library.
 */
import * as z from 'zod';
import type { Vocabulary } from '../onnx/compile.ts';
import { UserError } from '../user-error.ts';
import { readUserFile } from './examples.ts';

const tokenizerSchema = z.object({
  model: z.object({ type: z.literal('WordPiece').optional(), vocab: z.record(z.string(), z.number()) }),
  normalizer: z.object({ lowercase: z.boolean().optional() }).nullish(),
});

export async function readVocabulary(file: string, isCased: boolean): Promise<Vocabulary> {
  const text = (await readUserFile(file)).toString('utf8');
  if (!file.endsWith('.json')) {
    return { pieces: text.replace(/\r?\n$/, '').split(/\r?\n/), lowercase: !isCased };
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new UserError(`${file} is not JSON.`, { cause });
  }
  const parsed = tokenizerSchema.safeParse(json);
  if (!parsed.success) throw new UserError(`${file} is not a tokenizer with a WordPiece model.`);
  const { model, normalizer } = parsed.data;
  const entries = Object.entries(model.vocab).toSorted(([, a], [, b]) => a - b);
  if (entries.some(([, id], place) => id !== place)) throw new UserError(`${file} leaves ids out.`);
  return { pieces: entries.map(([piece]) => piece), lowercase: normalizer?.lowercase ?? true };
}
