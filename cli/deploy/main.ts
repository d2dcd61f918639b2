/**
 * `npm run deploy` and `npm run destroy`, with this process's terminal, environment and tools.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { REPOSITORY_ROOT } from '../../local/bundle-worker.ts';
import { readCards } from '../../local/read-cards.ts';
import { CommandFailure, EXIT_STATUS } from '../command-failure.ts';
import { loadDotEnv } from '../load-dot-env.ts';
import { connect, given } from '../operator/connection.ts';
import { UserError } from '../user-error.ts';
import { deploy, GIVEN_SECRETS } from './deploy.ts';
import { deploymentSettings, type DeploymentSettings } from './deployment-settings.ts';
import { destroy } from './destroy.ts';
import { publishFirstConfig } from './first-config.ts';
import { outputsFromAws, usualRegion } from './read-outputs.ts';
import { runCommand } from './run-command.ts';
import type { Outputs } from './worker-values.ts';

const ENVIRONMENTS = ['dev', 'staging', 'production'];
const SECRET_BYTES = 32;

const USAGE = `Usage: npm run deploy -- --environment ${ENVIRONMENTS.join('|')} [--dry-run] [--settings FILE] [--name NAME] [--region REGION] [--url URL]
       npm run destroy -- --environment ${ENVIRONMENTS.join('|')} [--dry-run] [--settings FILE] [--name NAME] [--region REGION] [--confirm NAME-ENVIRONMENT]

  --settings FILE    the deployment's settings as JSON (infra/settings.ts); otherwise those under "hybrid" in cdk.json
  --name, --region   in place of what the settings say (hybrid-inference; AWS's usual chain)
  --url URL          where the worker answers, where wrangler does not say it
  --dry-run          print every step and do nothing
  --confirm NAME     the deployment's name, in place of typing it

Secrets of the worker's own come from the environment: WORKER_${GIVEN_SECRETS.join(', WORKER_')}.
Exit status: 0 done, 1 a step failed, 2 wrong command line, 3 settings or secrets not valid, 6 deployed and not well.`;

function readCommandLine() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        environment: { type: 'string' },
        name: { type: 'string' },
        region: { type: 'string' },
        settings: { type: 'string' },
        url: { type: 'string' },
        confirm: { type: 'string' },
        'dry-run': { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
  } catch (error) {
    throw new CommandFailure('usage', `${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
  }
}

async function main(): Promise<void> {
  const { values, positionals } = readCommandLine();
  const say = (text: string): void => console.log(text);
  if (values.help) {
    say(USAGE);
    return;
  }
  const { environment, name } = values;
  if (positionals.length > 1 || environment === undefined || !ENVIRONMENTS.includes(environment)) {
    throw new CommandFailure('usage', USAGE);
  }
  loadDotEnv();
  const settings = await deploymentSettings({
    root: REPOSITORY_ROOT,
    file: values.settings,
    environment,
    name,
    region: values.region,
  });
  const common = { settings, dryRun: values['dry-run'] };
  if (positionals[0] === 'destroy') {
    await destroy(
      { ...common, confirmation: async (question) => values.confirm ?? (await ask(question)) },
      { run: runCommand, say },
    );
    return;
  }
  await deploy(
    { ...common, publicFolder: join(REPOSITORY_ROOT, 'public'), url: values.url, given: givenSecrets() },
    {
      run: runCommand,
      readOutputs: () => outputsOf(settings),
      publishFirst: (outputs) => publishWith(outputs, environment),
      fetch,
      sleep: (ms) => sleep(ms),
      randomSecret: () => randomBytes(SECRET_BYTES).toString('base64url'),
      say,
    },
  );
}

async function outputsOf({ deployment, region }: DeploymentSettings): Promise<Outputs> {
  return outputsFromAws(deployment, region ?? (await usualRegion(process.env)));
}

/** The worker's own, under their own names; the operator's AWS credentials are not the worker's. */
function givenSecrets(): Record<string, string> {
  return Object.fromEntries(
    GIVEN_SECRETS.flatMap((secret) => {
      const value = given(process.env[`WORKER_${secret}`]);
      return value === undefined ? [] : [[secret, value]];
    }),
  );
}

async function publishWith(outputs: Outputs, environment: string): Promise<string> {
  const { TableName: table, Region: region } = outputs;
  if (table === undefined || region === undefined) throw new CommandFailure('invalid', 'The outputs name no table.');
  const connection = connect({ table, region, environment }, {});
  try {
    const cards = await readCards(join(REPOSITORY_ROOT, 'models'));
    return await publishFirstConfig({ table: connection.table, environment, cards, outputs, nowMs: Date.now() });
  } finally {
    connection.close();
  }
}

async function ask(question: string): Promise<string> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return await terminal.question(question);
  } finally {
    terminal.close();
  }
}

try {
  await main();
} catch (error) {
  console.error(error instanceof UserError ? error.message : error);
  process.exitCode = error instanceof CommandFailure ? EXIT_STATUS[error.code] : 1;
}
