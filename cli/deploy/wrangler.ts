/**
 * Wrangler's part of a deployment: which secrets a worker has, giving it some, putting it into service, taking it out.
 */
import * as z from 'zod';
import { CommandFailure } from '../command-failure.ts';
import type { CommandSpec, Ran, RunCommand } from './run-command.ts';

const secretsSchema = z.array(z.object({ name: z.string() }));
/** Wrangler's words, and Cloudflare's, for a worker that was never deployed or is gone. */
const NO_WORKER = /Worker "[^"]*"[^\n]* not found|Worker does not exist|\[code: (10007|10090)\]/i;

export const listSecretsCommand = (environment: string): CommandSpec => ({
  program: 'npx',
  args: ['--no-install', 'wrangler', 'secret', 'list', '--env', environment, '--format', 'json'],
});
/** Code and secrets are one version: at no moment does the worker run without the table that says who may call it. */
export const deployWorkerCommand = (environment: string, secrets: Readonly<Record<string, string>>): CommandSpec => ({
  program: 'npx',
  args: ['--no-install', 'wrangler', 'deploy', '--env', environment, '--secrets-file', '/dev/stdin'],
  stdin: JSON.stringify(secrets),
  show: true,
});
export const deleteWorkerCommand = (environment: string): CommandSpec => ({
  program: 'npx',
  args: ['--no-install', 'wrangler', 'delete', '--env', environment, '--force'],
  show: true,
});

/** Also where a run that was cut short has deleted it already. */
export function deletedOrNone({ status, output }: Ran): boolean {
  return status === 0 || NO_WORKER.test(output);
}

/** Names only: nobody can read a secret back. Empty for a worker that is not there yet. */
export async function listSecrets(run: RunCommand, environment: string): Promise<readonly string[]> {
  const { status, output, answer } = await run(listSecretsCommand(environment));
  const parsed = secretsSchema.safeParse(parseJson(answer));
  if (status === 0 && parsed.success) return parsed.data.map(({ name }) => name);
  if (NO_WORKER.test(output)) return [];
  throw new CommandFailure('unreachable', `wrangler secret list failed (${status}):\n${output.trim()}`);
}

/** What wrangler says it deployed to. */
export function deployedUrl(output: string): string | undefined {
  return /https:\/\/[\w.-]+\.workers\.dev/.exec(output)?.[0];
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
