// Owns building the kernels from assembly/: kernels.wasm, and kernels-relaxed.wasm for runtimes with relaxed SIMD.
// Both are committed; `--check` fails where one no longer matches its source. Run: node worker/engine/build.ts [--check]

import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { main } from 'assemblyscript/asc';

const ENTRY = 'index.ts';
const SOURCES = new Map(
  [ENTRY, 'image.ts', 'integer.ts', 'sequence.ts'].map((name) => [
    name,
    readFileSync(new URL(`assembly/${name}`, import.meta.url), 'utf8'),
  ]),
);

const FLAGS = ['--runtime', 'stub', '--importMemory', '--noExportMemory', '--noAssert', '--enable', 'simd'];
const OPTIMIZATION = ['--optimizeLevel', '3', '--shrinkLevel', '0', '--converge'];

await build('kernels.wasm', []);
await build('kernels-relaxed.wasm', ['--enable', 'relaxed-simd']);

async function build(name: string, features: readonly string[]): Promise<void> {
  const written: Uint8Array[] = [];
  const { error } = await main([ENTRY, '--outFile', name, ...FLAGS, ...features, ...OPTIMIZATION], {
    readFile: (file) => SOURCES.get(file) ?? null,
    writeFile: (_name, contents) => {
      written.push(typeof contents === 'string' ? Buffer.from(contents) : contents);
    },
    listFiles: () => [],
    stderr: { write: (chunk) => process.stderr.write(chunk) },
  });
  const built = written[0];
  if (error !== null || built === undefined) throw error ?? new Error('the compiler wrote nothing');
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
