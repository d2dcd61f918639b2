/**
 * Runs a program of the repository's own tools. Owns that what goes in by standard input is shown nowhere; leaves out what the
 * programs do.
 */
import { spawn } from 'node:child_process';

export type Ran = {
  readonly status: number;
  /** What it printed on standard output and standard error, for people. */
  readonly output: string;
  /** What it printed on standard output alone: an answer, without the warnings around it. */
  readonly answer: string;
};

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
    // Node's own pipes are sockets, and Linux does not open one as /dev/stdin: `cat` makes a real one of it.
    const child =
      stdin === undefined
        ? spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
        : spawn('sh', ['-c', 'cat | "$0" "$@"', program, ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
    let output = '';
    let answer = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
        if (stream === child.stdout) answer += text;
        if (show === true) process.stderr.write(text);
      });
    }
    child.once('error', reject);
    child.once('close', (status) => resolve({ status: status ?? 1, output, answer }));
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(stdin);
  });

/** As a person would type it. */
export function commandLine({ program, args, stdin }: CommandSpec): string {
  const words = [program, ...args].map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word}'`));
  return `${words.join(' ')}${stdin === undefined ? '' : '   # the values by standard input'}`;
}
