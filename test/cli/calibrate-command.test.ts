import { createServer, type Server } from 'node:http';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { shippedShortcuts } from '../../cli/shipped-shortcuts.ts';
import { REPOSITORY_ROOT } from '../../local/bundle-worker.ts';
import { createCalibrateCommand } from '../../cli/calibrate-command.ts';

const NOW_MS = Date.parse('2026-11-24T08:00:00.000Z');

describe('the calibrate command', () => {
  let folder = '';
  let server: Server | undefined;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'calibrate-'));
  });
  afterEach(async () => {
    await rm(folder, { recursive: true });
    server?.close();
    server = undefined;
  });

  const run = (...options: string[]) => runFor('mood', '--shortcuts', 'micro', ...options);

  async function runFor(model: string, ...options: string[]): Promise<{ out: string; notes: string[] }> {
    let out = '';
    const notes: string[] = [];
    const command = createCalibrateCommand({
      out: (text) => (out += text),
      note: (text) => notes.push(text),
      nowMs: NOW_MS,
      apiKey: undefined,
      shortcutsOf: shippedShortcuts,
    }).exitOverride();
    await command.parseAsync(['--model', model, ...options], { from: 'user' });
    return { out, notes };
  }

  function scores(rows: number): string {
    const lines = Array.from(
      { length: rows },
      (_, index) => `yes,${index % 10 === 9 ? 'no' : 'yes'},${index / rows},yes,0.9`,
    );
    return ['label,micro_predicted,micro_confidence,large_predicted,large_confidence', ...lines].join('\n');
  }

  it.each([
    ['intent', ['micro', 'small']],
    ['banking', ['micro', 'small']],
  ])('calibrates the steps of the shipped cascade of %s where none is named', async (model, steps) => {
    const scored = join(REPOSITORY_ROOT, 'models', model, 'validation-scores.csv.gz');
    const { out } = await runFor(model, '--scores', scored);
    expect((JSON.parse(out) as { shortcut: string }[]).map(({ shortcut }) => shortcut)).toEqual(steps);
  });

  it('asks for the steps of a model that ships no cascade', async () => {
    await expect(runFor('nobody', '--scores', 'any.csv')).rejects.toThrow('Say --shortcuts');
  });

  it('makes a record from a file of scores, gzip or not, on request into a file', async () => {
    const file = join(folder, 'scores.csv');
    await writeFile(file, scores(1_000));
    const { out, notes } = await run('--scores', file, '--min-agreement', '0.85');
    const [record]: { id: string; threshold: number; labels: number }[] = JSON.parse(out);
    expect(record).toMatchObject({
      id: 'mood-20261124080000-micro',
      labels: 1_000,
      shortcut: 'micro',
      min_agreement: 0.85,
    });
    expect(notes[0]).toMatch(/^micro: answers from confidence .* on are accepted, .* agreement at least/);
    await writeFile(`${file}.gz`, gzipSync(scores(1_000)));
    const written = join(folder, 'record.json');
    expect((await run('--scores', `${file}.gz`, '--min-agreement', '0.85', '--out', written)).out).toBe('');
    expect(JSON.parse(await readFile(written, 'utf8'))).toEqual([record]);
  });

  it('says why a shortcut stays off', async () => {
    const file = join(folder, 'scores.csv');
    await writeFile(file, scores(50));
    expect((await run('--scores', file)).notes[0]).toContain('micro: off. 50 labels cannot show');
  });

  it('asks a gateway, each variant pinned and past the cache', async () => {
    const bodies: { variant: string; cache: string; input_data: string[] }[] = [];
    server = createServer((request, response) => {
      let text = '';
      request.on('data', (chunk: Buffer) => (text += chunk.toString()));
      request.on('end', () => {
        const body = JSON.parse(text) as (typeof bodies)[number];
        bodies.push(body);
        response.setHeader('content-type', 'application/json');
        response.end(JSON.stringify(answerTo(body)));
      });
    });
    await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : 0;
    const data = join(folder, 'texts.csv');
    await writeFile(data, `text,label\n${Array.from({ length: 100 }, (_, index) => `t${index},no`).join('\n')}\n`);
    const url = `http://127.0.0.1:${port}`;
    const shadow = await run('--data', data, '--url', url, '--horizon', '0');
    expect(JSON.parse(shadow.out)).toMatchObject([{ labels: 100, accepted: 100, threshold: 0, horizon_answers: null }]);
    expect(new Set(bodies.map(({ variant, cache }) => `${variant} ${cache}`))).toEqual(
      new Set(['micro bypass', 'large bypass']),
    );
    const labelled = await run('--data', data, '--url', url, '--against', 'labels');
    expect(labelled.notes[0]).toContain('micro: off.');
  });

  it.each([
    [['--against', 'nobody'], 'must be reference or labels'],
    [[], 'give --scores FILE'],
    [['--scores', 'BROKEN'], 'row 1 has no confidence from 0 to 1'],
    [['--scores', 'BROKEN', '--shortcuts', 'tiny'], 'row 1 has no tiny_confidence'],
    [['--data', 'TEXTS', '--url', 'http://127.0.0.1:1'], 'did not answer for mood/micro: unreachable'],
    [['--min-agreement', '2'], 'from 0.5 to below 1'],
    [['--horizon', '1.5'], 'whole number'],
  ])('refuses %j', async (options, message) => {
    const broken = join(folder, 'broken.csv');
    await writeFile(broken, 'label,micro_predicted,micro_confidence,large_predicted\nyes,yes,7,yes\n');
    const texts = join(folder, 'texts.csv');
    await writeFile(texts, 'text,label\nhello,yes\n');
    const filled = options.map((option) => (option === 'BROKEN' ? broken : option === 'TEXTS' ? texts : option));
    await expect(run(...filled)).rejects.toThrow(message);
  });
});

function answerTo(body: { input_data: string[]; variant: string }): unknown {
  const prediction = { label: 'yes', confidence: 0.9, variant: body.variant, target: 'edge', accepted: true };
  return {
    request_id: 'r',
    variant: body.variant,
    predictions: body.input_data.map(() => prediction),
    target_used: { kind: 'edge', id: 'edge', region: 'local' },
    latency_ms: 1,
    cost_usd: 0,
    cache: 'miss',
    decision: { fallback_chain: [], reason: '', cloud_only_cost_usd: 0 },
  };
}
