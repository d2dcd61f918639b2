// Owns building the kernels from assembly/: kernels.wasm, and kernels-relaxed.wasm for runtimes with relaxed SIMD.
// Both are committed; `--check` fails where one no longer matches its source. Run: node worker/engine/build.ts [--check]

import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { compileKernels } from './compile-kernels.ts';

await build('kernels.wasm', false);
await build('kernels-relaxed.wasm', true);

async function build(name: string, hasRelaxedSimd: boolean): Promise<void> {
  const built = await compileKernels(hasRelaxedSimd);
  const output = fileURLToPath(new URL(name, import.meta.url));
  if (process.argv.includes('--check')) {
    if (!readFileSync(output).equals(built)) {
      process.stderr.write(`${name} differs from what its source compiles to: run npm run build\n`);
      process.exitCode = 1;
    }
  } else {
    writeFileSync(output, built);
    process.stdout.write(`${name}: ${built.length} bytes, ${gzipSync(built, { level: 9 }).length} gzipped\n`);
  }
}
