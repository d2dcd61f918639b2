/** Publishing, comparing and rolling back, on good days and bad. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { movePointer, pointerKey, putVersion, versionKey } from '../../../shared/config/config-items.ts';
import { reportAttributes } from '../../../shared/control/isolate-report.ts';
import { metricsPartition, metricsSortKey } from '../../../shared/names.ts';
import type { Config } from '../../../shared/schema/config.ts';
import { createDynamoConfigStore } from '../../../worker/store/dynamodb-config-store.ts';
import { createDynamoClient } from '../../../worker/store/dynamodb-client.ts';
import { createStaticCredentials } from '../../../worker/aws/credentials.ts';
import { KEY, REGION } from '../../fixtures/local/keys.ts';
import { testConfig } from '../../worker/test-config.ts';
import { ENVIRONMENT, openConsole, runOnce, TABLE, type Console } from './hybrid-run.ts';

let folder: string;
let hybrid: Console;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hybrid-config-'));
  // The SDK's own chain finds these.
  process.env['AWS_ACCESS_KEY_ID'] = KEY.accessKeyId;
  process.env['AWS_SECRET_ACCESS_KEY'] = KEY.secretAccessKey;
});
afterAll(async () => {
  delete process.env['AWS_ACCESS_KEY_ID'];
  delete process.env['AWS_SECRET_ACCESS_KEY'];
  await rm(folder, { recursive: true });
});
beforeEach(async () => {
  hybrid = await openConsole();
});
afterEach(() => hybrid.close());

async function fileOf(value: unknown): Promise<string> {
  const file = join(folder, 'config.json');
  await writeFile(file, typeof value === 'string' ? value : JSON.stringify(value));
  return file;
}

const described = (description: string): Config => testConfig((config) => ({ ...config, description }));

async function publish(value: unknown, ...flags: string[]) {
  return hybrid.run('config', 'publish', await fileOf(value), '--json', ...flags);
}

/** As the worker reads it. */
function loadAsWorker(): Promise<{ config: Config; version: string } | undefined> {
  const client = createDynamoClient({
    table: TABLE,
    region: REGION,
    endpoint: hybrid.database.url,
    credentials: createStaticCredentials(KEY),
    clock: { now: () => Date.now() },
  });
  return createDynamoConfigStore(client, ENVIRONMENT).load(undefined, new AbortController().signal);
}

describe('hybrid config validate', () => {
  it('takes what is whole, without a table', async () => {
    const ran = await runOnce(['config', 'validate', await fileOf(testConfig()), '--json'], {});
    expect(ran).toMatchObject({ status: 0, json: { valid: true, models: 2, targets: 3, routes: 2 } });
  });

  it('names every problem with its path, and exits 3', async () => {
    const config = { ...testConfig(), modles: [], breaker: { ...testConfig().breaker, failure_ratio: 2 } };
    const ran = await runOnce(['config', 'validate', await fileOf(config), '--json'], {});
    expect(ran.status).toBe(3);
    expect(ran.json.error.code).toBe('invalid');
    expect(ran.json.error.problems.map(({ path }: { path: string }) => path)).toEqual([
      'breaker.failure_ratio',
      '(document)',
    ]);
  });

  it.each([
    ['is not JSON', '{"schema": 1', 3],
    ['is not there', undefined, 2],
  ])('says of a file that it %s', async (_name, content, status) => {
    const file = content === undefined ? join(folder, 'nothing.json') : await fileOf(content);
    expect(await runOnce(['config', 'validate', file], {})).toMatchObject({ status, out: '' });
  });
});

