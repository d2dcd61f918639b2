/**
 * How much more likely a large model answers a text rightly than a small one, before either is asked: a linear model over a
 * text's character n-grams. Owns reading the model's file and scoring; training is cli/difficulty, what a plan makes of the
 * number is shared/decide.
 */
import * as z from 'zod/mini';
import type { GramSpec } from './text-grams.ts';
import { createTextGrams } from './text-grams.ts';

/** P(large right) - P(small right), -1..1, as calibrated on texts that the model was not trained on. */
export type EstimateDifficulty = (text: string) => number;

/** `scale` is of the weights; `intercept + slope * raw` is what was right on average where the score was `raw`. */
const headerSchema = z.strictObject({
  kind: z.literal('difficulty'),
  grams: z.strictObject({
    bits: z.number().check(z.int(), z.gte(8), z.lte(22)),
    sizes: z.tuple([z.number().check(z.int(), z.gte(1)), z.number().check(z.int(), z.lte(12))]),
    max_chars: z.number().check(z.int(), z.gte(1), z.lte(100_000)),
  }),
  scale: z.number().check(z.gt(0)),
  intercept: z.number(),
  slope: z.number(),
});

export type DifficultyHeader = z.infer<typeof headerSchema>;

const MAGIC = [0x48, 0x59, 0x42, 0x44]; // HYBD
const VERSION = 1;
const PREFIX_BYTES = 12;
const MAX_HEADER_BYTES = 4096;

/** Magic, u32 version, u32 header bytes (little endian), a header of JSON in ASCII, one int8 a bucket. */
export function writeDifficulty(header: DifficultyHeader, weights: Int8Array): Uint8Array {
  const text = JSON.stringify(header);
  const bytes = new Uint8Array(PREFIX_BYTES + text.length + weights.length);
  bytes.set(MAGIC);
  const view = new DataView(bytes.buffer);
  view.setUint32(4, VERSION, true);
  view.setUint32(8, text.length, true);
  for (let i = 0; i < text.length; i += 1) bytes[PREFIX_BYTES + i] = text.charCodeAt(i);
  bytes.set(new Uint8Array(weights.buffer, weights.byteOffset, weights.length), PREFIX_BYTES + text.length);
  return bytes;
}

/** @throws where the file is not whole */
export function readDifficulty(file: ArrayBuffer): EstimateDifficulty {
  const view = new DataView(file);
  const headerBytes = file.byteLength < PREFIX_BYTES ? 0 : view.getUint32(8, true);
  const isOurs = MAGIC.every((byte, i) => file.byteLength > i && view.getUint8(i) === byte);
  if (!isOurs || headerBytes === 0 || headerBytes > MAX_HEADER_BYTES || view.getUint32(4, true) !== VERSION)
    throw new Error('The file is no difficulty model of version 1.');
  if (PREFIX_BYTES + headerBytes > file.byteLength) throw new Error('The difficulty model is cut short.');
  const text = String.fromCharCode(...new Uint8Array(file, PREFIX_BYTES, headerBytes));
  const header = headerSchema.parse(JSON.parse(text));
  const weights = new Int8Array(file, PREFIX_BYTES + headerBytes);
  if (weights.length !== 2 ** header.grams.bits || header.grams.sizes[0] > header.grams.sizes[1])
    throw new Error('The difficulty model does not hold one weight a bucket.');
  return createEstimate(header, weights);
}

export function createEstimate(header: DifficultyHeader, weights: Int8Array): EstimateDifficulty {
  const { scale, intercept, slope } = header;
  const raw = createRawScore(header.grams, weights);
  return (text) => Math.min(1, Math.max(-1, intercept + slope * scale * raw(text)));
}

/** The sum of the weights of a text's n-grams over the root of their number, so that long texts are not extreme for being long. */
export function createRawScore(grams: GramSpec, weights: ArrayLike<number>): (text: string) => number {
  const gramsOf = createTextGrams(grams);
  return (text) => {
    const { ids, count } = gramsOf(text);
    let sum = 0;
    for (let i = 0; i < count; i += 1) sum += weights[ids[i] ?? 0] ?? 0;
    return count === 0 ? 0 : sum / Math.sqrt(count);
  };
}
