/**
 * A WordPiece vocabulary as tools leave it: vocab.txt, or tokenizer.json of the tokenizers library.
 */
import * as z from 'zod';
import type { Vocabulary } from '../onnx/compile.ts';
import { UserError } from '../user-error.ts';
import { readUserFile } from './examples.ts';

const tokenizerSchema = z.object({
  model: z.object({
    type: z.literal('WordPiece').optional(),
    vocab: z.record(z.string(), z.number()),
    continuing_subword_prefix: z.string().optional(),
  }),
  normalizer: z
    .object({
      type: z.string().optional(),
      lowercase: z.boolean().optional(),
      strip_accents: z.boolean().nullish(),
      handle_chinese_chars: z.boolean().optional(),
      clean_text: z.boolean().optional(),
    })
    .nullish(),
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
  const lowercase = normalizer?.lowercase ?? true;
  const strange = differences(parsed.data, lowercase);
  if (strange !== undefined) {
    throw new UserError(`${file} ${strange}: the tokenizer of the edge does as BERT's`);
  }
  const entries = Object.entries(model.vocab).toSorted(([, a], [, b]) => a - b);
  if (entries.some(([, id], place) => id !== place)) throw new UserError(`${file} leaves ids out.`);
  return { pieces: entries.map(([piece]) => piece), lowercase };
}

/** Where it would make other tokens than BERT's; comparing with the original would not show it, for both get the same tokens. */
function differences({ model, normalizer }: z.infer<typeof tokenizerSchema>, lowercase: boolean): string | undefined {
  if ((model.continuing_subword_prefix ?? '##') !== '##') return 'marks the pieces within a word otherwise than by ##';
  if (Object.keys(model.vocab).some((piece) => /[\r\n]/.test(piece))) return 'has a piece with a line break';
  if (normalizer === null) return 'leaves texts as they are';
  if ((normalizer?.type ?? 'BertNormalizer') !== 'BertNormalizer') return `has a normalizer ${normalizer?.type}`;
  if ((normalizer?.strip_accents ?? lowercase) !== lowercase) {
    return lowercase ? 'keeps accents in lower case' : 'strips accents and keeps capitals';
  }
  if (normalizer?.handle_chinese_chars === false) return 'keeps Chinese characters together';
  return normalizer?.clean_text === false ? 'keeps control characters' : undefined;
}