describe('hybrid config publish', () => {
  it('makes the next version current, as the worker then reads it', async () => {
    expect(await publish(described('first'), '--note', 'why not')).toMatchObject({
      status: 0,
      json: { published: true, version: 1 },
    });
    expect((await publish(described('second'))).json).toMatchObject({
      version: 2,
      changes: [{ kind: 'changed', path: 'description', from: 'first', to: 'second' }],
    });
    expect(await loadAsWorker()).toEqual({ config: described('second'), version: '2' });
    const history = await hybrid.run('config', 'history', '--json');
    expect(history.json.versions).toMatchObject([
      { version: 2, standing: 'current', published_by: 'ada', based_on: 1, note: null },
      { version: 1, standing: 'past', published_by: 'ada', based_on: 0, note: 'why not' },
    ]);
  });

  it('changes nothing with --dry-run, and says what it would', async () => {
    await publish(described('first'));
    expect((await publish(described('second'), '--dry-run')).json).toMatchObject({
      published: false,
      changes: [{ path: 'description' }],
    });
    expect((await loadAsWorker())?.version).toBe('1');
  });

  it('tells the publisher who was too late by whom and what was changed', async () => {
    await publish(described('first'));
    await publish(described('second'), '--base', '1', '--by', 'grace');
    const late = await publish(described('mine'), '--base', '1');
    expect(late.status).toBe(4);
    expect(late.json.error).toMatchObject({
      code: 'conflict',
      based_on: 1,
      current: 2,
      published_by: 'grace',
      changes: [{ path: 'description', from: 'first', to: 'second' }],
    });
    expect(await loadAsWorker()).toMatchObject({ version: '2' });
  });

  it('lets one of many publishers at once win, and every other know', async () => {
    await publish(described('first'));
    const files = await Promise.all(
      Array.from({ length: 6 }, async (_unused, index) => {
        const file = join(folder, `racer-${index}.json`);
        await writeFile(file, JSON.stringify(described(`racer ${index}`)));
        return file;
      }),
    );
    const outcomes = await Promise.all(
      files.map((file) => hybrid.run('config', 'publish', file, '--base', '1', '--json')),
    );
    expect(outcomes.map(({ status }) => status).toSorted((left, right) => left - right)).toEqual([0, 4, 4, 4, 4, 4]);
    const winner = outcomes.findIndex(({ status }) => status === 0);
    expect((await loadAsWorker())?.config.description).toBe(`racer ${winner}`);
    const history = await hybrid.run('config', 'history', '--json');
    const inForce = history.json.versions.filter(({ standing }: { standing: string }) => standing !== 'never');
    expect(inForce).toHaveLength(2);
  });

  it('passes over the version of a publisher that died half way', async () => {
    await publish(described('first'));
    const facts = { body: '{', sha256: '', publishedAt: 'then', publishedBy: 'nobody', basedOn: 1 };
    await hybrid.table.put(putVersion(ENVIRONMENT, { version: 2, ...facts }).item);
    expect((await loadAsWorker())?.version).toBe('1');
    expect((await publish(described('second'))).json).toMatchObject({ version: 3 });
    const { json } = await hybrid.run('config', 'history', '--json');
    expect(json.versions.map(({ version, standing }: Record<string, unknown>) => [version, standing])).toEqual([
      [3, 'current'],
      [2, 'never'],
      [1, 'past'],
    ]);
  });

  it('packs what would not fit one item, and the worker reads it', async () => {
    const large = testConfig((config) => ({ ...config, description: 'a long story. '.repeat(100_000) }));
    expect((await publish(large)).status).toBe(0);
    expect((await loadAsWorker())?.config).toEqual(large);
    expect((await hybrid.run('config', 'show', '1', '--json')).json.config).toEqual(large);
  });

  it('refuses what does not fit even so, before anything is written', async () => {
    const noise = Array.from({ length: 60_000 }, (_unused, index) => (index * 2_654_435_761).toString(36)).join('');
    const incompressible = await publish(testConfig((config) => ({ ...config, description: noise })));
    expect(incompressible).toMatchObject({ status: 3, json: { error: { code: 'invalid' } } });
    const endless = await publish(testConfig((config) => ({ ...config, description: 'x'.repeat(4_000_001) })));
    expect(endless.json.error.message).toMatch(/too large: 4\d{6} bytes.*Nothing was written/);
    expect((await hybrid.run('config', 'history', '--json')).json.versions).toEqual([]);
  });

  it('mends a pointer that holds no number', async () => {
    await publish(described('first'));
    await hybrid.table.put({ ...pointerKey(ENVIRONMENT), version: { S: 'garbage' } });
    expect((await hybrid.run('config', 'show')).status).toBe(3);
    expect((await publish(described('second'))).json).toMatchObject({ version: 2 });
    expect((await loadAsWorker())?.version).toBe('2');
  });

  it('sees isolates in as many partitions as METRICS_SHARDS says, or --shards', async () => {
    await publish(described('first'));
    await isolate('far', '1', Date.now(), 6);
    const isolates = async (env: Record<string, string>, ...args: string[]): Promise<unknown> => {
      const wide = { TABLE_NAME: TABLE, DATABASE_URL: hybrid.database.url, AWS_REGION: REGION, ENVIRONMENT, ...env };
      const { status, json } = await runOnce(['status', '--json', ...args], wide);
      return status === 2 ? json.error.message : json.isolates.map((held: { isolates: number }) => held.isolates);
    };
    expect(await isolates({})).toEqual([]);
    expect(await isolates({ METRICS_SHARDS: '8' })).toEqual([1]);
    expect(await isolates({}, '--shards', '8')).toEqual([1]);
    expect(await isolates({ METRICS_SHARDS: 'many' })).toContain('METRICS_SHARDS');
  });

  it('waits until every isolate that answers holds it, and says which does not', async () => {
    await isolate('fast', '1', Date.now() + 4_000);
    const held = await publish(described('first'), '--wait', '--wait-seconds', '2');
    expect(held).toMatchObject({ status: 0, json: { wait: { everywhere: true, holding: 1, silent: 0 } } });
    expect(held.json.wait.slowest_ms).toBeGreaterThan(3_000);

    await isolate('slow', '1', Date.now() + 4_000);
    const behind = await publish(described('second'), '--wait', '--wait-seconds', '1');
    expect(behind.status).toBe(6);
    expect(behind.json.wait).toMatchObject({ everywhere: false, behind: [{ isolate: 'fast' }, { isolate: 'slow' }] });
  });
});

