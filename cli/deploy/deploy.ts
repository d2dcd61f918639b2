/**
 * Puts a whole deployment into service: the worker's public keys where AWS will look for them, AWS, the worker with what AWS
 * told, then a look whether it answers. Owns the order, and that every step may be repeated; what a step does is its tool's.
 * Secrets go from memory to wrangler's standard input and nowhere else.
 */
import { CommandFailure } from '../command-failure.ts';
import type { DeploymentSettings } from './deployment-settings.ts';
import { publishIdentity } from './publish-identity.ts';
import { commandLine, type CommandSpec, type RunCommand } from './run-command.ts';
import { smokeTest } from './smoke-test.ts';
import { missingOutputs, missingSecrets, secretsFrom, type Missing, type Outputs } from './worker-values.ts';
import { deployedUrl, deployWorkerCommand, listSecrets, listSecretsCommand } from './wrangler.ts';

export type DeployOptions = {
  readonly settings: DeploymentSettings;
  /** The folder of static files. */
  readonly publicFolder: string;
  /** Where the worker answers; otherwise what wrangler says. */
  readonly url: string | undefined;
  readonly dryRun: boolean;
  /** Secrets of the operator's own, taken from the environment: AWS keys, the identity's key, an API key. */
  readonly given: Readonly<Record<string, string>>;
};

export type DeployTools = {
  readonly run: RunCommand;
  readonly readOutputs: () => Promise<Outputs>;
  /** Publishes the shipped configuration where nothing was ever published. @returns what it did, for people */
  readonly publishFirst: (outputs: Outputs) => Promise<string>;
  readonly fetch: typeof fetch;
  readonly sleep: (ms: number) => Promise<void>;
  readonly randomSecret: () => string;
  readonly say: (text: string) => void;
};

/** Of the worker's secrets, those an operator may give with the environment of this process. */
export const GIVEN_SECRETS = [
  'API_KEY',
  'AWS_ACCESS_KEY_ID',
  'AWS_SECRET_ACCESS_KEY',
  'IDENTITY_KEY',
  'BATCH_KEY',
] as const;

/** Made here once, because nobody else needs to know them. */
const MADE_SECRETS = ['BATCH_KEY', 'API_KEY'] as const;

export async function deploy(options: DeployOptions, tools: DeployTools): Promise<void> {
  if (options.dryRun) {
    tools.say(describeSteps(options));
    return;
  }
  const { settings } = options;
  const { environment, issuer } = settings;
  const own = await ownSecrets(options, tools);
  if (issuer !== undefined && !own.known.includes('IDENTITY_KEY')) {
    throw lacking([
      { name: 'IDENTITY_KEY', why: `the worker signs with it: npx hybrid identity new --issuer ${issuer}` },
    ]);
  }
  tools.say("1/6 The worker's identity");
  tools.say(`    ${await identity(options, own, tools)}`);

  tools.say('2/6 AWS: table, buckets, queue, functions, alarms');
  await mustRun(tools, cdkDeployCommand(settings));

  tools.say('3/6 What AWS made');
  const outputs = await tools.readOutputs();
  if (outputs['ConfigEnvironment'] !== environment) {
    throw new CommandFailure(
      'invalid',
      `The stacks are of ${outputs['ConfigEnvironment'] ?? 'no environment'}, the worker of ${environment}: set "environment" in the settings.`,
    );
  }
  for (const { name, why } of missingOutputs(outputs)) tools.say(`    note: ${name}: ${why}`);

  tools.say('4/6 Configuration');
  tools.say(`    ${await tools.publishFirst(outputs)}`);

  tools.say('5/6 The worker, with what AWS told it');
  const missing = missingSecrets(outputs, [...own.known, ...Object.keys(secretsFrom(outputs))]);
  if (missing.length > 0) throw lacking(missing);
  // Sent anew each time, what AWS made included: nothing can be forgotten.
  const secrets = { ...secretsFrom(outputs), ...own.values };
  const output = await deployWorker(settings, secrets, own, tools);

  tools.say('6/6 Does it answer?');
  const url = options.url ?? deployedUrl(output);
  if (url === undefined) {
    throw new CommandFailure(
      'usage',
      'It is deployed; where it answers is not known here: give --url to have it tested.',
    );
  }
  tools.say(await smokeTest(url, secrets['API_KEY'], tools));
}

