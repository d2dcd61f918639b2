/** A deployment over scripted tools: the order, what the worker is told and how, what stops it, what a second run changes. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { deploy, type DeployOptions, type DeployTools } from '../../../cli/deploy/deploy.ts';
import { destroy } from '../../../cli/deploy/destroy.ts';
import { outputsFromAws } from '../../../cli/deploy/read-outputs.ts';
import type { DeploymentSettings } from '../../../cli/deploy/deployment-settings.ts';
import { runCommand, type CommandSpec, type Ran, type RunCommand } from '../../../cli/deploy/run-command.ts';
import type { Outputs } from '../../../cli/deploy/worker-values.ts';
import { runHybrid } from '../../../cli/operator/create-hybrid.ts';
import { writeFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const OUTPUTS: Outputs = {
  Region: 'eu-west-1',
  ConfigEnvironment: 'staging',
  TableName: 'table',
  MetricsShards: '8',
  FunctionUrl: 'https://function.example/',
  WorkerRoleArn: 'arn:aws:iam::1:role/worker',
  WorkerTokenIssuer: 'https://edge.example/identity',
  WorkerTokenAudience: 'sts.amazonaws.com',
  WorkerTokenSubject: 'worker',
  BatchBucketName: 'lines',
  BatchQueueUrl: 'https://sqs.eu-west-1.amazonaws.com/1/chunks',
  EndpointMissing: 'Push an image',
};
const SETTINGS: DeploymentSettings = {
  deployment: 'hybrid-inference-staging',
  environment: 'staging',
  region: undefined,
  issuer: undefined,
  cdkContext: 'hybrid={"environment":"staging"}',
};
const OPTIONS: DeployOptions = {
  settings: SETTINGS,
  publicFolder: 'no-such-folder',
  url: undefined,
  dryRun: false,
  given: { IDENTITY_KEY: 'canary-identity-key' },
};

/** Wrangler and npm warn on standard error, in colour: with brackets. */
const printed = (status: number, answer: string): Ran => ({
  status,
  answer,
  output: `\u{1b}[33m[WARNING]\u{1b}[0m unknown config "x"\n${answer}`,
});

function world(change: { outputs?: Outputs; present?: readonly string[]; fails?: string; ready?: boolean } = {}) {
  const ran: CommandSpec[] = [];
  const said: string[] = [];
  const events: string[] = [];
  const keys: (string | null)[] = [];
  const run: RunCommand = async (command) => {
    ran.push(command);
    const words = command.args.join(' ');
    events.push(words.includes('cdk') ? 'cdk' : words.includes('secret list') ? 'secrets' : 'worker');
    if (change.fails !== undefined && words.includes(change.fails)) return printed(1, 'no');
    if (words.includes('secret list')) {
      return change.present === undefined
        ? printed(1, 'This Worker does not exist on your account. [code: 10007]')
        : printed(0, JSON.stringify(change.present.map((name) => ({ name, type: 'secret_text' }))));
    }
    return printed(0, 'Uploaded\n  https://hybrid-inference-staging.team.workers.dev\n');
  };
  const tools: DeployTools = {
    run,
    readOutputs: async () => change.outputs ?? OUTPUTS,
    publishFirst: async () => {
      events.push('configuration');
      return 'published';
    },
    fetch: async (url, init) => {
      const path = new URL(url instanceof Request ? url.url : url).pathname;
      events.push(path);
      if (path === '/healthz') return Response.json({});
      if (path === '/readyz') {
        const config = { version: '1', source: change.ready === false ? 'embedded' : 'dynamodb', last_error: null };
        return Response.json({ ready: true, config });
      }
      keys.push(new Headers(init?.headers).get('authorization'));
      return Response.json({ target_used: { id: 'edge' }, cost_usd: 0.0000003 });
    },
    sleep: async () => undefined,
    randomSecret: () => 'made-secret-of-thirty-two-characters',
    say: (text) => said.push(text),
  };
  const secretsSent = (): Record<string, string> => {
    const stdin = ran.find(({ args }) => args.includes('deploy') && args.includes('wrangler'))?.stdin;
    return JSON.parse(stdin ?? '{}') as Record<string, string>;
  };
  return { tools, ran, said, events, keys, secretsSent };
}

