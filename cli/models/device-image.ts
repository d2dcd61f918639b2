/**
 * Makes a microcontroller's model (`.hymc`) of an edge model (`.hyb`): every activation in eight bits, with ranges seen on
 * examples. Owns choosing ranges and quantizing; the file is shared/device/model-image.ts.
 */
import {
  MAX_ACCUMULATOR,
  MULTIPLIER_BITS,
  sizeOf,
  type ImageLayer,
  type ModelImage,
} from '../../shared/device/model-image.ts';
import { readHeader } from '../../worker/engine/header.ts';
import { openContainer } from '../../worker/engine/container.ts';
import type { Step } from '../../worker/engine/steps.ts';
import { floatsOf, integersOf } from '../../worker/engine/tensors.ts';
import { UserError } from '../user-error.ts';

type Weighted = Extract<Step, { kind: 'conv2d' | 'dense' }>;
type Layered = Extract<Step, { kind: 'conv2d' | 'dense' | 'max_pool2d' | 'global_avg_pool' }>;

/** A grey pixel of 8 bits is an integer already: 0..1 in steps of 1/255. */
const INPUT = { scale: 1 / 255, zero: -128 };
/** A tail of values this rare is cut off, for finer steps of all others. */
const KEPT_SHARE = 0.9999;

export async function makeDeviceImage(hyb: ArrayBuffer, examples: readonly ArrayLike<number>[]): Promise<ModelImage> {
  const { header: json, payload } = await openContainer(hyb);
  const header = readHeader(json, payload);
  if (header.input.kind !== 'image') throw new UserError('Only image models become device models for now.');
  const steps = header.graph.steps.flatMap((step): Layered[] => {
    if (step.kind === 'flatten') return [];
    if (
      step.kind !== 'conv2d' &&
      step.kind !== 'dense' &&
      step.kind !== 'max_pool2d' &&
      step.kind !== 'global_avg_pool'
    )
      throw new UserError(`A device has no operator ${step.kind}.`);
    if ('activation' in step && step.activation !== 'none' && step.activation !== 'relu')
      throw new UserError(`A device has no activation ${step.activation}.`);
    if (step.kind === 'conv2d' && step.depthwise) throw new UserError('A device has no depthwise convolution.');
    return [step];
  });
  const ranges = rangesOf(steps, examples);
  let input = { box: header.input.image, ...INPUT };
  const layers = steps.map((step, index): ImageLayer => {
    const isLast = index === steps.length - 1;
    const layer = toLayer(step, input, isLast ? undefined : ranges[index]);
    input = { box: layer.layer.output, scale: layer.scale, zero: layer.layer.outputZero };
    return layer.layer;
  });
  return {
    name: `${header.model}/${header.variant}`,
    input: header.input.image,
    inputScale: INPUT.scale,
    inputZero: INPUT.zero,
    labels: header.labels.length,
    temperature: header.temperature,
    layers,
  };
}

type Range = { readonly least: number; readonly most: number };

/** In floating point, as the engine computes; slow and only run when a model is made. */
function rangesOf(steps: readonly Layered[], examples: readonly ArrayLike<number>[]): readonly Range[] {
  const seen: number[][] = steps.map(() => []);
  for (const example of examples) {
    let values = Float32Array.from(example);
    steps.forEach((step, index) => {
      values = evaluate(step, values);
      for (const value of values) seen[index]?.push(value);
    });
  }
  return seen.map((values) => {
    const sorted = Float64Array.from(values).sort();
    const cut = Math.floor((1 - KEPT_SHARE) * sorted.length);
    return { least: Math.min(0, sorted[cut] ?? 0), most: Math.max(0, sorted[sorted.length - 1 - cut] ?? 0) };
  });
}

function evaluate(step: Layered, values: Float32Array): Float32Array<ArrayBuffer> {
  if (step.kind === 'dense') return evaluateWindows(step, { height: 1, width: 1, channels: values.length }, values);
  return evaluateWindows(step, step.input, values);
}

function evaluateWindows(step: Layered, box: ImageLayer['input'], values: Float32Array): Float32Array<ArrayBuffer> {
  const { kernel, stride, pad, output } = geometry(step);
  const weighted = step.kind === 'conv2d' || step.kind === 'dense' ? floatWeights(step) : undefined;
  const result = new Float32Array(sizeOf(output));
  for (let at = 0; at < result.length; at += 1) {
    const channel = at % output.channels;
    const column = Math.floor(at / output.channels) % output.width;
    const row = Math.floor(at / output.channels / output.width);
    let sum = weighted?.bias[channel] ?? 0;
    let most = -Infinity;
    let seen = 0;
    for (let y = 0; y < kernel[0]; y += 1) {
      for (let x = 0; x < kernel[1]; x += 1) {
        const inRow = row * stride[0] - pad[0] + y;
        const inColumn = column * stride[1] - pad[1] + x;
        if (inRow < 0 || inRow >= box.height || inColumn < 0 || inColumn >= box.width) continue;
        const from = (inRow * box.width + inColumn) * box.channels;
        if (weighted === undefined) {
          const value = values[from + channel] ?? 0;
          most = Math.max(most, value);
          sum += value;
          seen += 1;
          continue;
        }
        const weightsFrom = ((channel * kernel[0] + y) * kernel[1] + x) * box.channels;
        for (let index = 0; index < box.channels; index += 1)
          sum += (values[from + index] ?? 0) * (weighted.values[weightsFrom + index] ?? 0);
      }
    }
    const value = step.kind === 'max_pool2d' ? most : step.kind === 'global_avg_pool' ? sum / seen : sum;
    result[at] = 'activation' in step && step.activation === 'relu' ? Math.max(0, value) : value;
  }
  return result;
}

