/**
 * A user's own classifiers, by the README's commands alone: exports of scikit-learn and PyTorch compiled, verified, added
 * and served from the isolate; one served by ONNX Runtime; one published to a running stack.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LOCAL_ENVIRONMENT, LOCAL_REGION, LOCAL_TABLE, startStack, type Stack } from '../../local/stack.ts';
import { runOnce, type Ran } from '../cli/operator/hybrid-run.ts';
import { fixture } from '../cli/onnx/compiled.ts';
import { ask, readiness, SOON } from './gateway-client.ts';

const EXAMPLES = fixture('sklearn-mlp-digits.ndjson');
const DIGITS = '0,1,2,3,4,5,6,7,8,9';

type Row = {
  readonly model: string;
  readonly text?: string;
  readonly pixels?: readonly number[];
  readonly scores: readonly number[];
};

let stack: Stack;
let folder: string;
let models: string;
let expected: readonly Row[];

async function hybrid(...args: string[]): Promise<Ran> {
  const environment = { TABLE_NAME: LOCAL_TABLE, AWS_REGION: LOCAL_REGION, ENVIRONMENT: LOCAL_ENVIRONMENT };
  return runOnce(args, stack === undefined ? environment : { ...environment, DATABASE_URL: stack.dynamodb.url });
}

async function must(...args: string[]): Promise<Ran> {
  const ran = await hybrid(...args);
  expect(ran.status, JSON.stringify(ran)).toBe(0);
  return ran;
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'own-model-'));
  models = join(folder, 'models');
  const text = await readFile(new URL('../fixtures/engine/expected.ndjson', import.meta.url), 'utf8');
  expected = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Row);

  const scan = join(folder, 'scan.hyb');
  await must(
    'models',
    'compile',
    fixture('sklearn-mlp-digits.onnx'),
    '--out',
    scan,
    '--name',
    'scan',
    '--labels',
    DIGITS,
    '--range',
    '0,16',
  );
  await must(
    'models',
    'verify',
    scan,
    '--against',
    fixture('sklearn-mlp-digits.onnx'),
    '--range',
    '0,16',
    '--min-agreement',
    '0.99',
  );
  await must('models', 'add', scan, '--into', models, '--examples', EXAMPLES);

  const shape = join(folder, 'shape.hyb');
  await must(
    'models',
    'compile',
    fixture('torch-pooled.onnx'),
    '--out',
    shape,
    '--name',
    'shape',
    '--labels',
    'a,b,c,d',
  );
  await must('models', 'verify', shape, '--against', fixture('torch-pooled.onnx'), '--min-agreement', '0.99');
  await must('models', 'add', shape, '--into', models, '--accuracy', '0.9');

  const bert = [
    '--name',
    'tone',
    '--input',
    'text:200',
    '--labels',
    'low,mid,high',
    '--max-tokens',
    '24',
    '--accuracy',
    '0.9',
  ];
  await must(
    'models',
    'add',
    fixture('torch-bert-eager.onnx'),
    '--into',
    models,
    ...bert,
    '--tokenizer',
    fixture('bert-vocab.txt'),
  );

  stack = await startStack({
    port: 0,
    modelsFolder: models,
    assetsFolder: join(folder, 'public'),
    // Published by hand below.
    configure: (config) => ({
      ...config,
      models: config.models.filter(({ name }) => name !== 'shape'),
      routes: config.routes.filter(({ model }) => model !== 'shape'),
      targets: config.targets.map((target) => ({
        ...target,
        serves: target.serves.filter(({ model }) => model !== 'shape'),
      })),
    }),
  });
  process.env['AWS_ACCESS_KEY_ID'] = stack.credentials.accessKeyId;
  process.env['AWS_SECRET_ACCESS_KEY'] = stack.credentials.secretAccessKey;
});
afterAll(async () => {
  delete process.env['AWS_ACCESS_KEY_ID'];
  delete process.env['AWS_SECRET_ACCESS_KEY'];
  await stack.close();
  await rm(folder, { recursive: true });
});

function labelOfLargest(scores: readonly number[], labels: readonly string[]): string | undefined {
  return labels[scores.indexOf(Math.max(...scores))];
}

describe('a model of one’s own', () => {
  it('from scikit-learn answers in the isolate, as well as its export does', async () => {
    const rows = (await readFile(EXAMPLES, 'utf8'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { values: number[]; label: string });
    const { status, body } = await ask(stack.url, {
      model_name: 'scan',
      input_data: rows.slice(0, 60).map(({ values }) => values),
    });
    expect([status, body.target_used?.id, body.variant]).toEqual([200, 'edge', 'edge']);
    const right = body.predictions.filter(({ label }, index) => label === rows[index]?.label);
    expect(right.length).toBeGreaterThanOrEqual(57);
  });

  it('from PyTorch is published to a running stack and answers in the isolate', async () => {
    expect((await ask(stack.url, { model_name: 'shape', input_data: [] })).body.error?.code).toBe('model_unknown');
    const before = (await readiness(stack.url)).config.version;
    await must('models', 'publish', join(models, 'shape'));
    await expect.poll(async () => (await readiness(stack.url)).config.version, SOON).not.toBe(before);
    const rows = expected.filter(({ model }) => model === 'torch-pooled');
    const { status, body } = await ask(stack.url, {
      model_name: 'shape',
      input_data: rows.map(({ pixels }) => pixels),
    });
    expect([status, body.target_used?.id]).toEqual([200, 'edge']);
    expect(body.predictions.map(({ label }) => label)).toEqual(
      rows.map(({ scores }) => labelOfLargest(scores, ['a', 'b', 'c', 'd'])),
    );
  });

  it('that ONNX Runtime serves answers at the edge too, in a worker of its own', async () => {
    const rows = expected.filter(({ model }) => model === 'torch-bert-eager');
    const { status, body } = await ask(stack.url, { model_name: 'tone', input_data: rows.map(({ text }) => text) });
    expect([status, body.target_used?.kind, body.target_used?.id]).toEqual([200, 'edge', 'edge-onnx']);
    expect(body.predictions.map(({ label }) => label)).toEqual(
      rows.map(({ scores }) => labelOfLargest(scores, ['low', 'mid', 'high'])),
    );
  });

  it('is refused a card with other labels under the same name', async () => {
    const other = join(folder, 'other.hyb');
    await must(
      'models',
      'compile',
      fixture('torch-pooled.onnx'),
      '--out',
      other,
      '--name',
      'shape',
      '--labels',
      'w,x,y,z',
    );
    const refused = await hybrid('models', 'add', other, '--into', models, '--accuracy', '0.9');
    expect(refused).toMatchObject({ status: 1, err: expect.stringContaining('other labels') as string });
  });
});
