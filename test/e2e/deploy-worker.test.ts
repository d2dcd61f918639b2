/** The worker's part of a deployment by the real wrangler: what reaches Cloudflare's API, and what a second run finds there. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCommand } from '../../cli/deploy/run-command.ts';
import {
  deletedOrNone,
  deleteWorkerCommand,
  deployedUrl,
  deployWorkerCommand,
  listSecrets,
} from '../../cli/deploy/wrangler.ts';
import { startCloudflareApi, type CloudflareApi } from '../fakes/cloudflare-api.ts';

const NAMES = ['CLOUDFLARE_API_BASE_URL', 'CLOUDFLARE_API_TOKEN', 'CLOUDFLARE_ACCOUNT_ID', 'WRANGLER_SEND_METRICS'];
const before = NAMES.map((name) => [name, process.env[name]] as const);
let api: CloudflareApi;

beforeAll(async () => {
  api = await startCloudflareApi();
  const [base = '', token = '', account = '', metrics = ''] = NAMES;
  Object.assign(process.env, { [base]: api.url, [token]: 'none', [account]: 'account', [metrics]: 'false' });
});

afterAll(async () => {
  for (const [name, value] of before) {
    if (value === undefined) Reflect.deleteProperty(process.env, name);
    else process.env[name] = value;
  }
  await api.close();
});

describe('the worker of a deployment', () => {
  it('arrives with its secrets, keeps them over a second deployment, and goes', async () => {
    expect(await listSecrets(runCommand, 'staging')).toEqual([]);
    const secrets = { API_KEY: 'a key with "quotes" and $signs', TABLE_NAME: 'table' };
    const first = await runCommand(deployWorkerCommand('staging', secrets));
    expect(first, first.output).toMatchObject({ status: 0 });
    expect(api.workers.get('hybrid-inference-staging')).toEqual(secrets);
    expect(deployedUrl(first.output)).toBe('https://hybrid-inference-staging.team.workers.dev');

    expect(await listSecrets(runCommand, 'staging')).toEqual(['API_KEY', 'TABLE_NAME']);
    // With nothing to add: what the worker has stays.
    const second = await runCommand(deployWorkerCommand('staging', {}));
    expect(second, second.output).toMatchObject({ status: 0 });
    expect(api.workers.get('hybrid-inference-staging')).toEqual(secrets);

    expect(deletedOrNone(await runCommand(deleteWorkerCommand('staging')))).toBe(true);
    expect(api.workers.size).toBe(0);
    expect(deletedOrNone(await runCommand(deleteWorkerCommand('staging')))).toBe(true);
  });
});
