/**
 * `npx hybrid`: the operator's command line, with this process's terminal.
 */
import { Command } from 'commander';
import { ModelFormatError } from '../worker/engine/errors.ts';
import { createIdentityCommand } from './identity/identity-command.ts';
import { createModelsCommand } from './models/models-command.ts';
import { OnnxError } from './onnx/onnx-error.ts';
import { UserError } from './user-error.ts';

try {
  await new Command('hybrid')
    .description('Hybrid inference: models and what is done with them.')
    .addCommand(createModelsCommand((text) => console.log(text)))
    .addCommand(createIdentityCommand((text) => console.log(text), fetchText))
    .parseAsync();
} catch (error) {
  if (error instanceof OnnxError || error instanceof ModelFormatError) {
    console.error(`${error.code}: ${error.message}`);
  } else console.error(error instanceof UserError ? error.message : error);
  process.exitCode = 1;
}

async function fetchText(url: string): Promise<string> {
  const response = await fetch(url, { signal: AbortSignal.timeout(10_000) }).catch((cause: unknown) => {
    throw new UserError(`${url} cannot be reached: ${cause instanceof Error ? cause.message : String(cause)}`);
  });
  if (!response.ok) throw new UserError(`${url} answers HTTP ${response.status}`);
  return response.text();
}
