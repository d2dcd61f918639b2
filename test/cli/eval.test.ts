/**
 * The eval command against a gateway of its own making: what is sent, what is printed, how it fails.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { CommanderError } from 'commander';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createEvalCommand, type EvalServices } from '../../cli/eval-command.ts';
import type { Report } from '../../cli/evaluate.ts';
import { UserError } from '../../cli/user-error.ts';
import { nativeAnswer, startFakeGateway, type FakeGateway, type FakeReply, type FakeRequest } from './fake-gateway.ts';

const ROWS = 'text,intent\nwill it rain,weather\nwake me at six,alarm\n"wake me, please",alarm\nwho are you,oos\n';

let folder: string;
let file: string;
let gateway: FakeGateway | undefined;
let printed: string[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'eval-'));
  file = join(folder, 'rows.csv');
  await writeFile(file, ROWS);
  printed = [];
});

afterEach(async () => {
  await gateway?.close();
  gateway = undefined;
  await rm(folder, { recursive: true });
});

async function serve(reply: (request: FakeRequest) => FakeReply = always, apiKey?: string): Promise<string> {
  gateway = await startFakeGateway(reply, apiKey);
  return gateway.url;
}

/** The small variant knows the weather only; the reference knows alarms too. */
function always({ body }: FakeRequest): FakeReply {
  const isAlarm = String(body['input_data']).startsWith('wake');
  if (body['variant'] === 'large') return nativeAnswer(isAlarm ? 'alarm' : 'weather', 'large');
  return nativeAnswer('weather', 'micro');
}

async function run(args: readonly string[], change: Partial<EvalServices> = {}): Promise<void> {
  const command = createEvalCommand({
    output: { out: (text) => printed.push(text), progress: { write: () => true } },
    apiKey: undefined,
    startGateway: () => Promise.reject(new Error('must not be started')),
    signal: new AbortController().signal,
    ...change,
  });
  command.exitOverride().configureOutput({ writeErr: () => undefined, writeOut: () => undefined });
  await command.parseAsync([...args], { from: 'user' });
}

async function report(args: readonly string[], change: Partial<EvalServices> = {}): Promise<Report> {
  await run([...args, '--json'], change);
  expect(printed).toHaveLength(1);
  return JSON.parse(printed[0] ?? '') as Report;
}

describe('eval', () => {
  it('sends every row past the cache, asks the reference the same, and prints one JSON object', async () => {
    const url = await serve();
    const figures = await report(['--model', 'intent', '--data', file, '--url', url]);
    expect(figures).toMatchObject({
      model: 'intent',
      n: 4,
      error_count: 0,
      accuracy: 0.25,
      accuracy_in_scope: 0.333333,
      oos_recall: 0,
      reference_accuracy: 0.75,
      agreement: 0.5,
      agreement_of_shortcuts: 0.5,
      edge_share: 1,
      saving: 0.75,
      reference_error: null,
    });
    const bodies = gateway?.requests.map(({ body }) => body) ?? [];
    expect(bodies.every((body) => body['cache'] === 'bypass')).toBe(true);
    expect(bodies.filter((body) => body['variant'] === undefined)).toHaveLength(4);
  });

  it('reads a gzipped file and prints a report for people', async () => {
    const gzipped = join(folder, 'rows.csv.gz');
    await writeFile(gzipped, gzipSync(ROWS));
    const url = await serve();
    await run(['--model', 'intent', '--data', gzipped, '--url', url]);
    expect(printed.join('\n')).toMatch(/accuracy +25\.00 %/);
    expect(printed.join('\n')).toMatch(/agreement with large +50\.00 %/);
  });

  it('spreads a limit evenly over the file', async () => {
    const url = await serve();
    await report([
      '--model',
      'intent',
      '--data',
      file,
      '--url',
      url,
      '--limit',
      '2',
      '--concurrency',
      '1',
      '--no-reference',
    ]);
    expect(gateway?.requests.map(({ body }) => body['input_data'])).toEqual(['will it rain', 'wake me, please']);
  });

  it('passes on complexity, a pinned variant and the API key', async () => {
    const url = await serve(always, 'secret');
    const args = ['--model', 'intent', '--data', file, '--url', url, '--complexity', 'high', '--variant', 'large'];
    const figures = await report(args, { apiKey: 'secret' });
    expect(figures).toMatchObject({
      pinned_variant: 'large',
      model_complexity: 'high',
      agreement: 1,
      agreement_of_shortcuts: null,
    });
    expect(gateway?.requests[0]?.body).toMatchObject({ model_complexity: 'high', variant: 'large' });
  });

  it('reports rows that failed and goes on', async () => {
    const failing = ({ body }: FakeRequest): FakeReply =>
      String(body['input_data']).startsWith('who')
        ? { status: 503, body: { error: { code: 'overloaded', message: 'busy' } } }
        : nativeAnswer('weather', 'micro', true);
    const figures = await report([
      '--model',
      'intent',
      '--data',
      file,
      '--url',
      await serve(failing),
      '--no-reference',
    ]);
    expect(figures).toMatchObject({
      error_count: 1,
      errors: { overloaded: 1 },
      first_error: 'overloaded: busy',
      escalation_rate: 1,
    });
  });

  it('says why there is no agreement where the reference cannot be had', async () => {
    const edgeOnly = ({ body }: FakeRequest): FakeReply =>
      body['variant'] === 'large'
        ? { status: 503, body: { error: { code: 'target_unavailable', message: 'no cloud here' } } }
        : nativeAnswer('weather', 'micro');
    const figures = await report(['--model', 'intent', '--data', file, '--url', await serve(edgeOnly)]);
    expect(figures).toMatchObject({
      agreement: null,
      reference_error: 'target_unavailable: no cloud here',
      error_count: 0,
    });
    expect(gateway?.requests).toHaveLength(5);
  });

  it('gives up with a clear message when the gateway goes away', async () => {
    const many = join(folder, 'many.csv');
    await writeFile(many, `text,intent\n${'will it rain,weather\n'.repeat(60)}`);
    const dying = (request: FakeRequest): FakeReply => {
      if ((gateway?.requests.length ?? 0) >= 10) void gateway?.close();
      return always(request);
    };
    const args = ['--model', 'intent', '--data', many, '--url', await serve(dying)];
    await expect(run(args)).rejects.toThrow(/stopped answering after \d+ of 60 rows/);
  });

  it('starts a gateway of its own without a URL, and stops it even where the evaluation fails', async () => {
    const url = await serve();
    let closed = 0;
    const startGateway = () => Promise.resolve({ url, close: () => Promise.resolve(void (closed += 1)) });
    await run(['--model', 'intent', '--data', file, '--no-reference'], { startGateway });
    await expect(run(['--model', 'nothing', '--data', file], { startGateway })).rejects.toThrow(UserError);
    expect(closed).toBe(2);
  });

  it('stops the gateway and prints nothing when it is interrupted', async () => {
    const stop = new AbortController();
    const interrupting = (request: FakeRequest): FakeReply => {
      stop.abort();
      return always(request);
    };
    const url = await serve(interrupting);
    let closed = 0;
    const startGateway = () => Promise.resolve({ url, close: () => Promise.resolve(void (closed += 1)) });
    await expect(run(['--model', 'intent', '--data', file], { startGateway, signal: stop.signal })).rejects.toThrow(
      /abort/i,
    );
    expect({ closed, printed }).toEqual({ closed: 1, printed: [] });
  });
});

