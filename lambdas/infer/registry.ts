/**
 * The models this server answers for: reads every card in the model folder, checks a file against its card before
 * loading it, loads on first use and once, and keeps what it loaded.
 */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { GatewayError } from '../../shared/errors.ts';
import type { Card, CardVariant } from '../../shared/schema/card.ts';
import { cardSchema } from '../../shared/schema/card.ts';
import type { WordPiece } from '../../shared/tokenize/wordpiece.ts';
import { createWordPiece, parseVocabulary } from '../../shared/tokenize/wordpiece.ts';
import type { OpenSession, Session } from './session.ts';

type ServedModel = { readonly card: Card; readonly variant: string; readonly spec: CardVariant };

export type LoadedModel = ServedModel & { readonly session: Session; readonly tokenizer: WordPiece | undefined };

export type Registry = {
  readonly served: readonly ServedModel[];
  /** @throws GatewayError `model_unknown` */
  find(model: string, variant: string): ServedModel;
  /** @throws GatewayError `not_configured` when the files do not match the card */
  load(served: ServedModel): Promise<LoadedModel>;
};

export type RegistryOptions = {
  readonly modelDir: string;
  /** Undefined: every ONNX variant. */
  readonly variants: readonly string[] | undefined;
  readonly openSession: OpenSession;
};

export async function openRegistry({ modelDir, variants, openSession }: RegistryOptions): Promise<Registry> {
  const cards = await readCards(modelDir);
  const served = cards.flatMap((card) =>
    Object.entries(card.variants)
      .filter(([variant, spec]) => spec.runtime === 'onnx' && (variants?.includes(variant) ?? true))
      .map(([variant, spec]): ServedModel => ({ card, variant, spec })),
  );
  if (served.length === 0) {
    throw new Error(`No ONNX variant to serve in ${modelDir}${variants ? ` (of ${variants.join(', ')})` : ''}.`);
  }
  const loading = new Map<ServedModel, Promise<LoadedModel>>();

  return {
    served,
    find(model, variant) {
      const found = served.find((entry) => entry.card.name === model && entry.variant === variant);
      if (found === undefined) throw new GatewayError('model_unknown', 'This server has no such model and variant.');
      return found;
    },
    load(entry) {
      const running = loading.get(entry);
      if (running !== undefined) return running;
      const started = loadModel(join(modelDir, entry.card.name), entry, openSession);
      loading.set(entry, started);
      // A failure is not remembered: the next request tries again.
      started.catch(() => loading.delete(entry));
      return started;
    },
  };
}

async function readCards(modelDir: string): Promise<Card[]> {
  const folders = (await readdir(modelDir, { withFileTypes: true })).filter((entry) => entry.isDirectory());
  const cards = await Promise.all(folders.map((folder) => readCard(modelDir, folder.name)));
  return cards.filter((card) => card !== undefined);
}

async function readCard(modelDir: string, folder: string): Promise<Card | undefined> {
  const path = join(modelDir, folder, 'card.json');
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    // Scripts live beside the models, so a folder without a card is no error.
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  const parsed = cardSchema.safeParse(JSON.parse(text));
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
    throw new Error(`${path} is not a model card. ${problems.join('; ')}`);
  }
  if (parsed.data.name !== folder) throw new Error(`${path} is the card of ${parsed.data.name}, not of ${folder}.`);
  return parsed.data;
}

async function loadModel(folder: string, served: ServedModel, openSession: OpenSession): Promise<LoadedModel> {
  const { spec } = served;
  try {
    const [model, tokenizer] = await Promise.all([readFile(join(folder, spec.file)), readTokenizer(folder, spec)]);
    if (served.card.input.kind === 'text' && tokenizer === undefined)
      throw new Error('A text model without a tokenizer.');
    checkFile(model, spec);
    return { ...served, session: await openSession(model), tokenizer };
  } catch (error) {
    throw new GatewayError('not_configured', 'The model cannot be loaded on this server.', {
      detail: `${served.card.name}/${served.variant}: ${error instanceof Error ? error.message : String(error)}`,
      cause: error,
    });
  }
}

function checkFile(model: Uint8Array, spec: CardVariant): void {
  if (model.byteLength !== spec.size_bytes) {
    throw new Error(`${spec.file} has ${model.byteLength} bytes, its card says ${spec.size_bytes}.`);
  }
  const sha256 = createHash('sha256').update(model).digest('hex');
  if (sha256 !== spec.sha256) throw new Error(`${spec.file} has SHA-256 ${sha256}, its card says ${spec.sha256}.`);
}

async function readTokenizer(folder: string, spec: CardVariant): Promise<WordPiece | undefined> {
  if (spec.tokenizer === undefined) return undefined;
  const vocabulary = parseVocabulary(await readFile(join(folder, spec.tokenizer.vocab), 'utf8'));
  return createWordPiece(vocabulary, { lowercase: spec.tokenizer.lowercase, maxTokens: spec.tokenizer.max_tokens });
}
