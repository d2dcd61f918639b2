/**
 * Bundles the worker as `wrangler deploy` does: one ES module, weights and WebAssembly beside it.
 * Leaves out uploading and minifying.
 */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';

type WorkerModule =
  | { readonly type: 'esm'; readonly contents: string }
  | { readonly type: 'data' | 'wasm'; readonly contents: Uint8Array<ArrayBuffer> };

export type WorkerBundle = { readonly mainModule: string; readonly modules: Readonly<Record<string, WorkerModule>> };

export const REPOSITORY_ROOT = fileURLToPath(new URL('..', import.meta.url));

const MAIN_MODULE = 'index.js';

export function bundleWorker(): Promise<WorkerBundle> {
  return bundle('worker/index.ts', {});
}

/** Defines as in worker/ort/wrangler.toml, where they are explained. */
export function bundleOnnxWorker(): Promise<WorkerBundle> {
  return bundle('worker/ort/index.ts', {
    'WebAssembly.instantiate': 'instantiateOnnxRuntime',
    'globalThis.process': 'undefined',
  });
}

async function bundle(entry: string, define: Readonly<Record<string, string>>): Promise<WorkerBundle> {
  const attached: Record<string, WorkerModule> = {};
  const result = await build({
    entryPoints: [resolve(REPOSITORY_ROOT, entry)],
    define: { ...define },
    absWorkingDir: REPOSITORY_ROOT,
    bundle: true,
    write: false,
    format: 'esm',
    target: 'es2024',
    platform: 'neutral',
    mainFields: ['module', 'main'],
    conditions: ['workerd', 'worker', 'browser'],
    legalComments: 'none',
    external: ['cloudflare:workers'],
    plugins: [attachBinaries(attached)],
  });
  const [script] = result.outputFiles;
  if (script === undefined) throw new Error('esbuild wrote no bundle');
  return { mainModule: MAIN_MODULE, modules: { [MAIN_MODULE]: { type: 'esm', contents: script.text }, ...attached } };
}

/** Named by folder and file, so that two models' `micro.hyb` do not meet. */
function attachBinaries(attached: Record<string, WorkerModule>): Plugin {
  return {
    name: 'attach-binaries',
    setup(bundler) {
      bundler.onResolve({ filter: /\.(hyb|hymc|wasm)$/ }, async ({ path, resolveDir, importer }) => {
        const file = path.startsWith('.') ? resolve(resolveDir, path) : createRequire(importer).resolve(path);
        const name = `${basename(dirname(file))}-${basename(file)}`;
        const contents = new Uint8Array(await readFile(file));
        attached[name] = { type: file.endsWith('.wasm') ? 'wasm' : 'data', contents };
        return { path: `./${name}`, external: true };
      });
    },
  };
}
