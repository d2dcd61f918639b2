/**
 * Puts the files that the cards place among the static assets into `public/weights`, by model, and takes away what no card
 * names: nothing else of `models` may become an asset. Leaves out uploading, and objects of R2.
 */
import { copyFile, link, mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { edgeFiles } from '../shared/config/edge-files.ts';
import { DIFFICULTY_FILE } from '../shared/difficulty/difficulty-file.ts';
import { ASSETS_FOLDER } from '../shared/schema/assets.ts';
import { readCards } from './read-cards.ts';

/** @returns paths under `assetsFolder/weights`, such as `intent/small.hyb` */
export async function stageWeights(modelsFolder: string, assetsFolder: string): Promise<readonly string[]> {
  const target = join(assetsFolder, ASSETS_FOLDER);
  const wanted = await assetPaths(modelsFolder);
  await mkdir(target, { recursive: true });
  for (const entry of await readdir(target, { recursive: true, withFileTypes: true })) {
    const file = join(entry.parentPath, entry.name);
    if (entry.isFile() && !wanted.includes(relative(target, file))) await rm(file, { force: true });
  }
  for (const path of wanted) await putInPlace(join(modelsFolder, path), join(target, path));
  return wanted;
}

async function assetPaths(modelsFolder: string): Promise<string[]> {
  const paths = new Set<string>();
  const estimate = DIFFICULTY_FILE.weights.path;
  if (await stat(join(modelsFolder, estimate)).catch(() => undefined)) paths.add(estimate);
  for (const card of await readCards(modelsFolder)) {
    for (const [name, variant] of Object.entries(card.variants)) {
      const { weights, onnx } = edgeFiles(card, name, variant);
      for (const place of [weights, onnx?.tokenizer?.vocabulary.weights]) {
        if (place?.kind === 'asset') paths.add(place.path);
      }
    }
  }
  return [...paths].toSorted();
}

/** By another name first: a worker that starts meanwhile finds the old file or the new one, never half of one. */
async function putInPlace(from: string, to: string): Promise<void> {
  const [wanted, present] = await Promise.all([stat(from), stat(to).catch(() => undefined)]);
  if (present?.ino === wanted.ino) return;
  const passing = `${to}.${process.pid}`;
  await mkdir(dirname(to), { recursive: true });
  await link(from, passing).catch(() => copyFile(from, passing));
  await rename(passing, to);
}