describe('eval refuses', () => {
  it.each([
    ['no model', ['--data', 'x'], /--model/],
    ['a limit of zero', ['--model', 'intent', '--limit', '0'], /whole number from 1/],
    ['a concurrency that is no number', ['--model', 'intent', '--concurrency', 'many'], /whole number from 1/],
    ['a URL without a protocol', ['--model', 'intent', '--url', 'localhost:8787'], /http:\/\//],
    ['an unknown complexity', ['--model', 'intent', '--complexity', 'extreme'], /low, medium, high, auto/],
    ['an unknown option', ['--model', 'intent', '--nonsense'], /unknown option/],
  ])('%s', async (_name, args, message) => {
    await expect(run(args)).rejects.toThrow(CommanderError);
    await expect(run(args)).rejects.toThrow(message);
  });

  it('a file that is not there, before anything is started', async () => {
    await expect(run(['--model', 'intent', '--data', join(folder, 'none.csv')])).rejects.toThrow(
      /There is no file .*none\.csv/,
    );
  });

  it('a label the model does not know, with its row', async () => {
    await writeFile(file, 'text,intent\nwill it rain,weather\nhello,greeting\n');
    const url = await serve();
    await expect(run(['--model', 'intent', '--data', file, '--url', url])).rejects.toThrow(
      /row 2 has the label "greeting"/,
    );
    expect(gateway?.requests).toHaveLength(0);
  });

  it('a file that is not labelled text', async () => {
    await writeFile(file, 'just a sentence\n');
    await expect(run(['--model', 'intent', '--data', file, '--url', await serve()])).rejects.toThrow(UserError);
  });

  it('a model the gateway does not have, naming those it has', async () => {
    await expect(run(['--model', 'banking', '--data', file, '--url', await serve()])).rejects.toThrow(
      /no model "banking", only intent/,
    );
  });

  it.each([
    ['conversations', { input: { kind: 'chat' }, labels: [] }, 'takes chat input and answers without labels'],
    ['numbers', { input: { kind: 'numbers' }, labels: ['a', 'b'] }, 'takes numbers input;'],
    [
      'texts, and answers with vectors',
      { input: { kind: 'text' }, labels: [] },
      'takes text input and answers without',
    ],
  ])('a model that takes %s, by saying so', async (_name, change, says) => {
    const described = { name: 'intent', version: '1', out_of_scope_label: null, reference_variant: 'a', variants: [] };
    gateway = await startFakeGateway(always, undefined, { ...described, ...change });
    await expect(run(['--model', 'intent', '--data', file, '--url', gateway.url])).rejects.toThrow(says);
  });

  it('a gateway that asks for a key', async () => {
    await expect(run(['--model', 'intent', '--data', file, '--url', await serve(always, 'secret')])).rejects.toThrow(
      /set API_KEY/,
    );
  });

  it('a URL where nothing answers', async () => {
    const url = await serve();
    await gateway?.close();
    await expect(run(['--model', 'intent', '--data', file, '--url', url])).rejects.toThrow(
      /Nothing answers at .*ECONNREFUSED/,
    );
  });
});
