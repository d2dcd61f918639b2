/** Which settings a deployment is made from: a file's or cdk.json's, whole, and never those of another environment. */
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { deploymentSettings, type SettingsSource } from '../../../cli/deploy/deployment-settings.ts';
import { REPOSITORY_ROOT } from '../../../local/bundle-worker.ts';

let root = '';
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'hybrid-settings-'));
});
afterEach(() => rm(root, { recursive: true }));

async function settings(hybrid: unknown, change: Partial<SettingsSource> = {}) {
  await writeFile(join(root, 'cdk.json'), JSON.stringify({ context: { hybrid } }));
  const source = { root, file: undefined, environment: 'staging', name: undefined, region: undefined, ...change };
  const found = await deploymentSettings(source);
  return { ...found, context: JSON.parse(found.cdkContext.replace(/^hybrid=/, '')) as unknown };
}

describe('the settings of a deployment', () => {
  it('are those of cdk.json, all of them, for the environment asked for', async () => {
    const hybrid = { identity: { issuer: 'https://edge.example/identity/' }, alarms: { email: 'ops@edge.example' } };
    expect(await settings(hybrid)).toMatchObject({
      deployment: 'hybrid-inference-staging',
      issuer: 'https://edge.example/identity',
      context: { ...hybrid, environment: 'staging' },
    });
  });

  it('are those of a file where one is given, with the name and region of the command line', async () => {
    const file = join(root, 'staging.json');
    await writeFile(file, JSON.stringify({ name: 'acme', region: 'eu-west-1' }));
    expect(await settings({ name: 'other' }, { file })).toMatchObject({
      deployment: 'acme-staging',
      region: 'eu-west-1',
    });
    expect(await settings({}, { file, name: 'acme2', region: 'us-west-2' })).toMatchObject({
      deployment: 'acme2-staging',
      region: 'us-west-2',
      context: { name: 'acme2', region: 'us-west-2', environment: 'staging' },
    });
  });

  it('may be JSON or the name of a file in cdk.json, as CDK takes them', async () => {
    const file = join(root, 'all.json');
    await writeFile(file, JSON.stringify({ name: 'acme' }));
    expect(await settings(file)).toMatchObject({ deployment: 'acme-staging' });
    expect(await settings('{"name": "beta"}')).toMatchObject({ deployment: 'beta-staging' });
  });

  it.each([
    ['settings of another environment', { environment: 'production' }, /"production", not of staging/],
    ['an unknown setting', { alarm: {} }, /no setting called alarm/],
    ['what is no object', ['a'], /one JSON object/],
    ['a file that is not there', 'no-such-file.json', /cannot be read/],
  ])('refuse %s before anything is done', async (_name, hybrid, says) => {
    await expect(settings(hybrid)).rejects.toThrow(says);
  });
});

describe('the command line of npm run deploy', () => {
  const run = (...args: string[]) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, ['cli/deploy/main.ts', ...args], {
      cwd: REPOSITORY_ROOT,
      encoding: 'utf8',
    });
    return { status, stdout, stderr };
  };

  it('explains itself', () => {
    expect(run('deploy', '--help')).toMatchObject({ status: 0, stderr: '' });
  });

  it.each([[['deploy', '--enviroment', 'staging']], [['deploy']], [['destroy', '--environment', 'moon']]])(
    'refuses %j with its usage and status 2, not with a stack',
    (args) => {
      const { status, stderr } = run(...args);
      expect(status).toBe(2);
      expect(stderr).toContain('Usage: npm run deploy');
      expect(stderr).not.toMatch(/^\s+at /m);
    },
  );
});
