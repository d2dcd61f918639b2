/**
 * What a command shows: a value for scripts, a text for people, from one place. Owns tables and how errors look.
 */
import { type CommandFailure, EXIT_STATUS } from '../command-failure.ts';

export type Terminal = {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** Whether a person is watching: a live table redraws itself only then. */
  readonly isInteractive: boolean;
};

/** What a command found or did. */
export type Report = {
  /** Shown under `--json`, whole. */
  readonly value: object;
  readonly text: string;
  /** The command worked, but what it looked at is not as it should be: exit status 6. */
  readonly unhealthy?: boolean;
};

/** @returns the exit status */
export function show(report: Report, json: boolean, terminal: Terminal): number {
  terminal.out(json ? JSON.stringify(report.value) : report.text);
  return report.unhealthy === true ? EXIT_STATUS.unhealthy : 0;
}

/** @returns the exit status */
export function showFailure(failure: CommandFailure, json: boolean, terminal: Terminal): number {
  const { code, message, details } = failure;
  if (json) terminal.out(JSON.stringify({ error: { code, message, ...details } }));
  else terminal.err(message);
  return EXIT_STATUS[code];
}

/** Columns as wide as their widest cell; numbers and the like are the caller's to format. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => (row[column] ?? '').length)));
  return [head, ...rows]
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** Long values, such as a list of labels, are cut: the whole is in `--json`. */
export function brief(value: unknown): string {
  const MAX_CHARACTERS = 80;
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length <= MAX_CHARACTERS ? text : `${text.slice(0, MAX_CHARACTERS - 4)} ...`;
}
