// ONNX Runtime in its worker behind the binding ORT, in workerd: the target contract, and exports as users make them.

import { env } from 'cloudflare:test';
import { beforeAll, describe, expect, it } from 'vitest';
import type { OnnxAnswer, OnnxInput, OnnxWorker } from '../../shared/schema/onnx-call.ts';
import type { OnnxSpec, WeightsFile } from '../../shared/schema/weights.ts';
import type { Target } from '../../worker/ports.ts';
import { createEdgeOnnxTarget } from '../../worker/targets/edge-onnx.ts';
import { describeTargetContract } from '../contract/target-contract.ts';
import { dotsFile, fileInR2, MOOD_VOCABULARY, moodFile, servedFrom, wideningFile } from '../fakes/onnx-models.ts';
import type { NodeSource } from '../cli/onnx/onnx-file.ts';
import { onnxFile } from '../cli/onnx/onnx-file.ts';
import { sampleTarget, textCall } from '../fakes/sample-call.ts';
import expectedText from '../fixtures/engine/expected.ndjson?raw';
import bertVocabulary from '../fixtures/onnx/bert-vocab.txt?raw';
import binary from '../fixtures/onnx/sklearn-mlp-binary.onnx?inline';
import digits from '../fixtures/onnx/sklearn-mlp-digits.onnx?inline';
import digitsText from '../fixtures/onnx/sklearn-mlp-digits.ndjson?raw';
import wine from '../fixtures/onnx/sklearn-pipeline-wine.onnx?inline';
import bert from '../fixtures/onnx/torch-bert-eager.onnx?inline';
import cnn from '../fixtures/onnx/torch-cnn.onnx?inline';
import pooled from '../fixtures/onnx/torch-pooled.onnx?inline';

type Row = { model: string; text?: string; pixels?: number[]; scores: number[] };

const bindings = env as unknown as { ORT: OnnxWorker; WEIGHTS: R2Bucket };
const clock = { now: () => Date.now() };
const spec = sampleTarget('edge', { endpoint: { kind: 'edge', runtime: 'onnx' } });
const never = new AbortController().signal;
const EXPECTED: Row[] = expectedText
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line));

/** @param content bytes, or a fixture as a data URL */
async function stored(path: string, content: Uint8Array | string): Promise<WeightsFile> {
  const base64 = typeof content === 'string' ? content.slice(content.indexOf(',') + 1) : '';
  const bytes = typeof content === 'string' ? Uint8Array.from(atob(base64), (one) => one.charCodeAt(0)) : content;
  await bindings.WEIGHTS.put(path, bytes);
  return fileInR2(path, bytes);
}

async function ask(file: WeightsFile, input: OnnxInput, onnx: Partial<OnnxSpec> = {}): Promise<OnnxAnswer> {
  const described: OnnxSpec = { temperature: 1, scores: 'logits', ...onnx };
  return bindings.ORT.answer({ requestId: 'r', file, onnx: described, input, timeoutMs: 10_000 });
}

function scoresOf(answer: OnnxAnswer): number[][] {
  if (answer.kind !== 'rows') throw new Error(JSON.stringify(answer));
  return answer.rows.map(({ scores }) => Array.from(scores));
}

/** Infinity where they are not as many. */
function largestError(actual: readonly number[] | undefined, expected: readonly number[]): number {
  if (actual?.length !== expected.length) return Infinity;
  return Math.max(...expected.map((value, index) => Math.abs(value - (actual[index] ?? Infinity))));
}

async function wordpiece(path: string, vocabulary: string): Promise<Pick<OnnxSpec, 'tokenizer'>> {
  const file = await stored(path, new TextEncoder().encode(vocabulary));
  return { tokenizer: { kind: 'wordpiece', vocabulary: file, lowercase: true, max_tokens: 24 } };
}

describeTargetContract('edge, ONNX Runtime', async () => {
  const probabilities = { temperature: 1, scores: 'probabilities' } as const;
  const mood = await stored('mood/model.onnx', moodFile());
  const dots = await stored('dots/model.onnx', dotsFile());
  const onnx = { ...probabilities, ...(await wordpiece('mood/vocab.txt', MOOD_VOCABULARY)) };
  const hanging: OnnxWorker = { answer: () => new Promise(() => undefined) };
  return {
    async create(behaviour): Promise<Target> {
      const worker = behaviour === 'hangs' ? hanging : bindings.ORT;
      const target = createEdgeOnnxTarget({ spec, clock, worker });
      // Broken: the registry names another digest than that of what lies there.
      const broken = { ...mood, sha256: 'f'.repeat(64) };
      return {
        ...target,
        infer: (call, signal) => {
          const isText = call.input.kind === 'text';
          const file = behaviour === 'breaks' ? broken : isText ? mood : dots;
          return target.infer({ ...call, model: servedFrom(call.model, file, isText ? onnx : probabilities) }, signal);
        },
      };
    },
  };
});

