/**
 * Takes a deployment out of service: the worker, then what AWS runs. What holds data is kept, and named. Owns the question
 * before, which only the deployment's own name answers.
 */
import { CommandFailure } from '../command-failure.ts';
import type { DeploymentSettings } from './deployment-settings.ts';
import { commandLine, type CommandSpec, type RunCommand } from './run-command.ts';
import { deletedOrNone, deleteWorkerCommand } from './wrangler.ts';

export type DestroyOptions = {
  readonly settings: DeploymentSettings;
  readonly dryRun: boolean;
  /** What the operator typed, or gave with --confirm. */
  readonly confirmation: (question: string) => Promise<string>;
};

export type DestroyTools = { readonly run: RunCommand; readonly say: (text: string) => void };

export async function destroy(options: DestroyOptions, { run, say }: DestroyTools): Promise<void> {
  const { deployment, environment } = options.settings;
  const commands = [deleteWorkerCommand(environment), cdkDestroyCommand(options.settings)] as const;
  say(
    [
      `Deployment ${deployment} will be gone:`,
      ...commands.map((command) => `  ${commandLine(command)}`),
      `Kept, with the stack ${deployment}-data: the table, the model bucket, the image repository. See Clean up in infra/README.md.`,
    ].join('\n'),
  );
  if (options.dryRun) return;
  const typed = await options.confirmation(`Type ${deployment} to go on: `);
  if (typed.trim() !== deployment) throw new CommandFailure('usage', 'That is not its name: nothing was done.');
  const [deleteWorker, destroyStacks] = commands;
  const worker = await run(deleteWorker);
  if (!deletedOrNone(worker)) throw unfinished(deleteWorker, worker.status);
  const stacks = await run(destroyStacks);
  if (stacks.status !== 0) throw unfinished(destroyStacks, stacks.status);
  say(`Deployment ${deployment} is gone.`);
}

function unfinished(command: CommandSpec, status: number): CommandFailure {
  return new CommandFailure('failed', `${commandLine(command)} ended with ${status}; run this again.`);
}

/** All that can be made again without loss; the stack of data is left. */
function cdkDestroyCommand({ cdkContext }: DeploymentSettings): CommandSpec {
  return {
    program: 'npx',
    args: ['--no-install', 'cdk', 'destroy', 'Observability', 'Operations', 'Compute', '--force', '-c', cdkContext],
    show: true,
  };
}
