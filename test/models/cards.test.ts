/** Every model's card is what the product reads, and the files beside it are the ones it names. */
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { modelCardsSource } from '../../local/model-cards.ts';
import { readCards } from '../../local/read-cards.ts';
import { stageWeights } from '../../local/stage-weights.ts';
import { parseConfig } from '../../shared/config/parse-config.ts';
import { BUNDLED_VARIANTS } from '../../shared/config/edge-files.ts';
import { defaultConfig } from '../../shared/config/default-config.ts';

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
    .map(({ card, variant }) => `${card.name}/${variant.file}`);
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
  it('are at least intent and digits, each with an edge, a Lambda and a SageMaker variant', () => {
    expect(cards.map((card) => card.name)).toEqual(expect.arrayContaining(['digits', 'intent']));
    for (const card of cards)
      expect(Object.keys(card.variants)).toEqual(expect.arrayContaining(['micro', 'base', 'large']));
  });

  it.each(variants)('$id is the file its card describes', async ({ card, variant }) => {
    const bytes = await readFile(join(MODELS, card.name, variant.file));
    expect(bytes.length).toBe(variant.size_bytes);
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(variant.sha256);
  });

  it.each(variants)('$id states a calibration error and a latency', ({ variant }) => {
    expect(variant.metrics.ece).toBeLessThanOrEqual(0.03);
    expect(variant.latency_ms.p50).toBeGreaterThan(0);
  });

  it('keep their size: text at the edge in one megabyte, digits in 60 KB', () => {
    for (const card of cards) {
      const limit = card.name === 'digits' ? 60_000 : 1_000_000;
      expect(card.variants['micro']?.size_bytes).toBeLessThanOrEqual(limit);
    }
  });

  it('make a default configuration that is whole', () => {
    const cloud = { region: 'us-east-1', lambdaFunctionUrl: null, sagemakerEndpointName: null, sagemakerBaseUrl: null };
    expect(parseConfig(defaultConfig(cards, cloud))).toMatchObject({ ok: true });
  });
});