function floatWeights(step: Weighted): { values: Float32Array; bias: Float32Array } {
  const integers = integersOf(step.weights);
  const scales = floatsOf(step.scales);
  const depth = integers.length / scales.length;
  return {
    values: Float32Array.from(integers, (value, index) => value * (scales[Math.floor(index / depth)] ?? 0)),
    bias: floatsOf(step.bias),
  };
}

type Geometry = Pick<ImageLayer, 'kernel' | 'stride' | 'pad' | 'output'>;

function geometry(step: Layered): Geometry {
  if (step.kind === 'dense') {
    const output = { height: 1, width: 1, channels: step.outputs };
    return { kernel: [1, 1], stride: [1, 1], pad: [0, 0], output };
  }
  if (step.kind === 'global_avg_pool') {
    const { height, width, channels } = step.input;
    return { kernel: [height, width], stride: [1, 1], pad: [0, 0], output: { height: 1, width: 1, channels } };
  }
  const { kernelHeight, kernelWidth, strideY, strideX, padTop, padLeft } = step.window;
  return {
    kernel: [kernelHeight, kernelWidth],
    stride: [strideY, strideX],
    pad: [padTop, padLeft],
    output: step.output,
  };
}

type Flow = { readonly box: ImageLayer['input']; readonly scale: number; readonly zero: number };

/** @param range of the layer's output; undefined for the last layer, whose output stays exact */
function toLayer(step: Layered, input: Flow, range: Range | undefined): { layer: ImageLayer; scale: number } {
  const outline = { input: step.kind === 'dense' ? input.box : step.input, inputZero: input.zero, ...geometry(step) };
  if (step.kind === 'max_pool2d' || step.kind === 'global_avg_pool') {
    if (range === undefined) throw new UserError('A device model ends in a dense layer, not in a pool.');
    const op = step.kind === 'max_pool2d' ? 'max_pool2d' : 'average_pool';
    const nothing = { weights: undefined, bias: undefined, multiplier: undefined, shift: undefined, scale: undefined };
    return { layer: { ...outline, op, outputZero: input.zero, outputLeast: -128, ...nothing }, scale: input.scale };
  }
  const weights = Int8Array.from(integersOf(step.weights));
  const scales = floatsOf(step.scales);
  const bias = Int32Array.from(floatsOf(step.bias), (value, index) =>
    Math.round(value / (input.scale * (scales[index] ?? 1))),
  );
  if (bias.some((value) => Math.abs(value) > MAX_ACCUMULATOR)) throw new UserError('A bias is out of any proportion.');
  if (range === undefined) {
    const scale = Float32Array.from(scales, (value) => value * input.scale);
    const rest = { outputZero: 0, outputLeast: -128, weights, bias, multiplier: undefined, shift: undefined, scale };
    return { layer: { ...outline, op: step.kind, ...rest }, scale: 1 };
  }
  const outputScale = Math.max((range.most - range.least) / 255, 1e-9);
  const outputZero = Math.max(-128, Math.min(127, Math.round(-128 - range.least / outputScale)));
  const factors = Array.from(scales, (value) => fixedPoint((value * input.scale) / outputScale));
  const layer: ImageLayer = {
    ...outline,
    op: step.kind,
    outputZero,
    outputLeast: step.activation === 'relu' ? outputZero : -128,
    weights,
    bias,
    multiplier: Int32Array.from(factors, ({ multiplier }) => multiplier),
    shift: Uint8Array.from(factors, ({ shift }) => shift),
    scale: undefined,
  };
  return { layer, scale: outputScale };
}

/** factor = multiplier / 2^shift with as many bits as fit. */
function fixedPoint(factor: number): { multiplier: number; shift: number } {
  if (!(factor > 0)) return { multiplier: 0, shift: 1 };
  let shift = MULTIPLIER_BITS - 1 - Math.floor(Math.log2(factor));
  if (Math.round(factor * 2 ** shift) >= 2 ** MULTIPLIER_BITS) shift -= 1;
  if (shift > 50) return { multiplier: Math.round(factor * 2 ** 50), shift: 50 };
  if (shift < 1) throw new UserError('A layer makes its values larger than a device can hold.');
  return { multiplier: Math.round(factor * 2 ** shift), shift };
}