describe('ONNX Runtime’s worker', () => {
  it('answers a PyTorch text classifier as onnxruntime-node does', async () => {
    const rows = EXPECTED.filter(({ model }) => model === 'torch-bert-eager');
    const file = await stored('bert/model.onnx', bert);
    const texts = rows.map(({ text = '' }) => text);
    const scores = scoresOf(
      await ask(file, { kind: 'text', texts }, await wordpiece('bert/vocab.txt', bertVocabulary)),
    );
    for (const [index, row] of rows.entries()) expect(largestError(scores[index], row.scores)).toBeLessThan(1e-3);
  });

  it('answers a PyTorch image classifier as onnxruntime-node does', async () => {
    const rows = EXPECTED.filter(({ model }) => model === 'torch-pooled');
    const file = await stored('pooled/model.onnx', pooled);
    const images = rows.map(({ pixels = [] }) => Float32Array.from(pixels));
    const scores = scoresOf(await ask(file, { kind: 'image', height: 12, width: 12, channels: 1, images }));
    for (const [index, row] of rows.entries()) expect(largestError(scores[index], row.scores)).toBeLessThan(1e-3);
  });

  it('answers a scikit-learn classifier of numbers, by the probabilities beside its label', async () => {
    const rows: { values: number[]; label: string }[] = digitsText
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const file = await stored('digits/model.onnx', digits);
    const numbers = rows.map(({ values }) => Float32Array.from(values, (value) => value * 16));
    const scores = scoresOf(await ask(file, { kind: 'numbers', size: 64, rows: numbers }));
    const right = rows.filter(({ label }, index) => {
      const row = scores[index] ?? [];
      return String(row.indexOf(Math.max(...row))) === label;
    });
    expect(right.length / rows.length).toBeGreaterThan(0.9);
    for (const row of scores) expect(row.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 4);
  });

  it.each([
    ['doubles', 11],
    ['integers of 64 bits', 7],
    ['integers of 32 bits', 6],
  ])('gives a model of numbers the %s it takes, and reads scores of double precision', async (_, elementType) => {
    const nodes: NodeSource[] = [
      { op: 'Cast', inputs: ['w'], outputs: ['wide'], attributes: { to: 11 } },
      { op: 'Cast', inputs: ['x'], outputs: ['doubles'], attributes: { to: 11 } },
      { op: 'MatMul', inputs: ['doubles', 'wide'], outputs: ['y'] },
    ];
    const constants = { w: { dims: [2, 2], values: [0.5, -1, 0.25, 2] } };
    const bytes = onnxFile({ inputs: [{ name: 'x', dims: [0, 2], elementType }], nodes, constants });
    const file = await stored(`typed/${elementType}.onnx`, bytes);
    const scores = scoresOf(await ask(file, { kind: 'numbers', size: 2, rows: [Float32Array.of(2, 4)] }));
    expect(scores).toEqual([[2, 6]]);
  });

  it('passes tensors through, colours channel first', async () => {
    const [row] = EXPECTED.filter(({ model }) => model === 'torch-cnn');
    const file = await stored('cnn/model.onnx', cnn);
    const pixels = row?.pixels ?? [];
    const values = Float32Array.from(
      { length: 768 },
      (_unused, at) => pixels[(at % 256) * 3 + Math.floor(at / 256)] ?? 0,
    );
    const bytes = new Uint8Array(values.buffer);
    const tensors = [{ name: 'image', datatype: 'FP32' as const, shape: [1, 3, 16, 16], bytes }];
    const answer = await ask(file, { kind: 'tensors', tensors });
    expect(answer).toMatchObject({ kind: 'tensors', outputs: [{ name: 'logits', datatype: 'FP32', shape: [1, 6] }] });
    const out = answer.kind === 'tensors' ? answer.outputs[0]?.bytes : undefined;
    const scores = Array.from(new Float32Array(out?.slice().buffer ?? new ArrayBuffer(0)));
    expect(largestError(scores, row?.scores ?? [])).toBeLessThan(1e-3);
  });

  it('says what does not fit: a list of maps for scores, a wrong shape, a missing tensor, a type it does not take', async () => {
    const answer = await ask(await stored('wine/model.onnx', wine), {
      kind: 'numbers',
      size: 13,
      rows: [new Float32Array(13)],
    });
    expect(answer).toEqual({
      kind: 'failed',
      reason: 'model_broken',
      detail: 'the model has no output of float32 or float64',
    });
    const file = await stored('binary/model.onnx', binary);
    expect(await ask(file, { kind: 'numbers', size: 3, rows: [new Float32Array(3)] })).toMatchObject({
      kind: 'failed',
      detail: 'the model failed while it ran',
    });
    const tensor = { name: 'X', datatype: 'FP32', shape: [1, 30], bytes: new Uint8Array(120) } as const;
    const asked = (change: object) => ask(file, { kind: 'tensors', tensors: [{ ...tensor, ...change }] });
    expect(await asked({ name: 'x' })).toMatchObject({ reason: 'rejected', detail: 'the model needs the input X' });
    expect(await asked({ shape: [1, 29] })).toMatchObject({ reason: 'rejected' });
    expect(await asked({ datatype: 'BYTES' })).toMatchObject({ reason: 'rejected' });
    expect(await asked({})).toMatchObject({ kind: 'tensors' });
  });

  it('is not spoiled by a file that is no model, and does not try it again at once', async () => {
    const junk = await stored('junk/model.onnx', new TextEncoder().encode('this is no model'));
    const numbers = { kind: 'numbers', size: 30, rows: [new Float32Array(30)] } as const;
    expect(await ask(junk, numbers)).toMatchObject({ reason: 'model_broken', retryAfterMs: 1_000 });
    const again = await ask(junk, numbers);
    expect(again).toMatchObject({ reason: 'model_broken' });
    // A second try would have failed as well, and doubled the pause.
    expect(again.kind === 'failed' && again.retryAfterMs).toBeLessThanOrEqual(1_000);
    expect(await ask(await stored('binary/model.onnx', binary), numbers)).toMatchObject({ kind: 'rows' });
  });

  it('refuses tensors whose answer is more than a call may bring back, and answers the next', async () => {
    const file = await stored('widening/model.onnx', wideningFile());
    const widened = (numbers: Float32Array) =>
      ask(file, {
        kind: 'tensors',
        tensors: [
          { name: 'numbers', datatype: 'FP32', shape: [numbers.length, 1], bytes: new Uint8Array(numbers.buffer) },
        ],
      });
    expect(await widened(new Float32Array(3_000))).toMatchObject({ kind: 'failed', reason: 'rejected' });
    const answer = await widened(Float32Array.of(2, 3));
    expect(answer).toMatchObject({ kind: 'tensors', outputs: [{ name: 'wide', shape: [2, 4_096] }] });
  });

  it('refuses a file above its memory without reading it', async () => {
    const file: WeightsFile = { weights: { kind: 'r2', path: 'none' }, size_bytes: 30_000_000, sha256: 'a'.repeat(64) };
    expect(await ask(file, { kind: 'text', texts: ['a'] })).toMatchObject({
      reason: 'model_broken',
      detail: 'the model cannot be loaded: model_too_large',
    });
  });

  it('serves 100 calls at once on a model that is not loaded yet', async () => {
    const file = await stored('fresh/model.onnx', dotsFile().slice());
    const images = [Float32Array.of(1, 0, 0, 0, 0, 0)];
    const asked = Array.from({ length: 100 }, () =>
      ask(file, { kind: 'image', height: 2, width: 3, channels: 1, images }),
    );
    for (const answer of await Promise.all(asked)) expect(scoresOf(answer)).toEqual([[0.25, 0.75]]);
  });
});

