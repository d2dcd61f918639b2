// The command line as a user types it.

import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { createModelsCommand } from '../../../cli/models/models-command.ts';
import { fixture, PIECES } from './compiled.ts';
import { onnxFile } from './onnx-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'hybrid-models-'));
afterAll(() => rmSync(folder, { recursive: true }));

async function models(...args: string[]): Promise<string> {
  const lines: string[] = [];
  await createModelsCommand((text) => lines.push(text))
    .exitOverride()
    .parseAsync(args, { from: 'user' });
  return lines.join('\n');
}

const ADD = ['add', '--into', join(folder, 'added'), '--labels', 'a,b,c', '--input', 'numbers:4', '--accuracy', '0.9'];

describe('hybrid models', () => {
  it('compiles, calibrates, inspects, verifies and times a scikit-learn export', async () => {
    const onnx = fixture('sklearn-mlp-digits.onnx');
    const out = join(folder, 'digits.hyb');
    const examples = fixture('sklearn-mlp-digits.ndjson');
    const input = ['--image', '8x8x1', '--range', '0,16'];
    const report = await models(
      'compile',
      onnx,
      '--out',
      out,
      ...input,
      '--calibration',
      examples,
      '--name',
      'tiny-digits',
    );
    expect(report).toMatch(/model +tiny-digits 1\.0\.0, variant edge/);
    expect(report).toMatch(/accuracy +(9\d|100)\.\d\d % of 100 examples/);
    expect(report).not.toMatch(/temperature +1$/m);
    expect(await models('inspect', out)).toMatch(/dense +weights=i8\[32,64\]/);
    expect(await models('verify', out, '--against', onnx, ...input, '--inputs', examples)).toMatch(
      /same answer +100\.00 %/,
    );
    const answers = (await models('answer', out, '--inputs', examples)).split('\n');
    expect(answers).toHaveLength(100);
    const { expected, label, confidence, logits } = JSON.parse(answers[0] ?? '');
    expect([expected, confidence > 0.5, logits.length]).toEqual([label, true, 10]);
    expect(await models('bench', out, '--against', onnx, ...input, '-n', '20')).toMatch(
      /engine +p50 .*\nonnxruntime-node +p50/,
    );
  });

  it('fails verification below the agreement asked for', async () => {
    const out = join(folder, 'cnn.hyb');
    await models('compile', fixture('torch-cnn.onnx'), '--out', out, '--labels', 'a,b,c,d,e,f', '--out-of-scope', 'f');
    const other = models('verify', out, '--against', fixture('torch-cnn-dynamo.onnx'), '--min-agreement', '0.999');
    await expect(other).rejects.toThrow(/less agreement than 0\.999/);
  });

  it('compiles a text model with either kind of vocabulary file to the same bytes', async () => {
    const tokenizer = join(folder, 'tokenizer.json');
    const vocab = Object.fromEntries(PIECES.map((piece, id) => [piece, id]));
    writeFileSync(tokenizer, JSON.stringify({ model: { type: 'WordPiece', vocab }, normalizer: { lowercase: true } }));
    const [a, b] = [join(folder, 'a.hyb'), join(folder, 'b.hyb')];
    const onnx = fixture('torch-bert-eager.onnx');
    await models('compile', onnx, '--out', a, '--tokenizer', fixture('bert-vocab.txt'), '--labels', 'x,y,z');
    await models('compile', onnx, '--out', b, '--tokenizer', tokenizer, '--labels', 'x,y,z');
    expect(readFileSync(a).equals(readFileSync(b))).toBe(true);
    expect(await models('verify', a, '--against', onnx, '-n', '30')).toMatch(/inputs +30 random/);
  });

  it.each([
    ['keeps accents in lower case', { lowercase: true, strip_accents: false }],
    ['strips accents and keeps capitals', { lowercase: false, strip_accents: true }],
    ['keeps Chinese characters together', { lowercase: true, handle_chinese_chars: false }],
    ['has a normalizer Sequence', { type: 'Sequence', normalizers: [] }],
    ['leaves texts as they are', null],
  ])('refuses a tokenizer that %s, as comparing would not show it', async (reason, normalizer) => {
    const tokenizer = join(folder, 'other.json');
    const vocab = Object.fromEntries(PIECES.map((piece, id) => [piece, id]));
    writeFileSync(tokenizer, JSON.stringify({ model: { type: 'WordPiece', vocab }, normalizer }));
    const compiling = models(
      'compile',
      fixture('torch-bert-eager.onnx'),
      '-o',
      join(folder, 'x.hyb'),
      '--tokenizer',
      tokenizer,
    );
    await expect(compiling).rejects.toThrow(reason);
  });

  it('takes the tokenizer of a cased BERT as it is', async () => {
    const tokenizer = join(folder, 'cased.json');
    const vocab = Object.fromEntries(PIECES.map((piece, id) => [piece, id]));
    const normalizer = {
      type: 'BertNormalizer',
      clean_text: true,
      handle_chinese_chars: true,
      strip_accents: null,
      lowercase: false,
    };
    writeFileSync(tokenizer, JSON.stringify({ model: { type: 'WordPiece', vocab }, normalizer }));
    const out = join(folder, 'cased.hyb');
    expect(await models('compile', fixture('torch-bert-eager.onnx'), '-o', out, '--tokenizer', tokenizer)).toMatch(
      /wordpiece/,
    );
  });

  it('adds no model whose weights would be left behind, or that ONNX Runtime cannot open', async () => {
    const parted = join(folder, 'parted.onnx');
    const nodes = [{ op: 'MatMul', inputs: ['x', 'w'], outputs: ['y'] }];
    writeFileSync(parted, onnxFile({ nodes, constants: { w: { dims: [4, 3], values: [], type: 'external' } } }));
    await expect(models(...ADD, parted)).rejects.toThrow(/tensor w lies in another file/);
    const junk = join(folder, 'junk.onnx');
    writeFileSync(junk, 'not a model');
    await expect(models(...ADD, junk)).rejects.toThrow(/ONNX Runtime cannot open .*junk\.onnx/);
    expect(existsSync(join(folder, 'added'))).toBe(false);
  });

  it.each([
    ['a missing file', ['compile', 'nowhere.onnx', '--out', 'x.hyb'], /no file nowhere\.onnx/],
    [
      'too few labels',
      ['compile', fixture('torch-cnn.onnx'), '--out', 'x.hyb', '--labels', 'a,b'],
      /2 labels for 6 classes/,
    ],
    ['a text model without a vocabulary', ['compile', fixture('torch-encoder.onnx'), '--out', 'x.hyb'], /--tokenizer/],
    [
      'a temperature of nothing',
      ['compile', fixture('torch-cnn.onnx'), '--out', 'x.hyb', '--calibration', '0'],
      /torch-cnn\.onnx compiles to what the engine does not take: header\.calibration\.temperature/,
    ],
    [
      'an output that is not there, of a model for ONNX Runtime',
      [...ADD, fixture('torch-mlp.onnx'), '--output', 'nope'],
      /torch-mlp\.onnx has no output nope: it has \w+/,
    ],
    [
      'an output that is not there',
      ['compile', fixture('torch-cnn.onnx'), '--out', 'x.hyb', '--output', 'nope'],
      /no node makes an output nope: the file has \w+/,
    ],
    ['what is no .hyb', ['inspect', fixture('torch-cnn.onnx')], /not a \.hyb/],
  ])('says what is wrong with %s', async (_name, args, message) => {
    await expect(models(...args)).rejects.toThrow(message);
  });

  it('runs as a program, says errors in one line with their code, and fails', () => {
    const launcher = new URL('../../../cli/hybrid.js', import.meta.url).pathname;
    const broken = join(folder, 'broken.onnx');
    writeFileSync(broken, 'not a model');
    const run = (): string =>
      execFileSync(process.execPath, [launcher, 'models', 'compile', broken, '-o', 'x.hyb'], {
        encoding: 'utf8',
        stdio: 'pipe',
      });
    expect(run).toThrow(/onnx_corrupt: not an ONNX file/);
    const out = join(folder, 'asked.hyb');
    execFileSync(process.execPath, [launcher, 'models', 'compile', fixture('torch-mlp.onnx'), '-o', out]);
    const examples = join(folder, 'short.ndjson');
    writeFileSync(examples, '{"values":[0.5]}\n');
    const ask = (): string =>
      execFileSync(process.execPath, [launcher, 'models', 'answer', out, '--inputs', examples], {
        encoding: 'utf8',
        stdio: 'pipe',
      });
    expect(ask).toThrow(/\ninvalid_input: torch-mlp takes 8x8x1 values, not 1\n$/);
    expect(execFileSync(process.execPath, [launcher, 'models', '--help'], { encoding: 'utf8' })).toMatch(
      /compile .*verify/s,
    );
  });
});
