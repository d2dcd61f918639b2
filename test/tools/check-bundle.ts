/**
 * Holds the deployed script to its budget: what `wrangler deploy --dry-run` wrote, compressed as it is uploaded.
 * Weights and WebAssembly are counted apart: they are the models' business.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

const SCRIPT_BUDGET_KB = 400;

const [folder = ''] = process.argv.slice(2);
let scriptKb = 0;
let attachedKb = 0;
for (const file of await readdir(folder)) {
  if (file.endsWith('.map') || file === 'README.md') continue;
  const kb = gzipSync(await readFile(join(folder, file))).length / 1024;
  if (file.endsWith('.js')) scriptKb += kb;
  else attachedKb += kb;
}
console.log(
  `worker script ${scriptKb.toFixed(1)} KB gzip (budget ${SCRIPT_BUDGET_KB}), weights and kernels ${attachedKb.toFixed(1)} KB`,
);
process.exitCode = scriptKb > 0 && scriptKb <= SCRIPT_BUDGET_KB ? 0 : 1;
