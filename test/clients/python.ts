/**
 * Python's programs in virtual environments of their own, made on first use and kept; skipped with a message where there is
 * no Python or no network to fetch them.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const CACHE = join(HERE, '../../node_modules/.cache');

export type PythonEnvironment = {
  /** A program of the environment. */
  bin(name: string): string;
};

type Prepared =
  | { readonly kind: 'ready'; readonly python: PythonEnvironment }
  | { readonly kind: 'missing'; readonly reason: string };

/** @param requirements a file beside this one; each has an environment of its own */
export async function preparePython(requirements: string): Promise<Prepared> {
  if ((await run('python3', ['--version'])) !== 0) return missing('there is no python3');
  const folder = join(CACHE, `python-${requirements.replace(/\.txt$/, '')}`);
  const python: PythonEnvironment = { bin: (name) => join(folder, 'bin', name) };
  if (!existsSync(python.bin('python')) && (await run('python3', ['-m', 'venv', folder])) !== 0)
    return missing('python3 cannot make virtual environments (the package python3-venv)');
  const installed = await run(python.bin('python'), [
    '-m',
    'pip',
    'install',
    '--quiet',
    '-r',
    join(HERE, requirements),
  ]);
  return installed === 0 ? { kind: 'ready', python } : missing('its packages could not be installed');
}

/** 1 where the script failed; its own lines say how. */
export async function runScript(python: PythonEnvironment, script: string, url: string): Promise<number> {
  return (await run(python.bin('python'), [join(HERE, script), url], 'inherit')) === 0 ? 0 : 1;
}

export function scriptPath(script: string): string {
  return join(HERE, script);
}

/** What a script prints. */
export async function capture(
  python: PythonEnvironment,
  script: string,
  parameters: readonly string[],
): Promise<string> {
  const child = spawn(python.bin('python'), [join(HERE, script), ...parameters], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return text(child.stdout);
}

function missing(reason: string): Prepared {
  return { kind: 'missing', reason };
}

/** Not synchronously: the stand-ins that Python's clients ask run in this very process. */
async function run(
  command: string,
  parameters: readonly string[],
  output: 'ignore' | 'inherit' = 'ignore',
): Promise<number> {
  const child = spawn(command, [...parameters], { stdio: output });
  try {
    const [code] = (await once(child, 'exit')) as [number | null];
    return code ?? 1;
  } catch {
    return 1;
  }
}
