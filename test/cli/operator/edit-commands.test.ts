/** Commands that change one part of the configuration, each through a published version. */
import { createHash } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { publishConfig } from '../../../cli/control/publish-config.ts';
import { registeredVersions, registerModel } from '../../../cli/control/model-registry.ts';
import { cardSchema } from '../../../shared/schema/card.ts';
import { KEY } from '../../fixtures/local/keys.ts';
import { testConfig } from '../../worker/test-config.ts';
import { ENVIRONMENT, openConsole, type Console } from './hybrid-run.ts';

let hybrid: Console;

beforeAll(() => {
  process.env['AWS_ACCESS_KEY_ID'] = KEY.accessKeyId;
  process.env['AWS_SECRET_ACCESS_KEY'] = KEY.secretAccessKey;
});
afterAll(() => {
  delete process.env['AWS_ACCESS_KEY_ID'];
  delete process.env['AWS_SECRET_ACCESS_KEY'];
});
beforeEach(async () => {
  hybrid = await openConsole();
  await publishConfig(hybrid.table, ENVIRONMENT, { value: testConfig(), by: 'test', nowMs: Date.now() });
});
afterEach(() => hybrid.close());

describe('hybrid targets', () => {
  it('drains one and enables it again, each a version of its own', async () => {
    const drained = await hybrid.run('targets', 'drain', 'lambda', '--json');
    expect(drained.json).toMatchObject({
      version: 2,
      changes: [{ path: 'targets[lambda].enabled', from: true, to: false }],
    });
    expect((await hybrid.run('targets', 'list')).out).toMatch(/^lambda +lambda +us-east-1 +drained/m);
    await hybrid.run('targets', 'enable', 'lambda');
    expect((await hybrid.run('config', 'diff', '1', '3')).out).toBe('No field differs.');
  });

  it('exits 5 for one that is not there, and names those that are', async () => {
    const ran = await hybrid.run('targets', 'drain', 'moon');
    expect(ran).toMatchObject({ status: 5, err: 'There is no target moon; there is edge, lambda, sagemaker.' });
  });
});

describe('hybrid routes', () => {
  it('sets steps, deadline and cache', async () => {
    const ran = await hybrid.run(
      'routes',
      'set',
      'mood',
      '--step',
      'micro=0.7',
      '--step',
      'large=0',
      '--deadline',
      '250',
      '--cache-ttl',
      '0',
      '--json',
    );
    expect(ran.status).toBe(0);
    const { json } = await hybrid.run('routes', 'show', 'mood', '--json');
    expect(json.routes[0]).toMatchObject({
      policy: {
        kind: 'cascade',
        steps: [
          { variant: 'micro', accept_confidence: 0.7 },
          { variant: 'large', accept_confidence: 0 },
        ],
      },
      default_deadline_ms: 250,
      cache: { ttl_ms: 0, stale_if_error_ms: 3_600_000 },
    });
  });

  it('sets another policy', async () => {
    await hybrid.run('routes', 'set', 'mood', '--policy', 'fastest');
    expect((await hybrid.run('routes', 'show')).out).toMatch(/^mood +mood +fastest/m);
  });

  it.each([
    [['mood', '--step', 'nano=0.5'], 3, /routes\[0\]\.policy\.steps\[0\]\.variant/],
    [['mood', '--step', 'micro=1.5'], 2, /from 0 to 1/],
    [['mood', '--step', 'micro'], 2, /from 0 to 1/],
    [['mood', '--policy', 'cascade'], 2, /needs its steps/],
    [['mood', '--policy', 'fastest', '--step', 'micro=1'], 2, /belongs to a cascade/],
    [['mood'], 2, /Nothing to set/],
    [['nobody', '--deadline', '5'], 5, /no route nobody; there is mood, dots/],
  ])('refuses %j and changes nothing', async (args, status, says) => {
    const ran = await hybrid.run('routes', 'set', ...args);
    expect(ran.status).toBe(status);
    expect(ran.err).toMatch(says);
    expect((await hybrid.run('config', 'history', '--json')).json.versions).toHaveLength(1);
  });
});

