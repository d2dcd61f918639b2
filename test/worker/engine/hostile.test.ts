// Files that must not load. Each is refused with model_corrupt and a detail that names what is wrong.

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadModel } from '../../../worker/engine/engine.ts';
import { EngineInputError, EngineOutputError, ModelFormatError } from '../../../worker/engine/errors.ts';
import { engines } from './engines.ts';
import type { ModelSource, TensorSource } from './hyb-file.ts';
import { container, hybFile, imageHeader, opened, TEXT_HEADER, tinyText } from './hyb-file.ts';

const WHOLE = hybFile(tinyText());
const IMAGE = hybFile({
  header: {
    ...imageHeader(4, 4, 2, 3),
    graph: [
      { op: 'conv2d', weights: 'c', scales: 's', bias: 's', stride: [1, 1], padding: 'same', activation: 'relu' },
      { op: 'max_pool2d', size: [2, 2], stride: [2, 2] },
      { op: 'global_avg_pool' },
      { op: 'layer_norm', gamma: 's', beta: 's', epsilon: 1e-5 },
      { op: 'dense', weights: 'd', scales: 's', bias: 's', activation: 'none' },
    ],
  },
  tensors: {
    c: { dtype: 'i8', shape: [3, 3, 3, 2], values: Array.from({ length: 54 }, (_, i) => i) },
    d: { dtype: 'i8', shape: [3, 3], values: [1, 2, 3, 4, 5, 6, 7, 8, 9] },
    s: { dtype: 'f32', shape: [3], values: [1, 2, 3] },
  },
});

const TEXT = { kind: 'text', text: 'any words at all' } as const;
const PICTURE = { kind: 'image', pixels: new Float32Array(32).fill(0.5) } as const;

/** What the engine says against the file. */
async function refusal(bytes: ArrayBuffer): Promise<string> {
  const outcome = await loadModel(bytes).catch((error: unknown) => error);
  return outcome instanceof ModelFormatError && outcome.code === 'model_corrupt' ? outcome.detail : 'not refused';
}

function patched(bytes: ArrayBuffer, change: (view: DataView) => void): ArrayBuffer {
  const copy = bytes.slice(0);
  change(new DataView(copy));
  return copy;
}

/** The file with one value of its header changed (undefined removes it), lengths and digest right again. */
function edited(bytes: ArrayBuffer, path: readonly (string | number)[], value: unknown): ArrayBuffer {
  const { header, payload } = opened(bytes);
  let place: object = header;
  for (const key of path.slice(0, -1)) {
    const next: unknown = Reflect.get(place, key);
    if (typeof next !== 'object' || next === null) throw new Error(`the header has no ${key}`);
    place = next;
  }
  const last = path.at(-1) ?? '';
  if (value === undefined) Reflect.deleteProperty(place, last);
  else Reflect.set(place, last, value);
  return container(JSON.stringify(header), payload);
}

describe('the container', () => {
  it.each<[string, ArrayBuffer, RegExp]>([
    ['an empty file', new ArrayBuffer(0), /shorter/],
    ['a file shorter than its fixed part', WHOLE.slice(0, 63), /shorter/],
    ['another magic', patched(WHOLE, (view) => view.setUint8(0, 0x49)), /magic/],
    ['version 2', patched(WHOLE, (view) => view.setUint32(4, 2, true)), /version 2/],
    ['a header of no bytes', patched(WHOLE, (view) => view.setUint32(8, 0, true)), /header of 0/],
    ['a header of 4 GiB', patched(WHOLE, (view) => view.setUint32(8, 0xffffffc0, true)), /header of/],
    ['a header that ends between lines', patched(WHOLE, (view) => view.setUint32(8, 65, true)), /header of 65/],
    ['a payload of 4 GiB', patched(WHOLE, (view) => view.setUint32(12, 0xffffffff, true)), /payload of/],
    ['a truncated payload', WHOLE.slice(0, -1), /lengths say/],
    ['a byte too many', new Uint8Array([...new Uint8Array(WHOLE), 0]).buffer, /lengths say/],
    ['a wrong digest', patched(WHOLE, (view) => view.setUint8(16, view.getUint8(16) ^ 1)), /digest/],
    ['a reserved byte in use', patched(WHOLE, (view) => view.setUint8(63, 1)), /reserved/],
    ['a header that is no JSON', container('{"model":', new Uint8Array(64)), /JSON/],
    ['a header that is no object', container('[]', new Uint8Array(64)), /not an object/],
    ['a header nested too deeply', container('['.repeat(500_000), new Uint8Array(64)), /JSON/],
  ])('refuses %s', async (_name, bytes, detail) => {
    expect(await refusal(bytes)).toMatch(detail);
  });

  it('refuses a header that is not UTF-8', async () => {
    expect(await refusal(container(Buffer.from('{"model":"\u00e9"}', 'latin1'), new Uint8Array(0)))).toMatch(/UTF-8/);
  });

  it('refuses every truncation', async () => {
    for (let size = 0; size < WHOLE.byteLength; size += 7) {
      expect(await refusal(WHOLE.slice(0, size))).not.toBe('not refused');
    }
  });

  it('refuses any flipped bit', async () => {
    const bits = fc.nat({ max: WHOLE.byteLength * 8 - 1 });
    await fc.assert(
      fc.asyncProperty(bits, async (bit) => {
        const flipped = patched(WHOLE, (view) => view.setUint8(bit >> 3, view.getUint8(bit >> 3) ^ (1 << (bit & 7))));
        expect(await refusal(flipped)).not.toBe('not refused');
      }),
      { numRuns: 300 },
    );
  });
});

