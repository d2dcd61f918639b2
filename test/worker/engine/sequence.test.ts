// The transformer's operators: values worked out by hand, the engines against one another, and files that must not load.

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createEngine } from '../../../worker/engine/engine.ts';
import { ModelFormatError } from '../../../worker/engine/errors.ts';
import { hasRelaxedSimd } from '../../../worker/engine/wasm-kernels.ts';
import { disagreement } from './agreement.ts';
import { encoder, PIECES, vocabulary } from './encoder-source.ts';
import { engines } from './engines.ts';
import type { ModelSource, TensorSource } from './hyb-file.ts';
import { hybFile, imageHeader, TEXT_HEADER } from './hyb-file.ts';

function f32(...values: number[]): TensorSource {
  return { dtype: 'f32', shape: [values.length], values };
}

const DIM = 4;
const WORDPIECE = { kind: 'wordpiece', version: 1, vocabulary: 'vocabulary', lowercase: true, max_tokens: 6 };
const EMBED = { op: 'token_embedding', weights: 'words', scales: 'scales', positions: 'places' };

/** Piece i is the row (i, 0, -i, 1) scaled by 0.5; place t adds t / 8 to the last value. */
function textModel(graph: Record<string, unknown>[], tensors: ModelSource['tensors'], labels: number): ModelSource {
  return {
    header: {
      ...TEXT_HEADER,
      labels: Array.from({ length: labels }, (_, i) => `label-${i}`),
      out_of_scope_label: null,
      tokenizer: WORDPIECE,
      graph: [EMBED, ...graph],
    },
    tensors: {
      vocabulary: vocabulary(),
      words: { dtype: 'i8', shape: [PIECES.length, DIM], values: PIECES.flatMap((_, i) => [i, 0, -i, 1]) },
      scales: f32(...PIECES.map(() => 0.5)),
      places: { dtype: 'f32', shape: [6, DIM], values: [0, 1, 2, 3, 4, 5].flatMap((t) => [0, 0, 0, t / 8]) },
      ...tensors,
    },
  };
}

async function logitsOf(
  engine: (typeof engines)[number]['engine'],
  source: ModelSource,
  text: string,
): Promise<number[]> {
  const model = await engine.loadModel(hybFile(source));
  return [...model.logits({ kind: 'text', text })];
}

function errorOf(actual: readonly number[], expected: readonly number[]): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  return Math.max(...expected.map((value, i) => Math.abs((actual[i] ?? Number.NaN) - value)));
}

