/** Every model's card is what the product reads, and the files beside it are the ones it names. */
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { modelCardsSource } from '../../local/model-cards.ts';
import { readCards } from '../../local/read-cards.ts';
import { DIFFICULTY_FILE } from '../../shared/difficulty/difficulty-file.ts';
import { stageWeights } from '../../local/stage-weights.ts';
import { parseConfig } from '../../shared/config/parse-config.ts';
import { BUNDLED_VARIANTS } from '../../shared/config/edge-files.ts';
import { defaultConfig } from '../../shared/config/default-config.ts';
import { isClassification } from '../../shared/schema/task.ts';

const MODELS = fileURLToPath(new URL('../../models', import.meta.url));

const cards = await readCards(MODELS);
const variants = cards.flatMap((card) =>
  Object.entries(card.variants).map(([name, variant]) => ({ id: `${card.name}/${name}`, card, name, variant })),
);

it('are staged as static assets where the script does not carry them, and nothing else of their folders is', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'assets-'));
  await mkdir(join(folder, 'weights/old'), { recursive: true });
  await writeFile(join(folder, 'weights/old/model.hyb'), 'no card names it');
  const staged = await stageWeights(MODELS, folder);
  const wanted = variants
    .filter(({ id, variant }) => variant.runtime === 'engine' && !BUNDLED_VARIANTS.includes(id))
    .map(({ card, variant }) => `${card.name}/${variant.file}`)
    .concat(DIFFICULTY_FILE.weights.path);
  expect(staged).toEqual(wanted.toSorted());
  const entries = await readdir(join(folder, 'weights'), { recursive: true, withFileTypes: true });
  expect(entries.filter((entry) => entry.isFile())).toHaveLength(wanted.length);
  expect(await stageWeights(MODELS, folder)).toEqual(staged);
  await rm(folder, { recursive: true });
});

it('are in the worker’s script as they are here', async () => {
  const module = await readFile(join(MODELS, '../worker/model-cards.ts'), 'utf8');
  expect(module, 'npm run stage writes it').toBe(modelCardsSource(cards));
});

describe('the shipped models', () => {
  it('are at least intent, digits and embed; a classifier has an edge, a Lambda and a SageMaker variant', () => {
    expect(cards.map((card) => card.name)).toEqual(expect.arrayContaining(['digits', 'embed', 'intent']));
    for (const card of cards.filter(({ task }) => isClassification(task)))
      expect(Object.keys(card.variants)).toEqual(expect.arrayContaining(['micro', 'base', 'large']));
  });

  it.each(variants)('$id is the file its card describes', async ({ card, variant }) => {
    const bytes = await readFile(join(MODELS, card.name, variant.file));
    expect(bytes.length).toBe(variant.size_bytes);
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(variant.sha256);
  });

  it.each(variants)(
    '$id states a latency and, where it states a confidence, a calibration error',
    ({ card, variant }) => {
      if (isClassification(card.task)) expect(variant.metrics.ece).toBeLessThanOrEqual(0.03);
      else expect([variant.metrics.ece, variant.calibration]).toEqual([undefined, undefined]);
      expect(variant.latency_ms.p50).toBeGreaterThan(0);
    },
  );

  it('keep their size: text classifiers at the edge in one megabyte, digits in 60 KB, vectors in three megabytes, all in 16', () => {
    const limits: Record<string, number> = { digits: 60_000, embed: 3_000_000 };
    for (const { name, variants: all } of cards) {
      expect(all['micro']?.size_bytes).toBeLessThanOrEqual(limits[name] ?? 1_000_000);
      for (const { size_bytes: sizeBytes } of Object.values(all)) expect(sizeBytes).toBeLessThanOrEqual(16_000_000);
    }
  });

  it('are answered from one vector space where they are embeddings', () => {
    const cloud = { region: 'us-east-1', lambdaFunctionUrl: null, sagemakerEndpointName: null, sagemakerBaseUrl: null };
    const { policy } = defaultConfig(cards, cloud).routes.find(({ model }) => model === 'embed') ?? {};
    expect(policy).toEqual({ kind: 'cascade', steps: [{ variant: 'micro', accept_confidence: 0 }] });
  });

  it('make a default configuration that is whole', () => {
    const cloud = { region: 'us-east-1', lambdaFunctionUrl: null, sagemakerEndpointName: null, sagemakerBaseUrl: null };
    expect(parseConfig(defaultConfig(cards, cloud))).toMatchObject({ ok: true });
  });
});
