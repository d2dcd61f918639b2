// Owns laying out and calling convolutions: windows are gathered into rows, and rows multiplied by blocks of weights.

import type { Arena } from './arena.ts';
import { packedProduct } from './integer-product.ts';
import { BLOCK, QUAD, QUANTIZED_BYTES, ROW_META_BYTES } from './kernels.ts';
import { activate } from './light-operators.ts';
import type { Call, StepOf } from './machine.ts';
import { keyOf, placeFloats } from './machine.ts';
import { floatsOf, integersOf } from './tensors.ts';

/** Gather this many windows at a time at most, and this many values. */
const MAX_WINDOWS = 64;
const MAX_WINDOW_VALUES = 32_768;
/** Windows are copied sixteen bytes at a time, the last past its end. */
const RUN_OVER_BYTES = 64;

export function convolution(step: StepOf<'conv2d'>, arena: Arena): Call {
  const { window, input, output, activation } = step;
  const { kernelHeight, kernelWidth, strideY, strideX, padTop, padLeft } = window;
  const outputs = output.channels;
  const blocks = Math.ceil(outputs / BLOCK);
  const depth = kernelHeight * kernelWidth * input.channels;
  const pixels = output.height * output.width;
  if (step.arithmetic !== 'f32') return integerConvolution(step, arena);
  const weights = arena.place(keyOf('blocks', step.weights, step.scales), blocks * depth * BLOCK * 4, () =>
    blockWeights(step, depth, blocks),
  );
  const bias = arena.place(keyOf('padded', step.bias), blocks * BLOCK * 4, () => {
    const padded = new Float32Array(blocks * BLOCK);
    padded.set(floatsOf(step.bias));
    return padded;
  });
  const windows = windowsAtOnce(pixels, depth);
  const rows = arena.shared('windows', windows * depth * 4);
  const relu = activation === 'relu' ? 1 : 0;
  return (machine, from, to) => {
    const { kernels } = machine;
    for (let p = 0; p < pixels; p += windows) {
      const count = Math.min(windows, pixels - p);
      kernels.patches(
        from,
        rows(),
        p,
        count,
        input.height,
        input.width,
        input.channels,
        output.width,
        kernelHeight,
        kernelWidth,
        strideY,
        strideX,
        padTop,
        padLeft,
      );
      kernels.multiply(rows(), weights, bias, to + p * outputs * 4, count, depth, outputs, relu);
    }
    if (relu === 0) activate(machine, to >> 2, pixels * outputs, activation);
  };
}

/** The whole image is quantized once, with one scale; windows are gathered from that. */
function integerConvolution(step: StepOf<'conv2d'>, arena: Arena): Call {
  const { window, input, output, activation } = step;
  const depth = window.kernelHeight * window.kernelWidth * input.channels;
  const pixels = output.height * output.width;
  const size = input.height * input.width * input.channels;
  const count = windowsAtOnce(pixels, depth);
  const { padded, multiply } = packedProduct(arena, step, depth, output.channels);
  const image = arena.shared('image', (size + QUAD) * QUANTIZED_BYTES + RUN_OVER_BYTES);
  const imageMeta = arena.shared('image meta', ROW_META_BYTES);
  const rows = arena.shared('quantized', count * padded * QUANTIZED_BYTES + RUN_OVER_BYTES);
  const meta = arena.shared('rows', count * ROW_META_BYTES);
  const relu = activation === 'relu' ? 1 : 0;
  return (machine, from, to) => {
    const { kernels } = machine;
    kernels.quantize(from, image(), imageMeta(), 1, size, size, 1);
    for (let p = 0; p < pixels; p += count) {
      const some = Math.min(count, pixels - p);
      kernels.windows(
        image(),
        imageMeta(),
        rows(),
        meta(),
        p,
        some,
        input.height,
        input.width,
        input.channels,
        output.width,
        window.kernelHeight,
        window.kernelWidth,
        window.strideY,
        window.strideX,
        window.padTop,
        window.padLeft,
        padded,
      );
      multiply(machine, rows(), meta(), to + p * output.channels * 4, some, relu);
    }
    if (relu === 0) activate(machine, to >> 2, pixels * output.channels, activation);
  };
}

export function maxPool({ window, input, output }: StepOf<'max_pool2d'>): Call {
  return ({ kernels }, from, to) =>
    kernels.maxPool(
      from,
      to,
      input.height,
      input.width,
      input.channels,
      output.height,
      output.width,
      window.kernelHeight,
      window.kernelWidth,
      window.strideY,
      window.strideX,
      window.padTop,
      window.padLeft,
    );
}

function windowsAtOnce(pixels: number, depth: number): number {
  return Math.min(pixels, MAX_WINDOWS, Math.max(4, Math.floor(MAX_WINDOW_VALUES / depth)));
}

export function depthwise(step: StepOf<'conv2d'>, arena: Arena): Call {
  const { window, input, output, activation } = step;
  const { channels } = output;
  const taps = window.kernelHeight * window.kernelWidth;
  const weights = arena.place(keyOf('taps', step.weights, step.scales), taps * channels * 4, () => {
    const [values, scales] = [integersOf(step.weights), floatsOf(step.scales)];
    return Float32Array.from({ length: taps * channels }, (_, i) => {
      const [tap, channel] = [Math.floor(i / channels), i % channels];
      return (values[channel * taps + tap] ?? 0) * (scales[channel] ?? 0);
    });
  });
  const bias = placeFloats(arena, step.bias);
  const relu = activation === 'relu' ? 1 : 0;
  return (machine, from, to) => {
    const { kernels } = machine;
    kernels.depthwise(
      from,
      weights,
      bias,
      to,
      input.height,
      input.width,
      channels,
      output.height,
      output.width,
      window.kernelHeight,
      window.kernelWidth,
      window.strideY,
      window.strideX,
      window.padTop,
      window.padLeft,
      relu,
    );
    if (relu === 0) activate(machine, to >> 2, output.height * output.width * channels, activation);
  };
}

/** Weights with their scales folded in, stored [block][k][output within block], zeros beyond the last output. */
function blockWeights(step: StepOf<'conv2d'>, depth: number, blocks: number): Float32Array {
  const [values, scales] = [integersOf(step.weights), floatsOf(step.scales)];
  const stored = new Float32Array(blocks * depth * BLOCK);
  for (let o = 0; o < step.output.channels; o += 1) {
    const to = Math.floor(o / BLOCK) * depth * BLOCK + (o % BLOCK);
    for (let k = 0; k < depth; k += 1) stored[to + k * BLOCK] = (values[o * depth + k] ?? 0) * (scales[o] ?? 0);
  }
  return stored;
}
