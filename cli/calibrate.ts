/**
 * `node cli/calibrate.ts`: the calibrate command with this process's terminal and environment.
 */
import { createCalibrateCommand } from './calibrate-command.ts';
import { shippedShortcuts } from './shipped-shortcuts.ts';

try {
  const apiKey = process.env['API_KEY'];
  await createCalibrateCommand({
    out: (text) => process.stdout.write(text),
    note: (text) => console.error(text),
    nowMs: Date.now(),
    apiKey: apiKey === '' ? undefined : apiKey,
    shortcutsOf: shippedShortcuts,
  }).parseAsync();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
