/**
 * `npm run simulate`: the simulate command with this process's terminal.
 */
import { UserError } from '../user-error.ts';
import { createSimulateCommand } from './simulate-command.ts';

try {
  await createSimulateCommand((text) => console.log(text)).parseAsync();
} catch (error) {
  console.error(error instanceof UserError ? error.message : error);
  process.exitCode = 1;
}
