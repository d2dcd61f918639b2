// What the C client needs on a Cortex-M4: code, the model beside it, memory. Needs gcc-arm-none-eabi (Debian's package of that
// name). Run: npm run bench:device-size. Exits 1 above 16 KB of code or 64 KB of memory.

import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { REPOSITORY_ROOT } from '../../local/bundle-worker.ts';

const KB = 1_024;
const CODE_LIMIT_BYTES = 16 * KB;
const RAM_LIMIT_BYTES = 64 * KB;

const folder = join(REPOSITORY_ROOT, 'devices/mcu');
if (spawnSync('arm-none-eabi-gcc', ['--version'], { stdio: 'ignore' }).status !== 0) {
  throw new Error('arm-none-eabi-gcc is not there: apt-get install gcc-arm-none-eabi');
}
const made = spawnSync('make', ['-C', folder, 'size'], { encoding: 'utf8' });
if (made.status !== 0) throw new Error(made.stderr);
const sections = new Map(
  made.stdout.split('\n').flatMap((line): [string, number][] => {
    const found = /^(\.\S+)\s+(\d+)/.exec(line);
    return found?.[1] === undefined ? [] : [[found[1], Number(found[2])]];
  }),
);
const sizeOf = (...names: string[]): number => names.reduce((sum, name) => sum + (sections.get(name) ?? 0), 0);
const codeBytes = sizeOf('.text', '.ARM.exidx', '.data');
const ramBytes = sizeOf('.data', '.bss');
const modelBytes = sizeOf('.model');
const stackBytes = deepestStack();
console.log(`code and constants without the model  ${codeBytes} bytes (limit ${CODE_LIMIT_BYTES})`);
console.log(`digits model, in flash                ${modelBytes} bytes`);
console.log(`memory, static                        ${ramBytes} bytes`);
console.log(`stack, sum of the deepest frames      ${stackBytes} bytes at most`);
console.log(`memory in all, model in flash         ${ramBytes + stackBytes} bytes (limit ${RAM_LIMIT_BYTES})`);
console.log(
  `memory in all, model in memory too    ${ramBytes + stackBytes + modelBytes} bytes (limit ${RAM_LIMIT_BYTES})`,
);
const isWithin = codeBytes <= CODE_LIMIT_BYTES && ramBytes + stackBytes + modelBytes <= RAM_LIMIT_BYTES;
console.log(isWithin ? 'held' : 'NOT HELD');
process.exitCode = isWithin ? 0 : 1;

/** No path calls every function, so all frames together are more than any path needs. */
function deepestStack(): number {
  const build = join(folder, 'build/stack');
  return readdirSync(build)
    .filter((name) => name.endsWith('.su'))
    .flatMap((name) => readFileSync(join(build, name), 'utf8').trim().split('\n'))
    .reduce((sum, line) => sum + Number(line.split('\t')[1] ?? 0), 0);
}