describe('hybrid keys', () => {
  it('makes a key that is shown once and stored as its digest', async () => {
    const { json } = await hybrid.run(
      'keys',
      'create',
      '--tenant',
      'team-a',
      '--scope',
      'infer',
      '--scope',
      'read',
      '--json',
    );
    expect(json.key).toMatch(/^hk_[\w-]{43}$/);
    const shown = (await hybrid.run('config', 'show', '--json')).json;
    expect(shown.config.api_keys).toEqual([
      {
        id: 'team-a-1',
        sha256: createHash('sha256').update(json.key).digest('hex'),
        tenant: 'team-a',
        scopes: ['infer', 'read'],
        enabled: true,
      },
    ]);
    for (const args of [
      ['config', 'history'],
      ['keys', 'list'],
      ['config', 'diff', '1', '2'],
    ]) {
      expect((await hybrid.run(...args, '--json')).out).not.toContain(json.key);
    }
  });

  it('revokes one for good and lists it as such', async () => {
    await hybrid.run('keys', 'create', '--tenant', 'team-a');
    await hybrid.run('keys', 'create', '--tenant', 'team-a');
    await hybrid.run('keys', 'revoke', 'team-a-1');
    const listed = (await hybrid.run('keys', 'list')).out;
    expect(listed).toMatch(/^team-a-1 +team-a +infer +revoked/m);
    expect(listed).toMatch(/^team-a-2 +team-a +infer +enabled/m);
    expect(await hybrid.run('keys', 'create', '--tenant', 'x', '--id', 'team-a-1')).toMatchObject({ status: 2 });
    expect(await hybrid.run('keys', 'create', '--tenant', 'Not A Name')).toMatchObject({ status: 3 });
  });
});

describe('hybrid models', () => {
  const card = (description: string) =>
    cardSchema.parse({
      name: 'mood',
      version: '1.0.0',
      task: 'text_classification',
      description,
      labels: ['yes', 'no'],
      out_of_scope_label: null,
      input: { kind: 'text', max_chars: 100 },
      reference_variant: 'large',
      variants: {},
    });

  it('lists what is served where, and the versions that were registered', async () => {
    await registerModel(hybrid.table, card('first'), 'ada', 5);
    const { json } = await hybrid.run('models', 'list', '--json');
    expect(json.models[0]).toMatchObject({
      name: 'mood',
      variants: [
        { name: 'micro', served_at: ['edge'] },
        { name: 'base', served_at: ['lambda'] },
        { name: 'large', served_at: ['sagemaker'] },
      ],
      registered: [{ version: '1.0.0', added_by: 'ada', added_at: '1970-01-01T00:00:00.005Z' }],
    });
    expect((await hybrid.run('models', 'list')).out).toMatch(/^ +large \(reference\) +97.00 % .* sagemaker/m);
  });

  it('registers a version once: the same again changes nothing, another card under its name is refused', async () => {
    await registerModel(hybrid.table, card('first'), 'ada', 5);
    await registerModel(hybrid.table, card('first'), 'grace', 6);
    await expect(registerModel(hybrid.table, card('second'), 'grace', 7)).rejects.toThrow(
      /by ada at 1970.*version of its own/,
    );
    expect(await registeredVersions(hybrid.table, 'mood')).toMatchObject([{ addedBy: 'ada' }]);
  });

  it('removes one from the configuration', async () => {
    await hybrid.run('models', 'remove', 'mood');
    const { json } = await hybrid.run('config', 'show', '--json');
    expect(JSON.stringify(json.config)).not.toContain('"mood"');
    expect(await hybrid.run('models', 'remove', 'mood')).toMatchObject({ status: 5 });
  });
});
