// The shipped edge variants against Python: the same inputs, the same files, the same logits.

import { readFileSync } from 'node:fs';
import * as z from 'zod';
import { describe, expect, it } from 'vitest';
import type { ModelInput } from '../../../worker/engine/model.ts';
import { engines } from './engines.ts';

const Row = z.object({
  name: z.string().optional(),
  text: z.string().optional(),
  pixels_base64: z.string().optional(),
  logits: z.record(z.string(), z.array(z.number())),
});
const Golden = z.object({ model: z.string(), rows: z.array(Row) });

function inputOf({ text, pixels_base64: pixels = '' }: z.infer<typeof Row>): ModelInput {
  if (text !== undefined) return { kind: 'text', text };
  return { kind: 'image', pixels: Float32Array.from(Buffer.from(pixels, 'base64'), (byte) => byte / 255) };
}

/** Relative to the largest logit where that is above one. */
function largestError(actual: Float32Array, expected: readonly number[]): number {
  const largest = Math.max(1, ...expected.map(Math.abs));
  return Math.max(...expected.map((value, i) => Math.abs((actual[i] ?? Number.NaN) - value))) / largest;
}

function fileOf(name: string): URL {
  return new URL(`../../../${name}`, import.meta.url);
}

const Card = z.object({
  name: z.string(),
  version: z.string(),
  task: z.string(),
  labels: z.array(z.string()),
  out_of_scope_label: z.string().nullable(),
  input: z.object({ max_chars: z.number().optional() }),
  variants: z.record(z.string(), z.object({ size_bytes: z.number() })),
});

/** Where an int8 product meets a half, the sum's last bit decides the level: encoders differ a little more, the deeper the more. */
const FILES = [
  { name: 'digits', variant: 'micro', most: 2e-4 },
  { name: 'intent', variant: 'micro', most: 2e-4 },
  { name: 'intent', variant: 'small', most: 2e-2 },
  { name: 'banking', variant: 'micro', most: 2e-4 },
  { name: 'banking', variant: 'small', most: 5e-2 },
];

describe.each(FILES)('$name/$variant', ({ name, variant, most }) => {
  const golden = Golden.parse(JSON.parse(readFileSync(fileOf(`test/fixtures/${name}-golden.json`), 'utf8')));
  const card = Card.parse(JSON.parse(readFileSync(fileOf(`models/${name}/card.json`), 'utf8')));
  const bytes = Uint8Array.from(readFileSync(fileOf(`models/${name}/${variant}.hyb`))).buffer;
  // The reference has no limit of characters, so what the engine cuts cannot be compared.
  const { max_chars: maxChars = Number.POSITIVE_INFINITY } = card.input;
  const rows = golden.rows.filter(({ text = '' }) => Array.from(text).length <= maxChars);

  // Plain TypeScript takes a second a text for an encoder; sequence.test.ts holds its operators.
  const fastEnough = variant === 'small' ? engines.slice(1) : engines;

  it.each(fastEnough)('gives the logits of the Python reference in $name', async ({ engine }) => {
    const model = await engine.loadModel(bytes);
    const wrong = rows.filter((row) => largestError(model.logits(inputOf(row)), row.logits[variant] ?? []) > most);
    expect(rows.length).toBeGreaterThan(50);
    expect(wrong.map((row) => row.name ?? row.text)).toEqual([]);
  });

  it.each(engines)('says what its card says in $name', async ({ engine }) => {
    const { info } = await engine.loadModel(bytes);
    expect(info).toMatchObject({
      model: card.name,
      version: card.version,
      task: card.task,
      labels: card.labels,
      outOfScopeLabel: card.out_of_scope_label,
      variant,
      sizeBytes: card.variants[variant]?.size_bytes,
    });
  });
});