const TAGS: TensorSource = { dtype: 'u8', shape: [8], values: [0, 9, 0, 200, 3, 0, 255, 1] };

function withTags(tokenizer: Record<string, unknown>, tags: TensorSource): ModelSource {
  const { header, tensors } = tinyText();
  return {
    header: { ...header, tokenizer: { ...TEXT_HEADER.tokenizer, ...tokenizer } },
    tensors: { ...tensors, tags },
  };
}

describe('the header', () => {
  it.each<[path: (string | number)[], value: unknown]>([
    [['model'], ''],
    [['model'], 7],
    [['version'], 'x'.repeat(101)],
    [['surprise'], true],
    [['task'], 'poetry'],
    [['task'], 'image_classification'],
    [['labels'], ['only one']],
    [['labels'], ['same', 'same']],
    [['labels'], ['yes', '']],
    [['labels'], ['yes', 'no', 'perhaps']],
    [['labels'], Array.from({ length: 10_001 }, (_, i) => `label-${i}`)],
    [['out_of_scope_label'], 'elsewhere'],
    [['calibration'], null],
    [['calibration', 'kind'], 'prayer'],
    [['calibration', 'temperature'], null],
    [['calibration', 'temperature'], 0],
    [['calibration', 'temperature'], -1],
    [['calibration', 'temperature'], 1e300],
    [['calibration', 'temperature'], 'NaN'],
    [['input', 'max_chars'], 0],
    [['input', 'max_chars'], 1e9],
    [['input', 'kind'], 'image'],
    [['tokenizer', 'kind'], 'wordpiece'],
    [['tokenizer', 'version'], 2],
    [['tokenizer', 'buckets'], 9],
    [['tokenizer', 'buckets'], 0],
    [['tokenizer', 'word_ngrams'], [0]],
    [
      ['tokenizer', 'word_ngrams'],
      [1, 2],
    ],
    [['tokenizer', 'char_ngrams'], [1e6]],
    [['tokenizer', 'skip_bigrams'], 'yes'],
    [['graph'], []],
    [['graph'], Array.from({ length: 300 }, () => ({ op: 'flatten' }))],
    [['graph', 0, 'op'], 'toString'],
    [['graph', 0, 'op'], 'dense'],
    [['graph', 1, 'op'], 'embedding_bag'],
    [['graph', 0, 'weights'], 'nowhere'],
    [['graph', 0, 'weights'], 'groups'],
    [['graph', 0, 'weights'], '__proto__'],
    [['graph', 0, 'scales'], 'groups'],
    [['graph', 0, 'scale_axis'], 'diagonal'],
    [['graph', 0, 'scale_axis'], 'column'],
    [['graph', 0, 'pool_power'], 0.7],
    [['graph', 0, 'activation'], 'softsign'],
    [['graph', 0, 'group_weights'], 'table-scales'],
    [['graph', 0, 'bias'], 'out-bias'],
    [['graph', 1, 'weights'], 'table'],
    [['graph', 1, 'bias'], undefined],
    [['graph', 1, 'extra'], 1],
    [['tensors', 'spare'], { dtype: 'i8', shape: [1], offset: 0, bytes: 1 }],
    [['tensors', 'table', 'dtype'], 'f64'],
    [
      ['tensors', 'table', 'shape'],
      [8, 5],
    ],
    [
      ['tensors', 'table', 'shape'],
      [8, 0],
    ],
    [
      ['tensors', 'table', 'shape'],
      [-8, -4],
    ],
    [
      ['tensors', 'table', 'shape'],
      [2 ** 24, 2 ** 24, 2 ** 24, 2 ** 24],
    ],
    [['tensors', 'table', 'shape'], []],
    [['tensors', 'table', 'offset'], 1],
    [['tensors', 'table', 'offset'], -64],
    [['tensors', 'table', 'offset'], 2 ** 40],
    [['tensors', 'out-bias', 'offset'], 1e6],
    [['tensors', 'table', 'bytes'], 31],
    [['tensors', 'table', 'bytes'], 2 ** 32],
  ])('refuses text model field %j as %j', async (path, value) => {
    expect(await refusal(edited(WHOLE, path, value))).not.toBe('not refused');
  });

  it.each<[what: string, tokenizer: Record<string, unknown>, tags: TensorSource]>([
    ['names no tags', { version: 2 }, TAGS],
    ['has tags in version 1', { version: 1, tags: 'tags' }, TAGS],
    ['names something else', { version: 2, tags: 'groups' }, TAGS],
    ['has a tag too few', { version: 2, tags: 'tags' }, { dtype: 'u8', shape: [7], values: [0, 1, 2, 3, 4, 5, 6] }],
    ['has two dimensions', { version: 2, tags: 'tags' }, { ...TAGS, shape: [2, 4] }],
    ['has signed tags', { version: 2, tags: 'tags' }, { ...TAGS, dtype: 'i8' }],
    [
      'gives away the bucket of unknown n-grams',
      { version: 2, tags: 'tags' },
      { ...TAGS, values: Array.from({ length: 8 }, () => 1) },
    ],
    ['has no bucket for what is known', { version: 2, tags: 'tags', buckets: 1 }, TAGS],
  ])('refuses a tokenizer that %s', async (_, tokenizer, tags) => {
    expect(await refusal(hybFile(withTags(tokenizer, tags)))).not.toBe('not refused');
  });

  it('takes a tokenizer with tags', async () => {
    expect(await refusal(hybFile(withTags({ version: 2, tags: 'tags' }, TAGS)))).toBe('not refused');
  });

  it.each<[path: (string | number)[], value: unknown]>([
    [['input', 'height'], 0],
    [['input', 'height'], 5],
    [['input', 'channels'], 1],
    [['image', 'width'], 3],
    [['image'], undefined],
    [['tokenizer'], {}],
    [
      ['graph', 0, 'stride'],
      [0, 1],
    ],
    [['graph', 0, 'stride'], [1]],
    [['graph', 0, 'padding'], 'mirror'],
    [['graph', 0, 'depthwise'], true],
    [['graph', 0, 'depthwise'], 1],
    [['graph', 0, 'scales'], 'c'],
    [
      ['graph', 1, 'size'],
      [5, 5],
    ],
    [
      ['graph', 1, 'size'],
      [65, 1],
    ],
    [['graph', 2, 'op'], 'flatten'],
    [['graph', 3, 'epsilon'], 0],
    [['graph', 3, 'epsilon'], 'small'],
    [['graph', 4, 'weights'], 'c'],
  ])('refuses image model field %j as %j', async (path, value) => {
    expect(await refusal(edited(IMAGE, path, value))).not.toBe('not refused');
  });

  it('refuses NaN and infinity among the floats', async () => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const source = tinyText();
      source.tensors['out-bias'] = { dtype: 'f32', shape: [2], values: [0, value] };
      expect(await refusal(hybFile(source))).toMatch(/NaN or infinity/);
    }
  });

  it('refuses an i4 tensor with rows of odd length', async () => {
    expect(
      await refusal(
        edited(edited(WHOLE, ['tensors', 'out'], null), ['tensors', 'out'], {
          dtype: 'i4',
          shape: [2, 3],
          offset: 0,
          bytes: 3,
        }),
      ),
    ).toMatch(/odd/);
  });

  it('refuses a small file that asks for a mountain of work', async () => {
    const conv = { op: 'conv2d', weights: 'c', scales: 's', bias: 's', padding: 'same', activation: 'none' };
    const graph = (times: number): unknown => [
      ...Array.from({ length: times }, () => ({ ...conv, stride: [1, 1], depthwise: true })),
      { op: 'global_avg_pool' },
    ];
    const tensors: ModelSource['tensors'] = {
      c: { dtype: 'i8', shape: [2, 9, 9, 1], values: Array.from({ length: 162 }, () => 1) },
      s: { dtype: 'f32', shape: [2], values: [1, 1] },
    };
    const file = (times: number, side: number): ArrayBuffer =>
      hybFile({ header: { ...imageHeader(side, side, 2, 2), graph: graph(times) }, tensors });
    expect(await refusal(file(20, 100))).toBe('not refused');
    expect(await refusal(file(20, 1000))).toMatch(/multiply-adds/);
    expect(await refusal(file(1, 3000))).toMatch(/too large/);
    expect(await refusal(edited(WHOLE, ['input', 'max_chars'], 100_000))).toBe('not refused');
  });

  it.each(engines)('loads and answers, or refuses, whatever a field becomes in $name', async ({ engine }) => {
    const paths = [WHOLE, IMAGE].flatMap((bytes) => pathsOf(opened(bytes).header).map((path) => ({ bytes, path })));
    const values = fc.oneof(fc.jsonValue(), fc.integer({ min: -2, max: 300 }), fc.constantFrom('c', 'table', 'relu'));
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...paths), values, async ({ bytes, path }, value) => {
        const outcome = await engine
          .loadModel(edited(bytes, path, value))
          .then((model) => model.classify(bytes === WHOLE ? TEXT : PICTURE))
          .catch((error: unknown) => error);
        const expected = [ModelFormatError, EngineInputError, EngineOutputError].some((one) => outcome instanceof one);
        expect(expected || (outcome instanceof Object && 'confidence' in outcome)).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });
});

function pathsOf(value: unknown, path: (string | number)[] = []): (string | number)[][] {
  if (typeof value !== 'object' || value === null) return [path];
  const entries = Array.isArray(value) ? [...value.entries()] : Object.entries(value);
  return [...(path.length > 0 ? [path] : []), ...entries.flatMap(([key, one]) => pathsOf(one, [...path, key]))];
}
