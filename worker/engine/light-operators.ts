// Owns the operators that are too light to be worth WebAssembly: pooling, layer norm, activations, softmax.
// They work in place or between offsets counted in float32 values, not bytes.

import type { Activation, Image, Window } from './steps.ts';

export function maxPool(f32: Float32Array, x: number, out: number, window: Window, input: Image, output: Image): void {
  const { channels } = output;
  let to = out;
  for (let oy = 0; oy < output.height; oy += 1) {
    for (let ox = 0; ox < output.width; ox += 1) {
      for (let c = 0; c < channels; c += 1) {
        let largest = -Infinity;
        for (let ky = 0; ky < window.kernelHeight; ky += 1) {
          for (let kx = 0; kx < window.kernelWidth; kx += 1) {
            const pixel = (oy * window.strideY + ky) * input.width + ox * window.strideX + kx;
            largest = Math.max(largest, f32[x + pixel * channels + c] ?? 0);
          }
        }
        f32[to] = largest;
        to += 1;
      }
    }
  }
}

export function globalAvgPool(f32: Float32Array, x: number, out: number, input: Image): void {
  const pixels = input.height * input.width;
  for (let c = 0; c < input.channels; c += 1) {
    let sum = 0;
    for (let p = 0; p < pixels; p += 1) sum += f32[x + p * input.channels + c] ?? 0;
    f32[out + c] = sum / pixels;
  }
}

export function layerNorm(
  f32: Float32Array,
  x: number,
  out: number,
  size: number,
  gamma: number,
  beta: number,
  epsilon: number,
): void {
  let sum = 0;
  for (let i = 0; i < size; i += 1) sum += f32[x + i] ?? 0;
  const mean = sum / size;
  let squares = 0;
  for (let i = 0; i < size; i += 1) squares += ((f32[x + i] ?? 0) - mean) ** 2;
  const inverse = 1 / Math.sqrt(squares / size + epsilon);
  for (let i = 0; i < size; i += 1) {
    f32[out + i] = ((f32[x + i] ?? 0) - mean) * inverse * (f32[gamma + i] ?? 0) + (f32[beta + i] ?? 0);
  }
}

export function activate(f32: Float32Array, x: number, size: number, activation: Activation): void {
  if (activation === 'none') return;
  for (let i = x; i < x + size; i += 1) {
    const value = f32[i] ?? 0;
    if (activation === 'relu') f32[i] = Math.max(value, 0);
    else if (activation === 'tanh') f32[i] = Math.tanh(value);
    else f32[i] = 0.5 * value * (1 + erf(value * Math.SQRT1_2));
  }
}

/** Abramowitz and Stegun 7.1.26: the absolute error is at most 1.5e-7. */
function erf(x: number): number {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const series = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  return Math.sign(x) * (1 - series * Math.exp(-x * x));
}

/** A new array of softmax(logits / temperature). Logits must be finite. */
export function softmax(logits: Float32Array, temperature: number): Float32Array {
  const probabilities = new Float32Array(logits.length);
  let largest = -Infinity;
  for (const logit of logits) largest = Math.max(largest, logit);
  let sum = 0;
  for (let i = 0; i < logits.length; i += 1) {
    const value = Math.exp(((logits[i] ?? 0) - largest) / temperature);
    probabilities[i] = value;
    sum += value;
  }
  for (let i = 0; i < logits.length; i += 1) probabilities[i] = (probabilities[i] ?? 0) / sum;
  return probabilities;
}