function isolate(id: string, version: string, at: number, shard = 0): Promise<void> {
  return hybrid.table.put({
    pk: { S: metricsPartition(Math.floor(at / 60_000), shard) },
    sk: { S: metricsSortKey(id, 0) },
    ...reportAttributes({ place: 'FRA', configVersion: version, inForceSinceMs: at, reportedAtMs: at, problem: null }),
  });
}

describe('hybrid config rollback', () => {
  it('puts the version before back in force as a new one, and twice goes on back', async () => {
    for (const description of ['first', 'second', 'third']) await publish(described(description));
    expect((await hybrid.run('config', 'rollback', '--json')).json).toMatchObject({ version: 4 });
    expect((await loadAsWorker())?.config.description).toBe('second');
    await hybrid.run('config', 'rollback');
    expect((await loadAsWorker())?.config.description).toBe('first');
    expect(await hybrid.run('config', 'rollback', '--json')).toMatchObject({ status: 5 });
    expect((await hybrid.run('config', 'rollback', '3', '--json')).json).toMatchObject({ version: 6 });
    const { json } = await hybrid.run('config', 'history', '--json');
    expect(json.versions[0]).toMatchObject({ restores: 3, note: 'roll-back to version 3', standing: 'current' });
  });

  it('works where the current version was deleted', async () => {
    await publish(described('first'));
    await publish(described('second'));
    await hybrid.table.remove(versionKey(ENVIRONMENT, 2));
    const status = await hybrid.run('status', '--json');
    expect(status.status).toBe(6);
    expect(status.json.current).toMatchObject({ version: 2, problem: expect.stringContaining('no version 2') });
    expect((await hybrid.run('config', 'rollback', '--json')).json).toMatchObject({ version: 3 });
    expect((await loadAsWorker())?.config.description).toBe('first');
  });

  it('works where the current version cannot be read', async () => {
    await publish(described('first'));
    const body = { body: '{"schema":1}', sha256: 'no', publishedAt: 'then', publishedBy: 'nobody', basedOn: 1 };
    await hybrid.table.put(putVersion(ENVIRONMENT, { version: 2, ...body }).item);
    await hybrid.table.put(movePointer(ENVIRONMENT, 1, 2).item);
    const status = await hybrid.run('status', '--json');
    expect(status).toMatchObject({ status: 6, json: { healthy: false } });
    expect(status.json.current.problem).toMatch(/altered after it was published/);
    await hybrid.run('config', 'rollback');
    expect((await loadAsWorker())?.config.description).toBe('first');
    expect((await hybrid.run('status')).status).toBe(0);
  });

  it('refuses a version that never was', async () => {
    await publish(described('first'));
    expect((await hybrid.run('config', 'rollback', '9', '--json')).json.error.code).toBe('not_found');
  });
});

describe('hybrid config show and diff', () => {
  it('writes a file that can be published again', async () => {
    await publish(described('first'));
    const file = join(folder, 'shown.json');
    expect((await hybrid.run('config', 'show', '-o', file)).out).toContain('--base 1');
    expect(JSON.parse(await readFile(file, 'utf8'))).toEqual(described('first'));
  });

  it('compares versions, and a file with what is current', async () => {
    await publish(described('first'));
    await publish(described('second'));
    expect((await hybrid.run('config', 'diff', '1', '2')).out).toBe('~ description: "first" -> "second"');
    const file = await fileOf(described('third'));
    expect(await hybrid.run('config', 'diff', file, '--exit-code')).toMatchObject({
      status: 6,
      out: '~ description: "second" -> "third"',
    });
    expect(await hybrid.run('config', 'diff', '2', 'current', '--exit-code')).toMatchObject({ status: 0 });
  });
});

describe('a wrong command line', () => {
  it.each([[['config', 'show', 'zero']], [['config', 'publish']], [['confg']], [['config', 'show', '--tabel', 'x']]])(
    '%j exits 2 and says why',
    async (args) => {
      const ran = await hybrid.run(...args);
      expect(ran.status).toBe(2);
      expect(ran.err).toMatch(/error: /);
    },
  );

  it('exits 2 where no table is named, and 0 for help', async () => {
    expect(await runOnce(['status'], {})).toMatchObject({ status: 2, err: expect.stringContaining('--table') });
    expect(await runOnce(['--help'], {})).toMatchObject({ status: 0, out: expect.stringContaining('Exit status:') });
  });
});

describe('a table that cannot be asked', () => {
  it('is said in one line, with status 1', async () => {
    await hybrid.database.setFault({ kind: 'refuse' });
    const ran = await hybrid.run('status', '--json');
    expect(ran).toMatchObject({ status: 1, json: { error: { code: 'unreachable' } } });
  });

  it('with credentials it does not know is called denied, and the secret is not said', async () => {
    process.env['AWS_SECRET_ACCESS_KEY'] = 'canary-secret-7c41';
    try {
      const ran = await hybrid.run('status', '--json');
      expect(ran).toMatchObject({ status: 1, json: { error: { code: 'denied' } } });
      expect(ran.out + ran.err).not.toContain('canary');
    } finally {
      process.env['AWS_SECRET_ACCESS_KEY'] = KEY.secretAccessKey;
    }
  });
});
