/**
 * `hybrid deploy check`: what AWS made against what the worker was told.
 */
import { Command } from 'commander';
import { outputsFromAws, outputsFromFile, usualRegion } from '../deploy/read-outputs.ts';
import type { RunCommand } from '../deploy/run-command.ts';
import { missingOutputs, missingSecrets, type Missing } from '../deploy/worker-values.ts';
import { listSecrets } from '../deploy/wrangler.ts';
import { given, type GlobalFlags } from './connection.ts';
import { perform, type Operator } from './operator.ts';
import type { Report } from './terminal.ts';

type CheckFlags = GlobalFlags & { readonly outputs?: string; readonly name: string };

export function createDeployCommand(operator: Operator, run: RunCommand): Command {
  return new Command('deploy').description('What is deployed.').addCommand(
    new Command('check')
      .description("Compares the stacks' outputs with the worker's secrets; exit 6 where something is missing.")
      .option('--outputs <file>', 'as cdk deploy --outputs-file writes it (default: asks CloudFormation)')
      .option('--name <name>', 'the name in the settings', 'hybrid-inference')
      .action((_flags: CheckFlags, command: Command) =>
        perform(operator, command.optsWithGlobals<CheckFlags>(), (flags) => check(operator, flags, run)),
      ),
  );
}

async function check(operator: Operator, flags: CheckFlags, run: RunCommand): Promise<Report> {
  const environment = flags.environment ?? given(operator.env['ENVIRONMENT']) ?? 'production';
  const region = flags.region ?? (await usualRegion(operator.env));
  const outputs =
    flags.outputs === undefined
      ? await outputsFromAws(`${flags.name}-${environment}`, region)
      : await outputsFromFile(flags.outputs);
  const secrets = await listSecrets(run, environment);
  const missing = missingSecrets(outputs, secrets);
  const notes = missingOutputs(outputs);
  const isOtherEnvironment = outputs['ConfigEnvironment'] !== undefined && outputs['ConfigEnvironment'] !== environment;
  const mismatch = isOtherEnvironment
    ? [{ name: 'ENVIRONMENT', why: `the worker is ${environment}, the stacks are ${outputs['ConfigEnvironment']}` }]
    : [];
  const problems = [...missing, ...mismatch];
  return {
    value: {
      environment,
      outputs: Object.keys(outputs).toSorted(),
      secrets: secrets.toSorted(),
      missing: problems,
      notes,
    },
    text: [
      `${environment}: ${Object.keys(outputs).length} outputs, ${secrets.length} secrets.`,
      ...problems.map((one) => `MISSING  ${line(one)}`),
      ...notes.map((one) => `note     ${line(one)}`),
      ...(problems.length === 0 ? ['The worker knows all that AWS made.'] : []),
    ].join('\n'),
    unhealthy: problems.length > 0,
  };
}

function line({ name, why }: Missing): string {
  return `${name}: ${why}`;
}
