/**
 * The `hybrid` command with all its subcommands, and how a run of it ends. Owns options that every command shares and the
 * exit status of a wrong command line; leaves out the process (hybrid.ts).
 */
import { Command, CommanderError } from 'commander';
import {
  EngineInputError,
  EngineMemoryError,
  EngineOutputError,
  ModelFormatError,
} from '../../worker/engine/errors.ts';
import { CommandFailure, EXIT_STATUS } from '../command-failure.ts';
import { fetchText } from '../identity/fetch-text.ts';
import { createIdentityCommand } from '../identity/identity-command.ts';
import { createModelsCommand } from '../models/models-command.ts';
import { OnnxError } from '../onnx/onnx-error.ts';
import { UserError } from '../user-error.ts';
import { createConfigCommand } from './config-command.ts';
import { createDecideCommand } from './decide-command.ts';
import { runCommand, type RunCommand } from '../deploy/run-command.ts';
import { createDeployCommand } from './deploy-command.ts';
import { createRoutesCommand, createTargetsCommand } from './edit-commands.ts';
import { createKeysCommand } from './keys-command.ts';
import { createListModelsCommand, createRemoveModelCommand } from './list-models-command.ts';
import { createMetricsCommand } from './metrics-command.ts';
import type { GlobalFlags } from './connection.ts';
import type { Operator } from './operator.ts';
import { createPublishModelCommand } from './publish-model-command.ts';
import { createStatusCommand } from './status-command.ts';
import { showFailure } from './terminal.ts';

const EXIT_STATUS_HELP = `
Exit status: 0 done; 1 failed, or a place cannot be reached; 2 wrong command line; 3 not valid, nothing was changed;
4 somebody else was faster, nothing was changed; 5 no such thing; 6 done, and what was looked at is not as it should be.

Credentials come from AWS's usual places (environment, profile, role). Every option has a variable, named in .env.example.`;

function createHybrid(operator: Omit<Operator, 'ended'>, ended: Operator['ended'], run: RunCommand): Command {
  const all: Operator = { ...operator, ended };
  const print = (text: string): void => operator.terminal.out(text);
  return (
    new Command('hybrid')
      .description('Hybrid inference: configuration, models, routes, targets, keys; what is in force and how it does.')
      .option('--json', 'print one JSON document, errors too')
      .option('--table <name>', 'the DynamoDB table (TABLE_NAME)')
      .option('--region <region>', 'its region (AWS_REGION)')
      .option('--endpoint <url>', "DynamoDB's address, for a local stack (DATABASE_URL)")
      .option('--environment <name>', 'whose configuration (ENVIRONMENT; default: production)')
      .option('--gateway <url>', 'the worker (GATEWAY_URL)')
      .addHelpText('after', EXIT_STATUS_HELP)
      // Wherever it stands, `--json` is read here; a command with an option of that name is told.
      .hook('preAction', (hybrid, command) => {
        if (hybrid.opts<GlobalFlags>().json === true) command.setOptionValue('json', true);
      })
      .addCommand(createConfigCommand(all))
      .addCommand(createDecideCommand(all))
      .addCommand(
        createModelsCommand(print)
          .addCommand(createListModelsCommand(all))
          .addCommand(createPublishModelCommand(all))
          .addCommand(createRemoveModelCommand(all)),
      )
      .addCommand(createRoutesCommand(all))
      .addCommand(createTargetsCommand(all))
      .addCommand(createKeysCommand(all))
      .addCommand(createIdentityCommand(print, fetchText))
      .addCommand(createDeployCommand(all, run))
      .addCommand(createStatusCommand(all))
      .addCommand(createMetricsCommand(all))
  );
}

/** @returns the exit status */
export async function runHybrid(
  args: readonly string[],
  operator: Omit<Operator, 'ended'>,
  run: RunCommand = runCommand,
): Promise<number> {
  let status = 0;
  const hybrid = createHybrid(
    operator,
    (ended) => {
      status = ended;
    },
    run,
  );
  for (const command of everyCommand(hybrid)) {
    command.exitOverride().configureOutput({
      writeOut: (text) => operator.terminal.out(text.trimEnd()),
      writeErr: (text) => operator.terminal.err(text.trimEnd()),
    });
  }
  try {
    await hybrid.parseAsync([...args], { from: 'user' });
    return status;
  } catch (error) {
    const json = args.includes('--json');
    const failure = failureOf(error);
    if (failure !== undefined) return showFailure(failure, json, operator.terminal);
    if (!(error instanceof CommanderError)) throw error;
    // Help that was asked for is no mistake.
    if (error.exitCode === 0) return 0;
    // Commander has told a person already.
    if (json) showFailure(new CommandFailure('usage', error.message), json, operator.terminal);
    return EXIT_STATUS.usage;
  }
}

/** What a command refuses in words; undefined for a defect, whose stack is worth seeing. */
function failureOf(error: unknown): CommandFailure | undefined {
  if (
    error instanceof OnnxError ||
    error instanceof ModelFormatError ||
    error instanceof EngineInputError ||
    error instanceof EngineOutputError ||
    error instanceof EngineMemoryError
  ) {
    return new CommandFailure('failed', `${error.code}: ${error.message}`, { model_code: error.code });
  }
  if (error instanceof CommandFailure) return error;
  if (error instanceof UserError || isOfTheSystem(error)) return new CommandFailure('failed', error.message);
  return undefined;
}

/** A file that cannot be written, a folder that is not there: its message names both. */
function isOfTheSystem(error: unknown): error is Error {
  return error instanceof Error && 'syscall' in error && 'path' in error;
}

function everyCommand(command: Command): readonly Command[] {
  return [command, ...command.commands.flatMap(everyCommand)];
}
