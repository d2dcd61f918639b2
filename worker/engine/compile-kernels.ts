// Owns compiling assembly/ to WebAssembly. Writing and comparing the files is build.ts.

import { readdirSync, readFileSync } from 'node:fs';
import { main } from 'assemblyscript/asc';

const ENTRY = 'index.ts';
const FOLDER = new URL('assembly/', import.meta.url);
const FLAGS = ['--runtime', 'stub', '--importMemory', '--noExportMemory', '--noAssert', '--enable', 'simd'];
const OPTIMIZATION = ['--optimizeLevel', '3', '--shrinkLevel', '0', '--converge'];

/** `change` may put other text in the place of a source's. */
export async function compileKernels(
  hasRelaxedSimd: boolean,
  change: (source: string) => string = (source) => source,
): Promise<Uint8Array<ArrayBuffer>> {
  const sources = new Map(
    readdirSync(FOLDER).map((name) => [name, change(readFileSync(new URL(name, FOLDER), 'utf8'))]),
  );
  const written: Uint8Array[] = [];
  const features = hasRelaxedSimd ? ['--enable', 'relaxed-simd'] : [];
  const { error } = await main([ENTRY, '--outFile', 'kernels.wasm', ...FLAGS, ...features, ...OPTIMIZATION], {
    readFile: (file) => sources.get(file) ?? null,
    writeFile: (_name, contents) => {
      written.push(typeof contents === 'string' ? Buffer.from(contents) : contents);
    },
    listFiles: () => [],
    stderr: { write: (chunk) => process.stderr.write(chunk) },
  });
  const built = written[0];
  if (error !== null || built === undefined) throw error ?? new Error('the compiler wrote nothing');
  return Uint8Array.from(built);
}