describe('npm run deploy', () => {
  it('makes AWS, publishes, deploys the worker with what AWS told, and asks it, in this order', async () => {
    const { tools, events, secretsSent, said, keys } = world();
    await deploy(OPTIONS, tools);
    expect(events).toEqual(['secrets', 'cdk', 'configuration', 'worker', '/healthz', '/readyz', '/v1/infer']);
    expect(secretsSent()).toEqual({
      AWS_REGION: 'eu-west-1',
      TABLE_NAME: 'table',
      METRICS_SHARDS: '8',
      LAMBDA_FUNCTION_URL: 'https://function.example/',
      AWS_ROLE_ARN: 'arn:aws:iam::1:role/worker',
      IDENTITY_ISSUER: 'https://edge.example/identity',
      IDENTITY_AUDIENCE: 'sts.amazonaws.com',
      IDENTITY_SUBJECT: 'worker',
      IDENTITY_KEY: 'canary-identity-key',
      BATCH_BUCKET: 'lines',
      BATCH_QUEUE_URL: 'https://sqs.eu-west-1.amazonaws.com/1/chunks',
      BATCH_KEY: 'made-secret-of-thirty-two-characters',
      API_KEY: 'made-secret-of-thirty-two-characters',
    });
    expect(keys).toEqual(['Bearer made-secret-of-thirty-two-characters']);
    expect(said.at(-1)).toContain('is ready on configuration 1; edge answered');
  });

  it('hands secrets over by standard input alone, and shows those it was given nowhere', async () => {
    const { tools, ran, said } = world();
    await deploy(OPTIONS, tools);
    expect(ran.flatMap(({ args }) => args).join(' ')).not.toMatch(/canary|made-secret/);
    expect(said.join('\n')).not.toContain('canary');
  });

  it('a second time leaves alone what was made the first time', async () => {
    const { tools, secretsSent, said } = world({ present: ['API_KEY', 'BATCH_KEY', 'IDENTITY_KEY'] });
    await deploy({ ...OPTIONS, given: {} }, tools);
    expect(Object.keys(secretsSent())).not.toContain('BATCH_KEY');
    expect(said.join('\n')).not.toContain('shown this once');
  });

  it('stops before the worker where it would lack a secret', async () => {
    const { tools, events } = world();
    await expect(deploy({ ...OPTIONS, given: {} }, tools)).rejects.toThrow(/IDENTITY_KEY/);
    expect(events).not.toContain('worker');
  });

  it.each([
    ['where AWS cannot be made', { fails: 'cdk' }, /ended with 1/],
    [
      'where the stacks are of another environment',
      { outputs: { ...OUTPUTS, ConfigEnvironment: 'production' } },
      /set "environment"/,
    ],
    ['where the worker cannot be deployed', { fails: 'wrangler deploy' }, /ended with 1/],
    ['where the worker does not read the configuration', { ready: false }, /does not answer as it should/],
  ])('fails %s', async (_name, change, says) => {
    await expect(deploy(OPTIONS, world(change).tools)).rejects.toThrow(says);
  });

  it('with --dry-run runs nothing and prints every command', async () => {
    const { tools, ran, said, events } = world();
    await deploy({ ...OPTIONS, dryRun: true }, tools);
    expect([ran, events]).toEqual([[], []]);
    expect(said.join('\n')).toMatch(/wrangler secret list[\s\S]*cdk deploy --all[\s\S]*wrangler deploy --env staging/);
    expect(said.join('\n')).not.toContain('canary');
  });
});

describe('npm run destroy', () => {
  const options = { settings: SETTINGS, dryRun: false };

  it('does nothing unless its name was typed', async () => {
    const { tools, ran } = world();
    await expect(destroy({ ...options, confirmation: async () => 'yes' }, tools)).rejects.toThrow(/nothing was done/);
    await destroy({ ...options, dryRun: true, confirmation: async () => 'hybrid-inference-staging' }, tools);
    expect(ran).toEqual([]);
  });

  it('takes the worker first, then what AWS runs, and leaves the stack of data', async () => {
    const { tools, ran } = world();
    await destroy({ ...options, confirmation: async () => 'hybrid-inference-staging' }, tools);
    expect(ran.map(({ args }) => args.slice(1, 3).join(' '))).toEqual(['wrangler delete', 'cdk destroy']);
    expect(ran.flatMap(({ args }) => args)).not.toContain('Data');
  });

  it.each([
    [10007, 'This Worker does not exist on your account. [code: 10007]'],
    [10090, 'workers.api.error.service_not_found [code: 10090]'],
  ])('goes on where a run that was cut short has deleted the worker already (%i)', async (_code, output) => {
    const ran: string[] = [];
    const run: RunCommand = async ({ args }) => {
      ran.push(args.slice(1, 3).join(' '));
      return args.includes('wrangler') ? printed(1, output) : printed(0, '');
    };
    const said: string[] = [];
    await destroy(
      { ...options, confirmation: async () => 'hybrid-inference-staging' },
      { run, say: (text) => said.push(text) },
    );
    expect(ran).toEqual(['wrangler delete', 'cdk destroy']);
    expect(said.at(-1)).toContain('is gone');
  });

  it('stops where the worker could not be deleted for another reason', async () => {
    const { tools, ran } = world({ fails: 'wrangler delete' });
    await expect(destroy({ ...options, confirmation: async () => 'hybrid-inference-staging' }, tools)).rejects.toThrow(
      /ended with 1; run this again/,
    );
    expect(ran).toHaveLength(1);
  });
});