describe.each(engines)('sequences in $name', ({ engine }) => {
  it('token_embedding adds the scaled row of a piece and the row of its place', async () => {
    const source = textModel([{ op: 'sequence_pool', pool: 'first' }], {}, DIM);
    expect(errorOf(await logitsOf(engine, source, 'a'), [1, 0, -1, 0.5])).toBeLessThan(1e-5);
  });

  it('sequence_pool averages over the tokens there are', async () => {
    const source = textModel([{ op: 'sequence_pool', pool: 'mean' }], {}, DIM);
    // [CLS] a b [SEP]: pieces 2, 4, 5, 3 and places 0 to 3.
    expect(errorOf(await logitsOf(engine, source, 'a b'), [14 / 8, 0, -14 / 8, 0.5 + 6 / 32])).toBeLessThan(1e-5);
  });

  it('attention mixes values by the softmax of scaled products, each head its own', async () => {
    // Queries and keys are zero, so that every token weighs the same; values are the row itself.
    const identity = [0, 1, 2, 3].flatMap((o) => [0, 1, 2, 3].map((i) => (i === o ? 1 : 0)));
    const graph = [
      { op: 'dense', weights: 'qkv', scales: 'qs', bias: 'qb', activation: 'none', arithmetic: 'int8' },
      { op: 'attention', heads: 1 },
      { op: 'sequence_pool', pool: 'first' },
    ];
    const values = [...Array.from({ length: 32 }, () => 0), ...identity];
    const tensors: ModelSource['tensors'] = {
      qkv: { dtype: 'i8', shape: [12, 4], values },
      qs: f32(...Array.from({ length: 12 }, () => 1)),
      qb: f32(...Array.from({ length: 12 }, () => 0)),
    };
    const source = textModel(graph, tensors, DIM);
    // Quantized rows are right to half a level of their range, which is at most 5 / 255.
    expect(errorOf(await logitsOf(engine, source, 'a b'), [14 / 8, 0, -14 / 8, 0.5 + 6 / 32])).toBeLessThan(0.0105);
  });

  it('residual_add gives the sum, nested ones too', async () => {
    const graph = [
      { op: 'residual_start' },
      { op: 'residual_start' },
      { op: 'residual_add' },
      { op: 'residual_add' },
      { op: 'sequence_pool', pool: 'first' },
    ];
    expect(errorOf(await logitsOf(engine, textModel(graph, {}, DIM), 'a'), [3, 0, -3, 1.5])).toBeLessThan(1e-5);
  });

  it('residual_swap lets a branch of its own start from where the first did', async () => {
    const image = (values: number[]): TensorSource => ({ dtype: 'i8', shape: [2, 1, 1, 1], values });
    const conv = (weights: string, bias: string): Record<string, unknown> => {
      const parts = { weights, scales: 'one', bias, stride: [1, 2], padding: 'valid', activation: 'none' };
      return { op: 'conv2d', ...parts };
    };
    const graph = [
      { op: 'residual_start' },
      conv('twice', 'none'),
      { op: 'residual_swap' },
      conv('thrice', 'plus'),
      { op: 'residual_add' },
      { op: 'flatten' },
    ];
    const tensors = { twice: image([2, -2]), thrice: image([3, 3]), one: f32(1, 1), none: f32(0, 0), plus: f32(1, 2) };
    const model = await engine.loadModel(hybFile({ header: { ...imageHeader(1, 4, 1, 4), graph }, tensors }));
    const pixels = Float32Array.of(0.5, 0.1, 1, 0.1);
    expect(errorOf([...model.logits({ kind: 'image', pixels })], [3.5, 2.5, 6, 3])).toBeLessThan(1e-6);
  });

  it.each([
    ['relu6', [0, 0, 1, 6]],
    ['sigmoid', [0.0179862, 0.2689414, 0.7310586, 0.9996646]],
    ['silu', [-0.0719448, -0.2689414, 0.7310586, 7.9973172]],
    ['hard_swish', [0, -1 / 3, 2 / 3, 8]],
  ])('activation %s', async (activation, expected) => {
    const graph = [{ op: 'flatten' }, { op: 'dense', weights: 'w', scales: 's', bias: 'b', activation }];
    const tensors: ModelSource['tensors'] = {
      w: { dtype: 'i8', shape: [4, 1], values: [-4, -1, 1, 8] },
      s: f32(1, 1, 1, 1),
      b: f32(0, 0, 0, 0),
    };
    const model = await engine.loadModel(hybFile({ header: { ...imageHeader(1, 1, 1, 4), graph }, tensors }));
    expect(errorOf([...model.logits({ kind: 'image', pixels: Float32Array.of(1) })], expected)).toBeLessThan(1e-6);
  });

  it('residuals work on images and vectors', async () => {
    const graph = [
      { op: 'residual_start' },
      { op: 'residual_add' },
      { op: 'flatten' },
      { op: 'residual_start' },
      { op: 'residual_add' },
    ];
    const model = await engine.loadModel(hybFile({ header: { ...imageHeader(1, 2, 2, 4), graph }, tensors: {} }));
    expect(
      errorOf([...model.logits({ kind: 'image', pixels: Float32Array.of(0.1, 0.2, 0.3, 0.4) })], [0.4, 0.8, 1.2, 1.6]),
    ).toBeLessThan(1e-5);
  });

  it('activation stands alone after a residual', async () => {
    const graph = [
      { op: 'flatten' },
      { op: 'dense', weights: 'w', scales: 's', bias: 'b', activation: 'none' },
      { op: 'residual_start' },
      { op: 'residual_add' },
      { op: 'activation', activation: 'relu' },
    ];
    const tensors: ModelSource['tensors'] = {
      w: { dtype: 'i8', shape: [2, 2], values: [1, 0, 0, -1] },
      s: f32(1, 1),
      b: f32(0, 0),
    };
    const model = await engine.loadModel(hybFile({ header: { ...imageHeader(1, 1, 2, 2), graph }, tensors }));
    expect(errorOf([...model.logits({ kind: 'image', pixels: Float32Array.of(0.5, 0.5) })], [1, 0])).toBeLessThan(1e-6);
    const tokens = textModel(
      [
        { op: 'activation', activation: 'relu' },
        { op: 'sequence_pool', pool: 'first' },
      ],
      {},
      DIM,
    );
    expect(errorOf(await logitsOf(engine, tokens, 'a'), [1, 0, 0, 0.5])).toBeLessThan(1e-6);
  });

  it('dense in int8 is exact where the inputs are whole levels', async () => {
    const graph = [
      { op: 'flatten' },
      { op: 'dense', weights: 'w', scales: 's', bias: 'b', activation: 'relu', arithmetic: 'int8' },
    ];
    const tensors: ModelSource['tensors'] = {
      w: { dtype: 'i8', shape: [5, 3], values: [1, 2, 4, -127, 10, 100, 0, 0, 1, -1, 0, 0, 127, 127, -128] },
      s: f32(0.5, 0.1, 1, 1, 0.01),
      b: f32(1, -1, 0, 0, 0),
    };
    const model = await engine.loadModel(hybFile({ header: { ...imageHeader(1, 1, 3, 5), graph }, tensors }));
    const pixels = Float32Array.of(1, 200 / 255, 27 / 255);
    const exact = [0.5 * (1 + (400 + 108) / 255) + 1, 0, 27 / 255, 0, 0.01 * (127 + (127 * 200 - 128 * 27) / 255)];
    expect(errorOf([...model.logits({ kind: 'image', pixels })], exact)).toBeLessThan(1e-5);
  });

  it('dense in int8_shared quantizes all rows with one scale, in int8 each with its own', async () => {
    const identity = [0, 1, 2, 3].flatMap((o) => [0, 1, 2, 3].map((i) => (i === o ? 1 : 0)));
    const tensors: ModelSource['tensors'] = {
      w: { dtype: 'i8', shape: [4, 4], values: identity },
      s: f32(1, 1, 1, 1),
      b: f32(0, 0, 0, 0),
    };
    const firstRow = async (arithmetic: string): Promise<number[]> => {
      const dense = { op: 'dense', weights: 'w', scales: 's', bias: 'b', activation: 'none', arithmetic };
      const graph = [dense, { op: 'sequence_pool', pool: 'first' }];
      return logitsOf(engine, textModel(graph, tensors, DIM), 'word');
    };
    // [CLS] word [SEP]: pieces 2, 7, 3; values run from -3.5 to 3.5 over all rows, from -1 to 1 in the first.
    const row = [1, 0, -1, 0.5];
    const shared = row.map((value) => (Math.round((value * 255) / 7) * 7) / 255);
    expect(errorOf(await firstRow('int8_shared'), shared)).toBeLessThan(1e-5);
    expect(errorOf(await firstRow('int8'), row)).toBeLessThan(1.001 / 255);
    expect(errorOf(shared, row)).toBeGreaterThan(2 / 255);
  });

  it('cuts a text at max_tokens and says so', async () => {
    const model = await engine.loadModel(hybFile(textModel([{ op: 'sequence_pool', pool: 'mean' }], {}, DIM)));
    expect(model.classify({ kind: 'text', text: 'a b a b' }).truncated).toBe(false);
    expect(model.classify({ kind: 'text', text: 'a b a b a' }).truncated).toBe(true);
    expect(model.classify({ kind: 'text', text: 'a'.repeat(30) }).truncated).toBe(true);
  });

  it('answers the same whatever was asked before, shorter or longer', async () => {
    const shape = { headSize: 4, heads: 2, hidden: 10, layers: 2, maxTokens: 9, labels: 3, pool: 'mean', seed: 5 };
    const bytes = hybFile(encoder(shape));
    const [used, fresh] = await Promise.all([engine.loadModel(bytes), engine.loadModel(bytes)]);
    for (const text of ['a b a b a b a', '', 'a', 'abb word!', 'a', '\ud800 😀 你好', 'a b a']) {
      const asked = { kind: 'text', text } as const;
      expect(used.classify(asked)).toEqual((await engine.loadModel(bytes)).classify(asked));
    }
    expect(fresh.info.workingBytes).toBe(used.info.workingBytes);
  });
});

