// Sentence embeddings: values worked out by hand, what the model says of itself, and files that must not load.

import { describe, expect, it } from 'vitest';
import { EngineInputError, ModelFormatError } from '../../../worker/engine/errors.ts';
import { PIECES, vocabulary } from './encoder-source.ts';
import { engines } from './engines.ts';
import type { ModelSource } from './hyb-file.ts';
import { hybFile, TEXT_HEADER, tinyText } from './hyb-file.ts';

const DIM = 4;

/** Static vectors: piece i of the words is the row (i, 0, -2 i, 0) scaled by 0.5, the four special pieces are nothing. */
function embedding(header: Record<string, unknown> = {}): ModelSource {
  const isSpecial = (i: number): boolean => i < 4;
  return {
    header: {
      ...TEXT_HEADER,
      task: 'sentence_embedding',
      labels: [],
      out_of_scope_label: null,
      calibration: null,
      tokenizer: { kind: 'wordpiece', version: 1, vocabulary: 'vocabulary', lowercase: true, max_tokens: 6 },
      graph: [
        { op: 'token_embedding', weights: 'words', scales: 'scales' },
        { op: 'sequence_pool', pool: 'mean' },
        { op: 'l2_normalize' },
      ],
      ...header,
    },
    tensors: {
      vocabulary: vocabulary(),
      words: {
        dtype: 'i8',
        shape: [PIECES.length, DIM],
        values: PIECES.flatMap((_, i) => (isSpecial(i) ? [0, 0, 0, 0] : [i, 0, -2 * i, 0])),
      },
      scales: { dtype: 'f32', shape: [PIECES.length], values: PIECES.map(() => 0.5) },
    },
  };
}

describe.each(engines)('embeddings in $name', ({ engine }) => {
  it('are the direction of the mean of the pieces, whatever their number', async () => {
    const model = await engine.loadModel(hybFile(embedding()));
    const expected = [1, 0, -2, 0].map((value) => value / Math.sqrt(5));
    for (const text of ['a', 'a b', 'b b a']) {
      const { vector, truncated } = model.embed({ kind: 'text', text });
      expect([...vector].map((value, i) => Math.abs(value - (expected[i] ?? 0))).every((off) => off < 1e-6)).toBe(true);
      expect(truncated).toBe(false);
    }
    expect(model.info).toMatchObject({ task: 'sentence_embedding', labels: [], outputs: DIM });
  });

  it('are all zeros for a text without a known piece, and say what was cut', async () => {
    const model = await engine.loadModel(hybFile(embedding()));
    expect([...model.embed({ kind: 'text', text: '' }).vector]).toEqual([0, 0, 0, 0]);
    expect(model.embed({ kind: 'text', text: 'a b a b a b a b' }).truncated).toBe(true);
  });

  it('are copies: the next answer leaves the last one alone', async () => {
    const model = await engine.loadModel(hybFile(embedding()));
    const { vector } = model.embed({ kind: 'text', text: 'a' });
    const before = [...vector];
    model.embed({ kind: 'text', text: '' });
    expect([...vector]).toEqual(before);
  });

  it('have no labels, and classifiers have no vectors', async () => {
    const vectors = await engine.loadModel(hybFile(embedding()));
    expect(() => vectors.classify({ kind: 'text', text: 'a' })).toThrow(EngineInputError);
    const labels = await engine.loadModel(hybFile(tinyText()));
    expect(() => labels.embed({ kind: 'text', text: 'a' })).toThrow(EngineInputError);
  });

  it.each([
    ['labels', { labels: ['yes', 'no'] }],
    ['a label for what is out of scope', { out_of_scope_label: 'no' }],
    ['a temperature', { calibration: { kind: 'temperature', temperature: 2 } }],
    ['an image', { input: { kind: 'image', height: 2, width: 2, channels: 1 } }],
    ['no vector at the end', { graph: [{ op: 'token_embedding', weights: 'words', scales: 'scales' }] }],
    [
      'a sequence to normalize',
      { graph: [{ op: 'token_embedding', weights: 'words', scales: 'scales' }, { op: 'l2_normalize' }] },
    ],
  ])('refuses a file with %s', async (_name, header) => {
    await expect(engine.loadModel(hybFile(embedding(header)))).rejects.toThrow(ModelFormatError);
  });
});
