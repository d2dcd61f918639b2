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
  logits: z.object({ micro: z.array(z.number()) }),
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
  variants: z.object({ micro: z.object({ size_bytes: z.number() }) }),
});

describe.each(['digits', 'intent'])('%s', (name) => {
  const golden = Golden.parse(JSON.parse(readFileSync(fileOf(`test/fixtures/${name}-golden.json`), 'utf8')));
  const card = Card.parse(JSON.parse(readFileSync(fileOf(`models/${name}/card.json`), 'utf8')));
  const bytes = Uint8Array.from(readFileSync(fileOf(`models/${name}/micro.hyb`))).buffer;
  // The reference has no limit of characters, so what the engine cuts cannot be compared.
  const { max_chars: maxChars = Number.POSITIVE_INFINITY } = card.input;
  const rows = golden.rows.filter(({ text = '' }) => Array.from(text).length <= maxChars);

  it.each(engines)('gives the logits of the Python reference in $name', async ({ engine }) => {
    const model = await engine.loadModel(bytes);
    const wrong = rows.filter((row) => largestError(model.logits(inputOf(row)), row.logits.micro) > 2e-4);
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
      sizeBytes: card.variants.micro.size_bytes,
    });
  });
});
