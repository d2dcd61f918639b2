/**
 * Prints the one line that says how many tests ran, from Vitest's JSON report. Fails where none did.
 */
import { readFile } from 'node:fs/promises';
import * as z from 'zod';

const reportSchema = z.object({
  numPassedTests: z.number(),
  numFailedTests: z.number(),
  numPendingTests: z.number(),
  numTodoTests: z.number(),
});

const [file = ''] = process.argv.slice(2);
const report = reportSchema.parse(JSON.parse(await readFile(file, 'utf8')));
const skipped = report.numPendingTests + report.numTodoTests;
console.log(
  `${report.numPassedTests} passed, ${report.numFailedTests} failed${skipped === 0 ? '' : `, ${skipped} skipped`}`,
);
process.exitCode = report.numPassedTests > 0 && report.numFailedTests === 0 ? 0 : 1;