/** Secrets that do not come from AWS. */
type OwnSecrets = {
  /** Given or made now; what was made once stays, and nobody can read it back. */
  readonly values: Readonly<Record<string, string>>;
  /** Names of these, and of what the worker has from before. */
  readonly known: readonly string[];
  /** The key that callers need and only this run knows: shown once the worker has it. */
  readonly unseen: { take(): string | undefined };
};

async function ownSecrets({ settings, given }: DeployOptions, tools: DeployTools): Promise<OwnSecrets> {
  const present = await listSecrets(tools.run, settings.environment);
  const made = Object.fromEntries(
    MADE_SECRETS.filter((name) => !present.includes(name) && given[name] === undefined).map((name) => [
      name,
      tools.randomSecret(),
    ]),
  );
  const values = { ...given, ...made };
  let unseen = made['API_KEY'];
  const take = (): string | undefined => {
    const key = unseen;
    unseen = undefined;
    return key;
  };
  return { values, known: [...present, ...Object.keys(values)], unseen: { take } };
}

async function identity(
  { settings, publicFolder }: DeployOptions,
  own: OwnSecrets,
  tools: DeployTools,
): Promise<string> {
  const { issuer } = settings;
  if (issuer === undefined) return 'no identity.issuer in the settings: the worker has a key pair of AWS';
  return publishIdentity(issuer, publicFolder, {
    fetch: tools.fetch,
    sleep: tools.sleep,
    deployWorker: () => {
      // Without its table the worker serves what is shipped; with this key, to nobody else.
      const { API_KEY: apiKey } = own.values;
      return deployWorker(settings, apiKey === undefined ? {} : { API_KEY: apiKey }, own, tools);
    },
  });
}

/** @returns what wrangler printed */
async function deployWorker(
  { environment }: DeploymentSettings,
  secrets: Readonly<Record<string, string>>,
  own: OwnSecrets,
  tools: DeployTools,
): Promise<string> {
  const { output } = await mustRun(tools, deployWorkerCommand(environment, secrets));
  const made = own.unseen.take();
  if (made !== undefined) tools.say(`    API_KEY was made, and is shown this once: ${made}`);
  return output;
}

function lacking(missing: readonly Missing[]): CommandFailure {
  const lines = missing.map(({ name, why }) => `  ${name}: ${why}`);
  return new CommandFailure(
    'invalid',
    `The worker would lack secrets; set each in the environment of this command, with WORKER_ before its name, and run it again:\n${lines.join('\n')}`,
    { missing },
  );
}

async function mustRun(tools: DeployTools, command: CommandSpec): Promise<{ readonly output: string }> {
  tools.say(`    ${commandLine(command)}`);
  const { status, output } = await tools.run(command);
  if (status !== 0)
    throw new CommandFailure('failed', `${command.program} ${command.args.join(' ')} ended with ${status}.`);
  return { output };
}

function cdkDeployCommand({ cdkContext }: DeploymentSettings): CommandSpec {
  return {
    program: 'npx',
    args: ['--no-install', 'cdk', 'deploy', '--all', '--require-approval', 'never', '-c', cdkContext],
    show: true,
  };
}

function describeSteps({ settings, url }: DeployOptions): string {
  const { deployment, environment, issuer } = settings;
  return [
    `Deployment ${deployment}. Nothing is done now; each step may be repeated.`,
    '',
    `   ${commandLine(listSecretsCommand(environment))}`,
    issuer === undefined
      ? '1. Nothing: the settings name no identity.issuer, so the worker has a key pair of AWS.'
      : `1. Asks ${issuer} for its documents. Where it does not serve them yet, puts the worker into service, closed to callers:`,
    ...(issuer === undefined ? [] : [`   ${commandLine(deployWorkerCommand(environment, {}))}`]),
    `2. ${commandLine(cdkDeployCommand(settings))}`,
    `   Stacks ${deployment}-data (table, model bucket, image repository), -compute (model function, endpoint, worker's`,
    '   role), -operations (probe, metrics rollup, batches), -observability (alarms, dashboard, budget). Costs at rest: npm run cost.',
    `3. Reads the outputs of those stacks from CloudFormation.`,
    '4. Publishes the shipped configuration with the addresses just read, where nothing was ever published.',
    `5. ${commandLine(deployWorkerCommand(environment, {}))}`,
    '   Worker and secrets as one version: the outputs, what the environment of this command gives with WORKER_ before its name',
    `   (${GIVEN_SECRETS.join(', ')}), and where they are missing a new ${MADE_SECRETS.join(' and ')}.`,
    `6. GET /healthz, GET /readyz, POST /v1/infer at ${url ?? 'the address wrangler says'}.`,
  ].join('\n');
}
