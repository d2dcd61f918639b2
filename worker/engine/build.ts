// Owns building kernels.wasm from assembly/. The result is committed; `--check` fails where it no longer matches its source.
// Run: node worker/engine/build.ts [--check]

import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { main } from 'assemblyscript/asc';

const SOURCE = 'index.ts';
const OUTPUT = fileURLToPath(new URL('kernels.wasm', import.meta.url));

const FLAGS = ['--runtime', 'stub', '--importMemory', '--noExportMemory', '--noAssert', '--enable', 'simd'];
const OPTIMIZATION = ['--optimizeLevel', '3', '--shrinkLevel', '0', '--converge'];

const source = readFileSync(new URL(`assembly/${SOURCE}`, import.meta.url), 'utf8');
const written: Uint8Array[] = [];
const { error } = await main([SOURCE, '--outFile', 'kernels.wasm', ...FLAGS, ...OPTIMIZATION], {
  readFile: (name) => (name === SOURCE ? source : null),
  writeFile: (_name, contents) => {
    written.push(typeof contents === 'string' ? Buffer.from(contents) : contents);
  },
  listFiles: () => [],
  stderr: { write: (chunk) => process.stderr.write(chunk) },
});
const built = written[0];
if (error !== null || built === undefined) throw error ?? new Error('the compiler wrote nothing');
if (process.argv.includes('--check')) {
  if (!readFileSync(OUTPUT).equals(built)) {
    process.stderr.write('kernels.wasm differs from what its source compiles to: run npm run build\n');
    process.exitCode = 1;
  }
} else {
  writeFileSync(OUTPUT, built);
  process.stdout.write(`kernels.wasm: ${built.length} bytes, ${gzipSync(built, { level: 9 }).length} gzipped\n`);
}
