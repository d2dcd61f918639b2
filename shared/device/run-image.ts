/**
 * A device's inference in TypeScript, integer for integer what devices/mcu/src/hd_infer.c computes: the device that runs where
 * there is no C compiler, and the oracle the C code is held to. Owns the arithmetic; the file is model-image.ts.
 */
import { sizeOf, type ImageLayer, type ModelImage } from './model-image.ts';

export type ImageAnswer = {
  readonly logits: Float32Array;
  /** softmax(logits / temperature). */
  readonly probabilities: Float32Array;
};

/** @param input as many values as the image's input has, quantized as it says */
export function runImage(image: ModelImage, input: Int8Array): ImageAnswer {
  if (input.length !== sizeOf(image.input)) throw new RangeError(`${input.length} values for a device model`);
  let values = input;
  for (const layer of image.layers) {
    if (layer.scale !== undefined) {
      const logits = logitsOf(layer, layer.scale, values);
      return { logits, probabilities: softmax(logits, image.temperature) };
    }
    values = runLayer(layer, values);
  }
  throw new RangeError('a device model without a last layer');
}

function runLayer(layer: ImageLayer, input: Int8Array): Int8Array {
  const output = new Int8Array(sizeOf(layer.output));
  const { height, width, channels } = layer.output;
  for (let row = 0; row < height; row += 1) {
    for (let column = 0; column < width; column += 1) {
      for (let channel = 0; channel < channels; channel += 1) {
        output[(row * width + column) * channels + channel] = valueAt(layer, input, row, column, channel);
      }
    }
  }
  return output;
}

function valueAt(layer: ImageLayer, input: Int8Array, row: number, column: number, channel: number): number {
  if (layer.op === 'max_pool2d') return maximum(layer, input, row, column, channel);
  if (layer.op === 'average_pool') return mean(layer, input, channel);
  const sum = accumulate(layer, input, row, column, channel);
  const shift = layer.shift?.[channel] ?? 1;
  const product = sum * (layer.multiplier?.[channel] ?? 0);
  const rounded = Math.floor((product + 2 ** (shift - 1)) / 2 ** shift) + layer.outputZero;
  return Math.min(127, Math.max(layer.outputLeast, rounded));
}

function accumulate(layer: ImageLayer, input: Int8Array, row: number, column: number, channel: number): number {
  const weights = layer.weights ?? new Int8Array(0);
  let sum = layer.bias?.[channel] ?? 0;
  if (layer.op === 'dense') {
    const depth = sizeOf(layer.input);
    for (let index = 0; index < depth; index += 1) {
      sum += ((input[index] ?? 0) - layer.inputZero) * (weights[channel * depth + index] ?? 0);
    }
    return sum;
  }
  const { height, width, channels } = layer.input;
  const [kernelHeight, kernelWidth] = layer.kernel;
  for (let y = 0; y < kernelHeight; y += 1) {
    const inRow = row * layer.stride[0] - layer.pad[0] + y;
    if (inRow < 0 || inRow >= height) continue;
    for (let x = 0; x < kernelWidth; x += 1) {
      const inColumn = column * layer.stride[1] - layer.pad[1] + x;
      if (inColumn < 0 || inColumn >= width) continue;
      const from = (inRow * width + inColumn) * channels;
      const weightsFrom = ((channel * kernelHeight + y) * kernelWidth + x) * channels;
      for (let index = 0; index < channels; index += 1) {
        sum += ((input[from + index] ?? 0) - layer.inputZero) * (weights[weightsFrom + index] ?? 0);
      }
    }
  }
  return sum;
}

function maximum(layer: ImageLayer, input: Int8Array, row: number, column: number, channel: number): number {
  const { width, channels } = layer.input;
  let most = -128;
  for (let y = 0; y < layer.kernel[0]; y += 1) {
    for (let x = 0; x < layer.kernel[1]; x += 1) {
      const at = ((row * layer.stride[0] + y) * width + column * layer.stride[1] + x) * channels + channel;
      most = Math.max(most, input[at] ?? 0);
    }
  }
  return most;
}

/** Rounded half up, which division of integers in C gives with the divisor's half added to a sum made positive. */
function mean(layer: ImageLayer, input: Int8Array, channel: number): number {
  const { height, width, channels } = layer.input;
  const count = height * width;
  let sum = 0;
  for (let pixel = 0; pixel < count; pixel += 1) sum += (input[pixel * channels + channel] ?? 0) + 128;
  return Math.floor((2 * sum + count) / (2 * count)) - 128;
}

function logitsOf(layer: ImageLayer, scale: Float32Array, input: Int8Array): Float32Array {
  return Float32Array.from(scale, (factor, channel) => accumulate(layer, input, 0, 0, channel) * factor);
}

function softmax(logits: Float32Array, temperature: number): Float32Array {
  const most = logits.reduce((left, right) => Math.max(left, right), -Infinity);
  const powers = logits.map((logit) => Math.exp((logit - most) / temperature));
  const total = powers.reduce((sum, power) => sum + power, 0);
  return powers.map((power) => power / total);
}
