/** A first deployment with an issuer: the worker's public keys are served before AWS is told of them, and only then. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { deploy, type DeployOptions, type DeployTools } from '../../../cli/deploy/deploy.ts';
import type { Ran } from '../../../cli/deploy/run-command.ts';
import { openPublishedKeys } from '../../../cli/identity/published-keys.ts';
import { createIdentityKeyPair } from '../../../local/identity-keys.ts';
import { DISCOVERY_PATH, discoveryDocument, KEY_SET_PATH } from '../../../shared/identity/documents.ts';

const ISSUER = 'https://edge.example/identity';
const OUTPUTS = {
  Region: 'eu-west-1',
  ConfigEnvironment: 'staging',
  TableName: 'table',
  WorkerRoleArn: 'arn:aws:iam::1:role/worker',
  WorkerTokenIssuer: ISSUER,
};

const printed = (answer: string): Ran => ({ status: 0, output: answer, answer });

let publicFolder = '';
beforeEach(async () => {
  publicFolder = await mkdtemp(join(tmpdir(), 'hybrid-public-'));
});
afterEach(() => rm(publicFolder, { recursive: true }));

const publish = async (): Promise<void> =>
  openPublishedKeys(publicFolder, ISSUER).write([createIdentityKeyPair('ES256').publicKey]);

/** @param served whether the issuer answers, by how often the worker was deployed */
function world(served: (workerDeployments: number) => boolean, present: readonly string[] = []) {
  const events: string[] = [];
  const sent: Record<string, string>[] = [];
  const said: string[] = [];
  const { publicKey } = createIdentityKeyPair('ES256');
  let slept = 0;
  const tools: DeployTools = {
    run: async ({ args, stdin }) => {
      if (args.includes('secret')) return printed(JSON.stringify(present.map((name) => ({ name }))));
      if (args.includes('cdk')) {
        events.push('cdk');
        return printed('');
      }
      events.push('worker');
      sent.push(JSON.parse(stdin ?? '{}') as Record<string, string>);
      return printed('https://hybrid-inference-staging.team.workers.dev');
    },
    readOutputs: async () => OUTPUTS,
    publishFirst: async () => 'published',
    fetch: async (input) => {
      const url = String(input instanceof Request ? input.url : input);
      if (url.startsWith(ISSUER)) {
        if (!served(sent.length)) return new Response('not here', { status: 404 });
        if (url === `${ISSUER}/${DISCOVERY_PATH}`) return Response.json(discoveryDocument(ISSUER));
        if (url === `${ISSUER}/${KEY_SET_PATH}`) return Response.json({ keys: [publicKey] });
      }
      if (url.endsWith('/healthz')) return Response.json({});
      if (url.endsWith('/readyz')) {
        return Response.json({ ready: true, config: { version: '1', source: 'dynamodb', last_error: null } });
      }
      return Response.json({ target_used: { id: 'edge' }, cost_usd: 0 });
    },
    sleep: async () => {
      slept += 1;
    },
    randomSecret: () => 'made-secret-of-thirty-two-characters',
    say: (text) => said.push(text),
  };
  const options: DeployOptions = {
    settings: {
      deployment: 'hybrid-inference-staging',
      environment: 'staging',
      region: undefined,
      issuer: ISSUER,
      cdkContext: 'hybrid={}',
    },
    publicFolder,
    url: undefined,
    dryRun: false,
    given: { IDENTITY_KEY: 'canary-identity-key' },
  };
  return { tools, options, events, sent, said, slept: () => slept };
}

describe('a deployment whose settings name an issuer', () => {
  it('puts the worker into service, closed to callers, before AWS is told of an issuer that does not answer yet', async () => {
    await publish();
    const { tools, options, events, sent, said } = world((deployments) => deployments > 0);
    await deploy(options, tools);
    expect(events).toEqual(['worker', 'cdk', 'worker']);
    // Half an identity would make its environment unusable, and without a key it would be open.
    expect(sent[0]).toEqual({ API_KEY: 'made-secret-of-thirty-two-characters' });
    expect(sent[1]).toMatchObject({
      API_KEY: 'made-secret-of-thirty-two-characters',
      IDENTITY_KEY: 'canary-identity-key',
      AWS_ROLE_ARN: 'arn:aws:iam::1:role/worker',
    });
    expect(said.filter((text) => text.includes('shown this once'))).toHaveLength(1);
  });

  it('deploys the worker once where the issuer answers already', async () => {
    const { tools, options, events } = world(() => true);
    await deploy(options, tools);
    expect(events).toEqual(['cdk', 'worker']);
  });

  it('waits for an address that is not known everywhere yet', async () => {
    await publish();
    let looks = 0;
    const { tools, options, events, slept } = world((deployments) => deployments > 0 && (looks += 1) > 2);
    await deploy(options, tools);
    expect([events, slept()]).toEqual([['worker', 'cdk', 'worker'], 2]);
  });

  it('makes nothing in AWS where the worker does not serve this issuer, and says where it answers', async () => {
    await publish();
    const { tools, options, events, slept } = world(() => false);
    await expect(deploy(options, tools)).rejects.toThrow(
      /HTTP 404.*answers at https:\/\/hybrid-inference-staging\.team\.workers\.dev.*identity\.issuer/,
    );
    expect(events).toEqual(['worker']);
    expect(slept()).toBeLessThan(20);
  });

  it('makes nothing at all where there are no keys to publish, and says how to make them', async () => {
    const { tools, options, events } = world(() => false);
    await expect(deploy(options, tools)).rejects.toThrow(`npx hybrid identity new --issuer ${ISSUER}`);
    expect(events).toEqual([]);
  });

  it('makes nothing at all where the folder holds the documents of another environment', async () => {
    await openPublishedKeys(publicFolder, 'https://production.example/identity').write([
      createIdentityKeyPair('ES256').publicKey,
    ]);
    const { tools, options, events } = world(() => false);
    await expect(deploy(options, tools)).rejects.toThrow('documents of https://production.example/identity');
    expect(events).toEqual([]);
  });

  it('makes nothing at all without the private key, unless the worker has it from before', async () => {
    await publish();
    const first = world(() => true);
    await expect(deploy({ ...first.options, given: {} }, first.tools)).rejects.toThrow(/IDENTITY_KEY/);
    expect(first.events).toEqual([]);
    const second = world(() => true, ['IDENTITY_KEY', 'API_KEY', 'BATCH_KEY']);
    await deploy({ ...second.options, given: {} }, second.tools);
    expect(second.events).toEqual(['cdk', 'worker']);
  });

  it('with --dry-run asks nobody and says what it would do', async () => {
    const { tools, options, events, said } = world(() => false);
    await deploy({ ...options, dryRun: true }, tools);
    expect(events).toEqual([]);
    expect(said.join('\n')).toContain(`Asks ${ISSUER}`);
  });
});
