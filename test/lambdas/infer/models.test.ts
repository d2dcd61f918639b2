/** The models as shipped, run here, against what Python's ONNX Runtime answered when they were made. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { rankLabels } from '../../../shared/schema/rank-labels.ts';
import type { LoadedModel, Registry } from '../../../lambdas/infer/registry.ts';
import { openRegistry } from '../../../lambdas/infer/registry.ts';
import type { Features } from '../../../lambdas/infer/session.ts';
import { sessionOpener } from '../../../lambdas/infer/session.ts';

const path = (name: string): string => fileURLToPath(new URL(`../../../${name}`, import.meta.url));

type Logits = { readonly logits: Readonly<Record<string, readonly number[]>> };
type TextGolden = {
  readonly rows: readonly (Logits & { readonly text: string; readonly input_ids: readonly number[] })[];
};
type VectorGolden = {
  readonly rows: readonly {
    readonly text: string;
    readonly input_ids: readonly number[];
    readonly vector: { readonly base: readonly number[] };
  }[];
};
type ImageGolden = { readonly rows: readonly (Logits & { readonly pixels_base64: string })[] };

/** Rounding of the fixture, and another version of the runtime on another processor. */
const LOGIT_TOLERANCE = 0.02;

function open(): Promise<Registry> {
  return openRegistry({ modelDir: path('models'), variants: undefined, openSession: sessionOpener(1) });
}

async function compare(model: LoadedModel, features: Features, golden: Logits): Promise<void> {
  const expected = golden.logits[model.variant] ?? [];
  const logits = await model.session.run(features);
  expect(logits).toHaveLength(expected.length);
  const furthest = expected.reduce((far, value, at) => Math.max(far, Math.abs(value - (logits[at] ?? Infinity))), 0);
  expect(furthest).toBeLessThan(LOGIT_TOLERANCE);
  const { labels } = model.card;
  const temperature = model.spec.calibration?.temperature ?? Number.NaN;
  const [here] = rankLabels(logits, labels, temperature, 1);
  const [there] = rankLabels(Float32Array.from(expected), labels, temperature, 1);
  expect(here?.label).toBe(there?.label);
  expect(here?.confidence).toBeCloseTo(there?.confidence ?? 0, 2);
}

describe('intent', () => {
  it.each(['base', 'large'])('%s reads and answers every golden text as in Python', async (variant) => {
    const { rows }: TextGolden = JSON.parse(readFileSync(path('test/fixtures/intent-golden.json'), 'utf8'));
    const registry = await open();
    const model = await registry.load(registry.find('intent', variant));
    expect(rows.length).toBeGreaterThan(50);
    for (const golden of rows) {
      const ids = model.tokenizer?.encode(golden.text).ids ?? [];
      expect(ids).toEqual(golden.input_ids);
      await compare(model, { kind: 'text', ids }, golden);
    }
  });
});

describe('digits', () => {
  it.each(['base', 'large'])('%s answers every golden image as in Python', async (variant) => {
    const { rows }: ImageGolden = JSON.parse(readFileSync(path('test/fixtures/digits-golden.json'), 'utf8'));
    const registry = await open();
    const model = await registry.load(registry.find('digits', variant));
    expect(rows.length).toBeGreaterThan(50);
    for (const golden of rows) {
      const pixels = Float32Array.from(Buffer.from(golden.pixels_base64, 'base64'), (value) => value / 255);
      await compare(model, { kind: 'image', height: 28, width: 28, pixels }, golden);
    }
  });
});

describe('embed', () => {
  it('base turns every golden text into the vector of Python, at length one', async () => {
    const { rows }: VectorGolden = JSON.parse(readFileSync(path('test/fixtures/embed-golden.json'), 'utf8'));
    const registry = await open();
    const model = await registry.load(registry.find('embed', 'base'));
    expect(rows.length).toBeGreaterThan(50);
    for (const { text, input_ids: inputIds, vector } of rows) {
      const ids = model.tokenizer?.encode(Array.from(text).slice(0, 1000).join('')).ids ?? [];
      expect(ids).toEqual(inputIds);
      const embedding = await model.session.run({ kind: 'text', ids });
      expect(embedding).toHaveLength(384);
      expect(embedding.reduce((sum, value, i) => sum + value * (vector.base[i] ?? 0), 0)).toBeCloseTo(1, 4);
    }
  });
});
