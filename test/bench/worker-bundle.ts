/**
 * The worker as `wrangler deploy` would upload it, in a folder of its own, and its size. Offline.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import type { WorkerdModule } from './capnp.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const WRANGLER = join(ROOT, 'node_modules/wrangler/bin/wrangler.js');
const ENTRY = 'index.js';

export type WorkerBundle = {
  readonly folder: string;
  /** The entry point first. */
  readonly modules: readonly WorkerdModule[];
  readonly scriptGzipKb: number;
  readonly weightsGzipKb: number;
};

export function bundleWorker(folder: string, extra: readonly string[] = []): WorkerBundle {
  const { status, stderr } = spawnSync(
    process.execPath,
    [WRANGLER, 'deploy', '--dry-run', '--env', '', '--outdir', folder, ...extra],
    {
      cwd: ROOT,
      encoding: 'utf8',
      env: { ...process.env, WRANGLER_SEND_METRICS: 'false', CLOUDFLARE_CF_FETCH_ENABLED: 'false', NO_COLOR: '1' },
    },
  );
  if (status !== 0) throw new Error(`wrangler could not bundle the worker:\n${stderr}`);
  const names = readdirSync(folder).filter((name) => kindOf(name) !== undefined);
  const modules = [ENTRY, ...names.filter((name) => name !== ENTRY)].flatMap((name) => {
    const kind = kindOf(name);
    return kind === undefined ? [] : [{ name, kind }];
  });
  const sizeOf = (kind: WorkerdModule['kind']) =>
    modules.filter((module) => module.kind === kind).reduce((sum, { name }) => sum + gzipKb(join(folder, name)), 0);
  return { folder, modules, scriptGzipKb: sizeOf('esModule') + sizeOf('wasm'), weightsGzipKb: sizeOf('data') };
}

function kindOf(file: string): WorkerdModule['kind'] | undefined {
  const name = basename(file);
  if (name.endsWith('.js')) return 'esModule';
  if (name.endsWith('.wasm')) return 'wasm';
  return /\.(hyb|hymc)$/.test(name) ? 'data' : undefined;
}

function gzipKb(file: string): number {
  return gzipSync(readFileSync(file)).byteLength / 1_024;
}