describe('the target of ONNX Runtime', () => {
  let file: WeightsFile;
  beforeAll(async () => {
    file = await stored('mood/model.onnx', moodFile());
  });

  it('says plainly that no worker is bound', async () => {
    const target = createEdgeOnnxTarget({ spec, clock, worker: undefined });
    expect(target.unreachable).toBe('no ONNX Runtime worker is bound as ORT');
    expect(await target.infer(textCall(['yes']), never)).toMatchObject({ reason: 'connect_failed' });
  });

  it('refuses a variant whose file the configuration does not name', async () => {
    const target = createEdgeOnnxTarget({ spec, clock, worker: bindings.ORT });
    expect(await target.infer(textCall(['yes']), never)).toMatchObject({ reason: 'rejected' });
  });

  it.each([
    ['too few', Float32Array.of(1, 2)],
    ['not numbers', Float32Array.of(1, Number.NaN, 2)],
    ['none', new Float32Array()],
  ])('does not take scores that are %s', async (_what, scores) => {
    const worker: OnnxWorker = { answer: async () => ({ kind: 'rows', rows: [{ scores, truncated: false }] }) };
    const target = createEdgeOnnxTarget({ spec, clock, worker });
    const call = textCall(['yes']);
    const model = servedFrom(call.model, file, { temperature: 1, scores: 'logits' });
    expect(await target.infer({ ...call, model }, never)).toMatchObject({
      reason: 'model_broken',
      detail: 'the scores are not those of the model',
    });
  });

  it('gives embeddings unit length', async () => {
    const scores = Float32Array.of(3, 0, 4);
    const worker: OnnxWorker = { answer: async () => ({ kind: 'rows', rows: [{ scores, truncated: true }] }) };
    const call = textCall(['yes']);
    const model = {
      ...servedFrom(call.model, file, { temperature: 1, scores: 'logits' }),
      task: 'sentence_embedding' as const,
    };
    const result = await createEdgeOnnxTarget({ spec, clock, worker }).infer({ ...call, model }, never);
    expect(result).toMatchObject({ predictions: [{ kind: 'embedding', truncated: true }] });
    const [prediction] = result.kind === 'answered' ? result.predictions : [];
    const embedding = prediction?.kind === 'embedding' ? prediction.embedding : undefined;
    expect(largestError(embedding, [0.6, 0, 0.8])).toBeLessThan(1e-6);
  });
});
