/**
 * Python's clients in a virtual environment of their own, made on first use and kept; skipped with a message where there is no
 * Python or no network to fetch them.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const ENVIRONMENT = join(HERE, '../../node_modules/.cache/python-clients');
const PYTHON = join(ENVIRONMENT, 'bin/python');

/** Why Python's clients cannot be run, or undefined where the environment is ready. */
export async function preparePython(): Promise<string | undefined> {
  if ((await run('python3', ['--version'])) !== 0) return 'there is no python3';
  if (!existsSync(PYTHON) && (await run('python3', ['-m', 'venv', ENVIRONMENT])) !== 0) {
    return 'python3 cannot make virtual environments (the package python3-venv)';
  }
  const installed = await run(PYTHON, ['-m', 'pip', 'install', '--quiet', '-r', join(HERE, 'requirements.txt')]);
  return installed === 0 ? undefined : 'its packages could not be installed';
}

/** Failures of one script; its own lines say which. */
export async function runPython(script: string, url: string): Promise<number> {
  return (await run(PYTHON, [join(HERE, script), url], true)) === 0 ? 0 : 1;
}

/** Not synchronously: the stand-ins that Python's clients ask run in this very process. */
async function run(command: string, parameters: readonly string[], isShown = false): Promise<number> {
  const child = spawn(command, [...parameters], { stdio: isShown ? 'inherit' : 'ignore' });
  try {
    const [code] = (await once(child, 'exit')) as [number | null];
    return code ?? 1;
  } catch {
    return 1;
  }
}
