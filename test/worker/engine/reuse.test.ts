// One model answers many requests from the same memory: no request may show in the next one's answer.

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EngineInputError, EngineOutputError } from '../../../worker/engine/errors.ts';
import { top } from '../../../worker/engine/top.ts';
import { engines } from './engines.ts';
import { hybFile, imageHeader, tinyText } from './hyb-file.ts';

/** Any UTF-16, lone surrogates too. */
const anyText = fc.array(fc.nat({ max: 0xffff }), { maxLength: 60 }).map((codes) => String.fromCharCode(...codes));

function overflowing(): ArrayBuffer {
  return hybFile({
    header: {
      ...imageHeader(1, 1, 2, 2),
      graph: [
        { op: 'flatten' },
        { op: 'dense', weights: 'w', scales: 'huge', bias: 'zero', activation: 'none' },
        { op: 'dense', weights: 'w', scales: 'huge', bias: 'zero', activation: 'none' },
      ],
    },
    tensors: {
      w: { dtype: 'i8', shape: [2, 2], values: [127, 127, 127, -127] },
      huge: { dtype: 'f32', shape: [2], values: [1e36, 1e36] },
      zero: { dtype: 'f32', shape: [2], values: [0, 0] },
    },
  });
}

describe.each(engines)('a loaded model in $name', ({ engine }) => {
  it('says what it is', async () => {
    const bytes = hybFile(tinyText());
    const { info } = await engine.loadModel(bytes);
    expect(info).toMatchObject({
      model: 'tiny',
      variant: 'micro',
      version: '1.0.0',
      task: 'text_classification',
      labels: ['yes', 'no'],
      outOfScopeLabel: 'no',
      sizeBytes: bytes.byteLength,
    });
    expect(info.workingBytes).toBeGreaterThan(0);
  });

  it('gives calibrated probabilities that sum to one and belong to the caller', async () => {
    const model = await engine.loadModel(hybFile(tinyText()));
    const first = model.classify({ kind: 'text', text: 'hello' });
    const kept = [...first.probabilities];
    const logits = model.logits({ kind: 'text', text: 'hello' });
    model.classify({ kind: 'text', text: 'something else' });
    expect([...first.probabilities]).toEqual(kept);
    expect(kept.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 6);
    // The tiny model's temperature is 2.
    const odds = Math.exp(((logits[0] ?? 0) - (logits[1] ?? 0)) / 2);
    expect(kept[0]).toBeCloseTo(odds / (1 + odds), 5);
    expect(first.confidence).toBe(Math.max(...kept));
    expect(first.label).toBe(['yes', 'no'][first.labelIndex]);
  });

  it('answers the same whatever was asked before', async () => {
    const bytes = hybFile(tinyText());
    const [used, fresh] = await Promise.all([engine.loadModel(bytes), engine.loadModel(bytes)]);
    const texts = fc.array(anyText, { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(texts, (before) => {
        for (const text of before) used.classify({ kind: 'text', text });
        const last = before.at(-1) ?? '';
        expect(used.classify({ kind: 'text', text: last })).toEqual(fresh.classify({ kind: 'text', text: last }));
      }),
      { numRuns: 100 },
    );
  });

  it.each([
    ['empty', ''],
    ['punctuation only', '?!... --'],
    ['lone surrogates', '\ud800 \udfff a\ud800'],
    ['emoji and mixed scripts', '👩‍👩‍👧 привет 你好 مرحبا'],
    ['a megabyte', 'word '.repeat(200_000)],
    ['NFKC that grows', '\ufdfa'.repeat(20)],
    ['NUL and controls', '\0\u0001\u007f'],
  ])('answers a text of %s', async (_name, text) => {
    const model = await engine.loadModel(hybFile(tinyText()));
    const { confidence, truncated } = model.classify({ kind: 'text', text });
    expect(confidence).toBeGreaterThanOrEqual(0.5);
    expect(truncated).toBe(Array.from(text).length > 20);
  });

  it('reads the first max_chars code points and says that it did', async () => {
    const model = await engine.loadModel(hybFile(tinyText()));
    const exact = '😀'.repeat(9) + ' hello word';
    expect(Array.from(exact)).toHaveLength(20);
    const whole = model.classify({ kind: 'text', text: exact });
    const cut = model.classify({ kind: 'text', text: `${exact}s and more` });
    expect(whole.truncated).toBe(false);
    expect(cut).toEqual({ ...whole, truncated: true });
  });

  it('refuses what it cannot take, and answers the next request', async () => {
    const image = { ...imageHeader(1, 2, 1, 2), graph: [{ op: 'flatten' }] };
    const model = await engine.loadModel(hybFile({ header: image, tensors: {} }));
    const good = { kind: 'image', pixels: Float32Array.of(0.25, 0.75) } as const;
    const expected = model.classify(good);
    const bad = [
      { kind: 'text', text: 'a text' } as const,
      { kind: 'image', pixels: Float32Array.of(0.5) } as const,
      { kind: 'image', pixels: new Float32Array(3) } as const,
      { kind: 'image', pixels: Float32Array.of(0.5, Number.NaN) } as const,
      { kind: 'image', pixels: Float32Array.of(0.5, Number.POSITIVE_INFINITY) } as const,
      { kind: 'image', pixels: Float32Array.of(0.5, -0.1) } as const,
      { kind: 'image', pixels: Float32Array.of(0.5, 1.1) } as const,
    ];
    for (const input of bad) {
      expect(() => model.classify(input)).toThrow(EngineInputError);
      expect(model.classify(good)).toEqual(expected);
    }
    const text = await engine.loadModel(hybFile(tinyText()));
    expect(() => text.classify(good)).toThrow(EngineInputError);
  });

  it('throws where float32 overflows instead of answering NaN, and answers the next request', async () => {
    const model = await engine.loadModel(overflowing());
    expect(() => model.classify({ kind: 'image', pixels: Float32Array.of(1, 1) })).toThrow(EngineOutputError);
    expect(model.classify({ kind: 'image', pixels: Float32Array.of(0, 0) }).confidence).toBeCloseTo(0.5, 6);
  });
});

describe('top', () => {
  it('ranks by probability, keeps order on ties, and gives no more than there are', () => {
    const labels = ['a', 'b', 'c', 'd'];
    const probabilities = Float32Array.of(0.25, 0.5, 0.25, 0);
    expect(top(probabilities, labels, 3).map(({ label }) => label)).toEqual(['b', 'a', 'c']);
    expect(top(probabilities, labels, 10)).toHaveLength(4);
    expect(top(probabilities, labels, 0)).toEqual([]);
  });
});
