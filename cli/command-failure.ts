/**
 * How an operator's command ends when it does not do what was asked: one code, one exit status, what goes with it.
 * The table is API for scripts: add, never change.
 */
import { UserError } from './user-error.ts';

export const EXIT_STATUS = {
  /** Something unexpected: a defect here, or a place that cannot be reached. */
  failed: 1,
  unreachable: 1,
  denied: 1,
  /** The command line itself. */
  usage: 2,
  /** The configuration, card or file is not valid; nothing was changed. */
  invalid: 3,
  /** Somebody else changed it meanwhile; nothing was changed. */
  conflict: 4,
  not_found: 5,
  /** The command worked, and what it looked at is not as it should be. */
  unhealthy: 6,
} as const;

type FailureCode = keyof typeof EXIT_STATUS;

export class CommandFailure extends UserError {
  readonly code: FailureCode;
  /** Shown under `--json`, beside the message. */
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: FailureCode, message: string, details: Readonly<Record<string, unknown>> = {}) {
    super(message);
    this.code = code;
    this.details = details;
  }
}
