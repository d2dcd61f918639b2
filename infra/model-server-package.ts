/**
 * The model server's Lambda package for a synth: built locally (no docker, no npm, no network), kept under dist/ by the
 * hash of what goes into it, so that an unchanged source costs one hash. What is packed is lambdas/build.ts's business.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** `<file>.<export>` in the built package. */
export const MODEL_SERVER_HANDLER = 'handler.handler';

export type PackageRequest = { readonly arch: 'arm64'; readonly variants: readonly string[] };

/** buildLambdaPackage of lambdas/build.ts; `served` lists `model/variant`. */
export type BuildPackage = (
  options: PackageRequest & { readonly outDir: string },
) => Promise<{ readonly served: readonly string[] }>;

/** Sources of the package, relative to the repository's root; notebooks and training scripts are not among them. */
const SOURCE_FOLDERS = ['lambdas', 'shared', 'models'];
const SOURCE_FILE = /(?<!\.test)\.(ts|json|onnx|txt)$/;
const SKIPPED_FOLDERS = new Set(['node_modules', 'dist', '__pycache__']);
const LOCK_FILE = 'package-lock.json';

/** @returns the directory of a package that matches the sources, built now if there was none */
export async function modelServerPackage(root: string, request: PackageRequest, build: BuildPackage): Promise<string> {
  const shelf = join(root, 'dist', 'model-server');
  const packageDir = join(shelf, await sourceHash(root, request));
  if (existsSync(packageDir)) return packageDir;

  await mkdir(shelf, { recursive: true });
  const unfinished = join(shelf, `.unfinished-${process.pid}`);
  await rm(unfinished, { recursive: true, force: true });
  try {
    const { served } = await build({ ...request, outDir: unfinished });
    // Deployed, it would fail on its first call.
    if (served.length === 0)
      throw new Error(`No model's card has an ONNX variant called ${request.variants.join(' or ')}.`);
    await forgetOthers(shelf, unfinished);
    // Renamed only when complete: a directory that exists under its hash can be trusted.
    await rename(unfinished, packageDir);
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
  return packageDir;
}

async function sourceHash(root: string, request: PackageRequest): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify(request));
  for (const path of [...(await sourceFiles(root)), LOCK_FILE]) {
    hash.update(`\0${path}\0`).update(await readFile(join(root, path)));
  }
  return hash.digest('hex').slice(0, 16);
}

async function sourceFiles(root: string): Promise<string[]> {
  const found: string[] = [];
  const visit = async (folder: string): Promise<void> => {
    for (const entry of await readdir(join(root, folder), { withFileTypes: true })) {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory() && !SKIPPED_FOLDERS.has(entry.name)) await visit(path);
      else if (entry.isFile() && SOURCE_FILE.test(entry.name)) found.push(path);
    }
  };
  for (const folder of SOURCE_FOLDERS) await visit(folder);
  return found.sort();
}

/** Keeps the shelf to one finished package; another synth's unfinished one is left alone. */
async function forgetOthers(shelf: string, unfinished: string): Promise<void> {
  for (const name of await readdir(shelf)) {
    const path = join(shelf, name);
    if (path !== unfinished && !name.startsWith('.unfinished-')) await rm(path, { recursive: true, force: true });
  }
}