describe('the engines', () => {
  it('agree on encoders of any shape', async () => {
    const shapes = fc.record({
      headSize: fc.constantFrom(4, 8, 12),
      heads: fc.integer({ min: 1, max: 3 }),
      hidden: fc.integer({ min: 1, max: 21 }),
      layers: fc.integer({ min: 0, max: 2 }),
      maxTokens: fc.integer({ min: 3, max: 20 }),
      labels: fc.integer({ min: 2, max: 9 }),
      pool: fc.constantFrom('mean', 'first'),
      seed: fc.integer({ min: 0, max: 1e9 }),
    });
    const texts = fc.array(fc.constantFrom('a', 'b', 'ab', 'word', '!', 'x'), { maxLength: 20 });
    const errors: number[] = [];
    await fc.assert(
      fc.asyncProperty(shapes, texts, async (shape, words) => {
        errors.push(await disagreement(encoder(shape), { text: words.join(' ') }));
      }),
      { numRuns: 150 },
    );
    // A value on the edge between two levels may round to either where the sums before it differ in the last bit.
    expect(errors.filter((error) => error > 1e-3).length).toBeLessThanOrEqual(6);
    expect(Math.max(...errors)).toBeLessThan(0.05);
  });

  it('use relaxed SIMD where this runtime has it, else what else was handed in', async () => {
    expect(hasRelaxedSimd()).toBe(true);
    const model = await createEngine({}).loadModel(
      hybFile(textModel([{ op: 'sequence_pool', pool: 'mean' }], {}, DIM)),
    );
    expect(model.info.workingBytes).toBeGreaterThan(0);
  });
});

