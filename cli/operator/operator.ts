/**
 * What every operator command is given, and how its action is run: connect, do, show, end with a status.
 */
import { CommandFailure } from '../command-failure.ts';
import { connect, type Connection, type Environment, type GlobalFlags } from './connection.ts';
import { show, showFailure, type Report, type Terminal } from './terminal.ts';

export type Operator = {
  readonly terminal: Terminal;
  readonly env: Environment;
  readonly nowMs: () => number;
  readonly sleep: (ms: number) => Promise<void>;
  /** Fires on Ctrl-C: what waits or refreshes ends. */
  readonly signal: AbortSignal;
  /** Told the exit status of the command that ran. */
  readonly ended: (status: number) => void;
};

/** @param action what the command does, without a terminal in sight */
export async function perform<Flags extends GlobalFlags>(
  operator: Operator,
  flags: Flags,
  action: (flags: Flags) => Promise<Report>,
): Promise<void> {
  const json = flags.json === true;
  try {
    operator.ended(show(await action(flags), json, operator.terminal));
  } catch (error) {
    if (!(error instanceof CommandFailure)) throw error;
    operator.ended(showFailure(error, json, operator.terminal));
  }
}

/** As `perform`, for commands that need the table. */
export function performOnTable<Flags extends GlobalFlags>(
  operator: Operator,
  flags: Flags,
  action: (connection: Connection, flags: Flags) => Promise<Report>,
): Promise<void> {
  return perform(operator, flags, async () => {
    const connection = connect(flags, operator.env);
    try {
      return await action(connection, flags);
    } finally {
      connection.close();
    }
  });
}
