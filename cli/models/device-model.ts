/**
 * `hybrid models device`: writes a microcontroller's model and says what became of the answers on examples that were not
 * used to make it.
 */
import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { readIdxPair } from '../../local/data/read-idx.ts';
import { readImage, scratchBytes, writeImage } from '../../shared/device/model-image.ts';
import { runImage } from '../../shared/device/run-image.ts';
import { quantizeUnit } from '../../shared/device/tensor.ts';
import type { Report } from '../operator/terminal.ts';
import { UserError } from '../user-error.ts';
import { makeDeviceImage } from './device-image.ts';
import { openEdgeModel } from './edge-model.ts';
import { readUserFile } from './examples.ts';

export type DeviceFlags = {
  readonly images: string;
  readonly out: string;
  /** How many of the images the ranges are taken from; the rest is compared. */
  readonly calibration: number;
};

export async function makeDeviceModel(file: string, flags: DeviceFlags): Promise<Report> {
  const { model } = await openEdgeModel(file);
  const examples = await readIdxPair(flags.images).catch((cause: unknown) => {
    throw new UserError(cause instanceof Error ? cause.message : String(cause), { cause });
  });
  const rows = examples.slice(flags.calibration);
  if (rows.length === 0) throw new UserError('No image is left to compare with: lower --calibration.');
  const hyb = Uint8Array.from(await readUserFile(file)).buffer;
  const seen = examples.slice(0, flags.calibration).map(({ pixels }) => pixels);
  const bytes = writeImage(await makeDeviceImage(hyb, seen));
  await writeFile(flags.out, bytes);
  const image = readImage(bytes);
  let same = 0;
  const differences = rows.map(({ pixels }) => {
    const { data } = quantizeUnit(pixels, [pixels.length]);
    const answer = runImage(image, Int8Array.from(data));
    const original = model.classify({ kind: 'image', pixels: Float32Array.from(pixels) });
    if (answer.probabilities.indexOf(Math.max(...answer.probabilities)) === original.labelIndex) same += 1;
    return Math.abs((answer.probabilities[original.labelIndex] ?? 0) - original.confidence);
  });
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const largest = Math.max(...differences);
  return {
    value: {
      file: flags.out,
      size_bytes: bytes.length,
      scratch_bytes: scratchBytes(image),
      sha256,
      compared: rows.length,
      same_label: same,
      largest_confidence_error: largest,
    },
    text: [
      `${flags.out}: ${bytes.length} bytes, ${scratchBytes(image)} bytes of memory while it runs`,
      `sha256 ${sha256}`,
      `same label on ${same} of ${rows.length} other images; confidence off by at most ${largest.toFixed(4)}`,
    ].join('\n'),
  };
}