describe('files that must not load', () => {
  const shape = { headSize: 4, heads: 2, hidden: 6, layers: 1, maxTokens: 6, labels: 2, pool: 'mean', seed: 1 };

  async function refusal(change: (source: ModelSource) => void): Promise<string> {
    const source = structuredClone(encoder(shape));
    change(source);
    const outcome = await createEngine()
      .loadModel(hybFile(source))
      .catch((error: unknown) => error);
    return outcome instanceof ModelFormatError ? outcome.detail : 'not refused';
  }

  function operator(source: ModelSource, index: number): Record<string, unknown> {
    return (source.header.graph as Record<string, unknown>[])[index] ?? {};
  }

  function tokenizer(source: ModelSource, fields: Record<string, unknown>): void {
    source.header.tokenizer = { ...(source.header.tokenizer as object), ...fields };
  }

  it('takes the whole one', async () => {
    expect(await refusal(() => {})).toBe('not refused');
  });

  it.each<[string, (source: ModelSource) => void, RegExp]>([
    ['a vocabulary without [CLS]', (s) => (s.tensors.vocabulary = vocabulary(['[UNK]', '[SEP]'])), /\[CLS\]/],
    ['a vocabulary that repeats', (s) => (s.tensors.vocabulary = vocabulary([...PIECES, 'a'])), /repeats/],
    ['a vocabulary that ends in a line feed', (s) => (s.tensors.vocabulary = vocabulary([...PIECES, ''])), /line feed/],
    ['a longer vocabulary than table', (s) => (s.tensors.vocabulary = vocabulary([...PIECES, 'c'])), /9 rows for 10/],
    [
      'a vocabulary that is not UTF-8',
      (s) => (s.tensors.vocabulary = { dtype: 'u8', shape: [2], values: [0xff, 0xfe] }),
      /UTF-8/,
    ],
    ['a vocabulary of floats', (s) => tokenizer(s, { vocabulary: 'places' }), /u8/],
    ['no vocabulary', (s) => tokenizer(s, { vocabulary: 'nowhere' }), /names no tensor/],
    ['too many tokens', (s) => tokenizer(s, { max_tokens: 129 }), /max_tokens/],
    ['room for no piece', (s) => tokenizer(s, { max_tokens: 2 }), /max_tokens/],
    ['more tokens than places', (s) => tokenizer(s, { max_tokens: 7 }), /positions/],
    ['an unknown field of the tokenizer', (s) => tokenizer(s, { buckets: 8 }), /not a known field/],
    ['heads that do not split the row', (s) => (operator(s, 4).heads = 3), /heads/],
    ['heads of two values', (s) => (operator(s, 4).heads = 4), /heads/],
    ['float arithmetic on a sequence', (s) => (operator(s, 3).arithmetic = 'f32'), /f32 on a sequence/],
    ['attention on what is no triple', (s) => (operator(s, 3).op = 'residual_start'), /not a known field/],
    ['a swap that is not started', (s) => (operator(s, 2).op = 'residual_swap'), /not started/],
    ['a residual that is not started', (s) => (operator(s, 2).op = 'residual_add'), /not started/],
    ['a residual that is not added', (s) => (operator(s, 6).op = 'residual_start'), /residual/],
    ['an unknown pool', (s) => (operator(s, 13).pool = 'max'), /pool/],
    ['no pool', (s) => (s.header.graph as unknown[]).splice(13, 2), /logits/],
    ['int8 weights where floats belong', (s) => (operator(s, 0).positions = 'words'), /positions/],
    ['a bag of features', (s) => (operator(s, 0).op = 'embedding_bag'), /features/],
    ['u8 weights', (s) => (operator(s, 0).weights = 'vocabulary'), /i8 or i4/],
  ])('refuses %s', async (_name, change, detail) => {
    expect(await refusal(change)).toMatch(detail);
  });

  it('refuses a residual of another shape', async () => {
    const detail = await refusal((source) => {
      const graph = source.header.graph as unknown[];
      graph.splice(5, 1);
      delete source.tensors.out0;
      delete source.tensors['out0.scales'];
      delete source.tensors['out0.bias'];
      graph.splice(4, 1);
    });
    expect(detail).toMatch(/another shape/);
  });
});
