/**
 * Real sentences and images from the files that ship with the models: spread evenly, the same ones in every run.
 */
import { join } from 'node:path';
import { REPOSITORY_ROOT } from '../../local/bundle-worker.ts';
import { readIdxPair, type LabelledImage } from '../../local/data/read-idx.ts';
import { readLabelledText, type LabelledText } from '../../local/data/read-labelled-text.ts';

export async function sampleSentences(count: number): Promise<readonly LabelledText[]> {
  return spread(await readLabelledText(join(REPOSITORY_ROOT, 'models/intent/validation.csv.gz')), count);
}

export async function sampleImages(count: number): Promise<readonly LabelledImage[]> {
  return spread(await readIdxPair(join(REPOSITORY_ROOT, 'models/digits/report-sample/images-idx3-ubyte.gz')), count);
}

function spread<T>(rows: readonly T[], count: number): readonly T[] {
  const step = Math.floor(rows.length / count);
  return rows.filter((_, index) => index % step === 0).slice(0, count);
}
