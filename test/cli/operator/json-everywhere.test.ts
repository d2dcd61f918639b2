/** `--json` on what needs no table: one document on standard output, whatever comes of it, and the exit status of the table. */
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { REPOSITORY_ROOT } from '../../../local/bundle-worker.ts';
import { runOnce } from './hybrid-run.ts';

const HYB = join(REPOSITORY_ROOT, 'models/digits/micro.hyb');

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hybrid-json-'));
  await copyFile(HYB, join(folder, 'digits.hyb'));
});
afterAll(() => rm(folder, { recursive: true }));

const examples = join(REPOSITORY_ROOT, 'models/intent/validation.csv.gz');

describe('hybrid with --json', () => {
  it('says what a model file is', async () => {
    const { status, json } = await runOnce(['models', 'inspect', HYB, '--json'], {});
    expect(status).toBe(0);
    expect(json).toMatchObject({ model: 'digits', variant: 'micro', task: 'image_classification' });
    expect(json.labels).toHaveLength(10);
    expect(json.operators.length).toBeGreaterThan(0);
  });

  it('says what was added', async () => {
    const file = join(folder, 'digits.hyb');
    const { status, json } = await runOnce(
      ['--json', 'models', 'add', file, '--into', folder, '--accuracy', '0.9', '--variant', 'edge'],
      {},
    );
    expect([status, json]).toMatchObject([
      0,
      { card: join(folder, 'digits/card.json'), accuracy: 0.9, examples: null },
    ]);
  });

  it.each([
    ['a file that is not there', ['models', 'inspect', 'nothing.hyb'], 1, 'failed', /nothing\.hyb/],
    ['a file that is no model', ['models', 'inspect', examples], 1, 'failed', /is not a \.hyb file/],
    ['an issuer without keys', ['identity', 'jwks', '--issuer', 'https://no.example/x'], 1, 'failed', /holds no keys/],
    ['a missing option', ['identity', 'jwks'], 2, 'usage', /--issuer/],
    ['an unknown command', ['config', 'nope'], 2, 'usage', /nope/],
    ['a missing argument', ['config', 'publish'], 2, 'usage', /file/],
  ])('refuses %s in JSON', async (_name, args, status, code, message) => {
    const ran = await runOnce([...args, '--json'], {});
    expect(ran.status).toBe(status);
    expect(ran.json.error).toMatchObject({ code, message: expect.stringMatching(message) });
  });

  it('names a place that cannot be written, without a stack', async () => {
    const nowhere = join(folder, 'no-such-folder/out.hymc');
    const images = join(REPOSITORY_ROOT, 'models/digits/report-sample/images-idx3-ubyte.gz');
    const ran = await runOnce(['models', 'device', HYB, '--images', images, '--out', nowhere], {});
    expect(ran).toMatchObject({ status: 1, out: '' });
    expect(ran.err).toContain(nowhere);
    expect(ran.err).not.toMatch(/^\s+at /m);
  });
});
