/**
 * `npm run eval`: the eval command with this process's terminal, environment and signals.
 */
import { startStack } from '../local/stack.ts';
import { createEvalCommand } from './eval-command.ts';
import { loadDotEnv } from './load-dot-env.ts';
import { UserError } from './user-error.ts';

const INTERRUPTED_STATUS = 130;

const stop = new AbortController();
process.once('SIGINT', () => stop.abort());
process.once('SIGTERM', () => stop.abort());

try {
  loadDotEnv();
  const apiKey = process.env['API_KEY'];
  const command = createEvalCommand({
    output: { out: (text) => console.log(text), progress: process.stderr },
    apiKey: apiKey === '' ? undefined : apiKey,
    startGateway: (key) => startStack({ port: 0, apiKey: key }),
    signal: stop.signal,
  });
  await command.parseAsync();
} catch (error) {
  if (stop.signal.aborted) {
    process.exitCode = INTERRUPTED_STATUS;
  } else {
    console.error(error instanceof UserError ? error.message : error);
    process.exitCode = 1;
  }
}
