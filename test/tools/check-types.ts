/**
 * Type-checks every folder with its own compiler settings: the platform types a folder may use are the line it may not cross.
 */
import { spawnSync } from 'node:child_process';

const FOLDERS = ['shared', 'worker', 'lambdas', 'local', 'cli', 'infra', 'client', 'test', 'test/workerd'];

let failed = 0;
for (const folder of FOLDERS) {
  const { status } = spawnSync('tsc', ['--project', folder], { stdio: 'inherit', shell: false });
  if (status !== 0) {
    failed += 1;
    console.error(`types: ${folder} has errors`);
  }
}
process.exitCode = failed === 0 ? 0 : 1;
