// Owns comparing the engines on one model, and the noise such models are made of.

import type { ModelInput } from '../../../worker/engine/model.ts';
import { engines } from './engines.ts';
import type { ModelSource, TensorSource } from './hyb-file.ts';
import { hybFile } from './hyb-file.ts';

/** Small numbers that look random and depend on the seed alone. */
export function noise(count: number, seed: number, low: number, high: number): number[] {
  let state = (seed ^ 0x9e3779b9) | 1;
  return Array.from({ length: count }, () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return low + ((state >>> 0) / 2 ** 32) * (high - low);
  });
}

export function i8(shape: number[], seed: number): TensorSource {
  const count = shape.reduce((product, n) => product * n, 1);
  return { dtype: 'i8', shape, values: noise(count, seed, -127, 128).map(Math.floor) };
}

export function f32(shape: number | number[], seed: number, size = 0.02): TensorSource {
  const dimensions = typeof shape === 'number' ? [shape] : shape;
  const count = dimensions.reduce((product, n) => product * n, 1);
  return { dtype: 'f32', shape: dimensions, values: noise(count, seed, -size, size) };
}

/** Largest difference of any engine's logits from the first's, relative to the largest logit. */
export async function disagreement(
  source: ModelSource,
  input: { text: string } | { pixels: Float32Array },
): Promise<number> {
  const file = hybFile(source);
  const asked: ModelInput = 'text' in input ? { kind: 'text', ...input } : { kind: 'image', ...input };
  const [first = [], ...others] = await Promise.all(
    engines.map(async ({ engine }) => (await engine.loadModel(file)).logits(asked)),
  );
  const size = Math.max(1e-3, ...first.map(Math.abs));
  const errors = others.flatMap((other) =>
    [...first].map((value, i) => Math.abs(value - (other[i] ?? Number.NaN)) / size),
  );
  return Math.max(...errors);
}
