/**
 * Puts a whole deployment into service: AWS first, then the worker with what AWS told, then a look whether it answers. Owns the
 * order, and that every step may be repeated; what a step does is its tool's. Secrets go from memory to wrangler's standard
 * input and nowhere else.
 */
import { CommandFailure } from '../command-failure.ts';
import { commandLine, type CommandSpec, type RunCommand } from './run-command.ts';
import { smokeTest } from './smoke-test.ts';
import { missingOutputs, missingSecrets, secretsFrom, type Outputs } from './worker-values.ts';
import { deployedUrl, deployWorkerCommand, listSecrets, listSecretsCommand } from './wrangler.ts';

export type DeployOptions = {
  readonly environment: string;
  /** Prefix of every stack, as `name` of the settings. */
  readonly name: string;
  /** A file of settings for CDK, or none: then only the environment is set. */
  readonly settings: string | undefined;
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
  const { environment } = options;
  tools.say('1/5 AWS: table, buckets, queue, functions, alarms');
  await mustRun(tools, cdkDeployCommand(options));

  tools.say('2/5 What AWS made');
  const outputs = await tools.readOutputs();
  if (outputs['ConfigEnvironment'] !== environment) {
    throw new CommandFailure(
      'invalid',
      `The stacks are of ${outputs['ConfigEnvironment'] ?? 'no environment'}, the worker of ${environment}: set "environment" in the settings.`,
    );
  }
  for (const { name, why } of missingOutputs(outputs)) tools.say(`    note: ${name}: ${why}`);

  tools.say('3/5 Configuration');
  tools.say(`    ${await tools.publishFirst(outputs)}`);

  tools.say('4/5 The worker, with what AWS told it');
  const secrets = await secretsToSend(options, outputs, tools);
  const { output } = await mustRun(tools, deployWorkerCommand(environment, secrets));

  tools.say('5/5 Does it answer?');
  const url = options.url ?? deployedUrl(output);
  if (url === undefined) {
    throw new CommandFailure(
      'usage',
      'It is deployed; where it answers is not known here: give --url to have it tested.',
    );
  }
  tools.say(await smokeTest(url, secrets['API_KEY'], tools));
}

/** Sent anew each time, what AWS made included: nothing can be forgotten. What was made once stays. */
async function secretsToSend(
  { environment, given }: DeployOptions,
  outputs: Outputs,
  tools: DeployTools,
): Promise<Record<string, string>> {
  const present = await listSecrets(tools.run, environment);
  const made = Object.fromEntries(
    MADE_SECRETS.filter((name) => !present.includes(name) && given[name] === undefined).map((name) => [
      name,
      tools.randomSecret(),
    ]),
  );
  if (made['API_KEY'] !== undefined) {
    tools.say(`    API_KEY was made, and is shown this once: ${made['API_KEY']}`);
  }
  const secrets = { ...secretsFrom(outputs), ...given, ...made };
  const missing = missingSecrets(outputs, [...present, ...Object.keys(secrets)]);
  if (missing.length > 0) {
    const lines = missing.map(({ name, why }) => `  ${name}: ${why}`);
    throw new CommandFailure(
      'invalid',
      `The worker would lack secrets; set each in the environment of this command, with WORKER_ before its name, and run it again:\n${lines.join('\n')}`,
      { missing },
    );
  }
  return secrets;
}

async function mustRun(tools: DeployTools, command: CommandSpec): Promise<{ readonly output: string }> {
  tools.say(`    ${commandLine(command)}`);
  const { status, output } = await tools.run(command);
  if (status !== 0)
    throw new CommandFailure('failed', `${command.program} ${command.args.join(' ')} ended with ${status}.`);
  return { output };
}

function cdkDeployCommand({ environment, settings }: DeployOptions): CommandSpec {
  return {
    program: 'npx',
    args: [
      '--no-install',
      'cdk',
      'deploy',
      '--all',
      '--require-approval',
      'never',
      '-c',
      `hybrid=${settings ?? JSON.stringify({ environment })}`,
    ],
    show: true,
  };
}

function describeSteps(options: DeployOptions): string {
  const { environment, name, url } = options;
  const deployment = `${name}-${environment}`;
  return [
    `Deployment ${deployment}. Nothing is done now; each step may be repeated.`,
    '',
    `1. ${commandLine(cdkDeployCommand(options))}`,
    `   Stacks ${deployment}-data (table, model bucket, image repository), -compute (model function, endpoint, worker's`,
    '   role), -operations (probe, metrics rollup, batches), -observability (alarms, dashboard, budget). Costs at rest: npm run cost.',
    `2. Reads the outputs of those stacks from CloudFormation.`,
    '3. Publishes the shipped configuration with the addresses just read, where nothing was ever published.',
    `4. ${commandLine(listSecretsCommand(environment))}`,
    `   ${commandLine(deployWorkerCommand(environment, {}))}`,
    '   Worker and secrets as one version: the outputs, what the environment of this command gives with WORKER_ before its name',
    `   (${GIVEN_SECRETS.join(', ')}), and where they are missing a new ${MADE_SECRETS.join(' and ')}.`,
    `5. GET /healthz, GET /readyz, POST /v1/infer at ${url ?? 'the address wrangler says'}.`,
  ].join('\n');
}