describe('a program given secrets', () => {
  const read = 'process.stdout.write(require("node:fs").readFileSync("/dev/stdin", "utf8"))';

  it('can open them as the file /dev/stdin', async () => {
    const stdin = JSON.stringify({ API_KEY: "it's a $secret\n" });
    expect(await runCommand({ program: process.execPath, args: ['-e', read], stdin })).toEqual({
      status: 0,
      output: stdin,
      answer: stdin,
    });
  });

  it('ends with its own status, and is handed its arguments as they are', async () => {
    const args = ['-e', `${read}; console.log(process.argv[1]); process.exit(7)`, '$HOME "*" it\'s'];
    expect(await runCommand({ program: process.execPath, args, stdin: 'x' })).toEqual({
      status: 7,
      output: `x$HOME "*" it's\n`,
      answer: `x$HOME "*" it's\n`,
    });
  });
});

describe('hybrid deploy check', () => {
  async function check(outputs: Outputs, present: readonly string[]) {
    const folder = await mkdtemp(join(tmpdir(), 'hybrid-outputs-'));
    const file = join(folder, 'outputs.json');
    await writeFile(file, JSON.stringify({ 'hybrid-inference-staging-compute': outputs }));
    const out: string[] = [];
    const { tools } = world({ present });
    const status = await runHybrid(
      ['deploy', 'check', '--outputs', file, '--environment', 'staging', '--json'],
      {
        terminal: { out: (text) => out.push(text), err: () => undefined, isInteractive: false },
        env: {},
        nowMs: () => 0,
        sleep: async () => undefined,
        signal: new AbortController().signal,
      },
      tools.run,
    );
    await rm(folder, { recursive: true });
    return { status, json: JSON.parse(out.join('')) as { missing: { name: string }[]; notes: { name: string }[] } };
  }

  it('names each secret that the worker lacks, and exits 6', async () => {
    const { status, json } = await check(OUTPUTS, ['AWS_REGION', 'TABLE_NAME', 'LAMBDA_FUNCTION_URL']);
    expect(status).toBe(6);
    expect(json.missing.map(({ name }) => name)).toEqual([
      'METRICS_SHARDS',
      'AWS_ROLE_ARN',
      'IDENTITY_ISSUER',
      'IDENTITY_AUDIENCE',
      'IDENTITY_SUBJECT',
      'BATCH_BUCKET',
      'BATCH_QUEUE_URL',
      'IDENTITY_KEY',
      'BATCH_KEY',
    ]);
    expect(json.notes.map(({ name }) => name)).toEqual(['EndpointMissing']);
  });

  it('is content with a worker that knows all, and sees one of another environment', async () => {
    const all = [
      'AWS_REGION',
      'TABLE_NAME',
      'METRICS_SHARDS',
      'LAMBDA_FUNCTION_URL',
      'AWS_ROLE_ARN',
      'IDENTITY_ISSUER',
      'IDENTITY_AUDIENCE',
    ];
    const known = [...all, 'IDENTITY_SUBJECT', 'BATCH_BUCKET', 'BATCH_QUEUE_URL', 'IDENTITY_KEY', 'BATCH_KEY'];
    expect((await check(OUTPUTS, known)).status).toBe(0);
    const other = await check({ ...OUTPUTS, ConfigEnvironment: 'production' }, known);
    expect([other.status, other.json.missing.map(({ name }) => name)]).toEqual([6, ['ENVIRONMENT']]);
  });
});

describe('outputs from CloudFormation', () => {
  it('are those of all stacks together', async () => {
    const asked: string[] = [];
    const server = createServer((request, response) => {
      let body = '';
      request.on('data', (bytes: Buffer) => (body += bytes.toString()));
      request.on('end', () => {
        const stack = new URLSearchParams(body).get('StackName') ?? '';
        asked.push(stack);
        response.setHeader('content-type', 'text/xml');
        response.end(
          `<DescribeStacksResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><DescribeStacksResult><Stacks><member>` +
            `<StackName>${stack}</StackName><StackStatus>CREATE_COMPLETE</StackStatus><CreationTime>2026-11-24T00:00:00Z</CreationTime>` +
            `<Outputs><member><OutputKey>Of${stack.split('-').at(-1)}</OutputKey><OutputValue>v</OutputValue></member></Outputs>` +
            `</member></Stacks></DescribeStacksResult></DescribeStacksResponse>`,
        );
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    process.env['AWS_ACCESS_KEY_ID'] = 'AKID';
    process.env['AWS_SECRET_ACCESS_KEY'] = 'secret';
    try {
      expect(await outputsFromAws('hybrid-inference-staging', 'eu-west-1', `http://127.0.0.1:${port}`)).toEqual({
        Ofdata: 'v',
        Ofcompute: 'v',
        Ofoperations: 'v',
        Ofobservability: 'v',
      });
      expect(asked[0]).toBe('hybrid-inference-staging-data');
    } finally {
      delete process.env['AWS_ACCESS_KEY_ID'];
      delete process.env['AWS_SECRET_ACCESS_KEY'];
      server.close();
    }
  });
});
