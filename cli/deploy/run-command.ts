/**
 * Runs a program of the repository's own tools. Owns that what goes in by standard input is shown nowhere; leaves out what the
 * programs do.
 */
import { spawn } from 'node:child_process';

type Ran = { readonly status: number; readonly output: string };

export type CommandSpec = {
  readonly program: string;
  readonly args: readonly string[];
  /** Secrets travel this way: never as an argument, which every process of the machine can read, never as a file. */
  readonly stdin?: string;
  /** Show what it prints as it comes; otherwise it is only returned. */
  readonly show?: boolean;
};

export type RunCommand = (command: CommandSpec) => Promise<Ran>;

export const runCommand: RunCommand = ({ program, args, stdin, show }) =>
  new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (bytes: Buffer) => {
        output += bytes.toString('utf8');
        if (show === true) process.stderr.write(bytes);
      });
    }
    child.once('error', reject);
    child.once('close', (status) => resolve({ status: status ?? 1, output }));
    child.stdin.on('error', () => undefined);
    child.stdin.end(stdin ?? '');
  });

/** As a person would type it. */
export function commandLine({ program, args, stdin }: CommandSpec): string {
  const words = [program, ...args].map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word}'`));
  return `${words.join(' ')}${stdin === undefined ? '' : '   # the values by standard input'}`;
}
