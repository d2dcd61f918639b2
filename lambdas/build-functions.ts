/**
 * Packs the small functions (those that run no model): one file each, nothing beside it, offline.
 * `<name>.handler` is a function's handler.
 */
import { mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));

const ENTRY_POINTS = {
  probe: join(here, 'probe/handler.ts'),
  rollup: join(here, 'rollup/handler.ts'),
  batch: join(here, 'batch/handler.ts'),
};

/** @returns the directory, with `<name>.mjs` for each function */
export async function buildSmallFunctions(outDir: string): Promise<string> {
  await rm(outDir, { recursive: true, force: true });
  await mkdir(outDir, { recursive: true });
  await build({
    entryPoints: ENTRY_POINTS,
    outdir: outDir,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    minify: true,
    platform: 'node',
    target: 'node22',
    format: 'esm',
    legalComments: 'none',
    logLevel: 'error',
  });
  return outDir;
}
