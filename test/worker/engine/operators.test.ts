// Each operator against values worked out by hand, on both engines.

import { describe, expect, it } from 'vitest';
import { engines } from './engines.ts';
import type { TensorSource } from './hyb-file.ts';
import { hybFile, imageHeader, TEXT_HEADER } from './hyb-file.ts';

function f32(...values: number[]): TensorSource {
  return { dtype: 'f32', shape: [values.length], values };
}

function i8(shape: number[], ...values: number[]): TensorSource {
  return { dtype: 'i8', shape, values };
}

type Case = {
  name: string;
  image: [height: number, width: number, channels: number];
  pixels: number[];
  graph: Record<string, unknown>[];
  tensors: Record<string, TensorSource>;
  logits: number[];
};

const FLATTEN = { op: 'flatten' };
const DENSE = { op: 'dense', weights: 'w', scales: 's', bias: 'b' };
const CONV = { op: 'conv2d', weights: 'w', scales: 's', bias: 'b', activation: 'none' };

const CASES: Case[] = [
  {
    name: 'flatten keeps NHWC order',
    image: [1, 2, 2],
    pixels: [0.1, 0.2, 0.3, 0.4],
    graph: [FLATTEN],
    tensors: {},
    logits: [0.1, 0.2, 0.3, 0.4],
  },
  {
    name: 'dense scales each output and adds its bias',
    image: [1, 1, 3],
    pixels: [1, 0.5, 0.25],
    graph: [FLATTEN, { ...DENSE, activation: 'none' }],
    tensors: { w: i8([2, 3], 1, 2, 4, -127, 10, 100), s: f32(0.5, 0.1), b: f32(1, -1) },
    // (1 + 1 + 1) / 2 + 1; (-127 + 5 + 25) / 10 - 1
    logits: [2.5, -10.7],
  },
  {
    name: 'dense reads i4 low nibble first',
    image: [1, 1, 4],
    pixels: [1, 0.5, 1, 0.5],
    graph: [FLATTEN, { ...DENSE, activation: 'none' }],
    tensors: { w: { dtype: 'i4', shape: [2, 4], values: [-8, 7, 1, -2, 3, -4, -5, 6] }, s: f32(1, 1), b: f32(0, 0) },
    logits: [-8 + 3.5 + 1 - 1, 3 - 2 - 5 + 3],
  },
  {
    name: 'dense clamps with relu',
    image: [1, 1, 2],
    pixels: [1, 1],
    graph: [FLATTEN, { ...DENSE, activation: 'relu' }],
    tensors: { w: i8([2, 2], -1, -1, 1, 1), s: f32(1, 1), b: f32(0, 0) },
    logits: [0, 2],
  },
  {
    name: 'gelu is the erf form',
    image: [1, 1, 3],
    pixels: [1, 1, 1],
    graph: [FLATTEN, { ...DENSE, activation: 'gelu' }],
    tensors: { w: i8([3, 3], 1, 0, 0, -1, 0, 0, 2, 0, 0), s: f32(1, 1, 1), b: f32(0, 0, 0) },
    logits: [0.841345, -0.158655, 1.9545],
  },
  {
    name: 'tanh',
    image: [1, 1, 2],
    pixels: [1, 0.5],
    graph: [FLATTEN, { ...DENSE, activation: 'tanh' }],
    tensors: { w: i8([2, 2], 1, 0, 0, -1), s: f32(1, 1), b: f32(0, 0) },
    logits: [0.761594, -0.462117],
  },
  {
    name: 'conv2d valid slides without padding',
    image: [2, 3, 1],
    pixels: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6],
    graph: [{ ...CONV, stride: [1, 1], padding: 'valid' }, FLATTEN],
    tensors: { w: i8([1, 2, 2, 1], 1, 2, 3, 4), s: f32(1), b: f32(0.5) },
    // 0.1 + 0.4 + 1.2 + 2.0 + 0.5; 0.2 + 0.6 + 1.5 + 2.4 + 0.5
    logits: [4.2, 5.2],
  },
  {
    name: 'conv2d same pads odd kernels on both sides',
    image: [1, 3, 1],
    pixels: [0.1, 0.2, 0.3],
    graph: [{ ...CONV, stride: [1, 1], padding: 'same' }, FLATTEN],
    tensors: { w: i8([1, 3, 3, 1], 9, 9, 9, 1, 2, 3, 9, 9, 9), s: f32(1), b: f32(0) },
    logits: [0.2 + 0.6, 0.1 + 0.4 + 0.9, 0.2 + 0.6],
  },
  {
    name: 'conv2d same with stride 2 pads as PyTorch does, not as TensorFlow',
    image: [1, 4, 1],
    pixels: [0.1, 0.2, 0.3, 0.4],
    graph: [{ ...CONV, stride: [2, 2], padding: 'same' }, FLATTEN],
    tensors: { w: i8([1, 1, 3, 1], 1, 2, 3), s: f32(1), b: f32(0) },
    // Windows over (0, 0.1, 0.2) and (0.2, 0.3, 0.4).
    logits: [0.2 + 0.6, 0.2 + 0.6 + 1.2],
  },
  {
    name: 'conv2d sums over channels, each output with its own scale',
    image: [1, 2, 2],
    pixels: [0.1, 0.2, 0.3, 0.4],
    graph: [{ ...CONV, stride: [1, 1], padding: 'valid' }, FLATTEN],
    tensors: { w: i8([3, 1, 1, 2], 1, 2, 3, 4, -5, 6), s: f32(1, 2, 10), b: f32(0, 0, 1) },
    logits: [0.5, 2.2, 8, 1.1, 5, 10],
  },
  {
    name: 'conv2d depthwise keeps channels apart',
    image: [2, 1, 2],
    pixels: [0.1, 0.2, 0.3, 0.4],
    graph: [{ ...CONV, stride: [1, 1], padding: 'valid', depthwise: true }, FLATTEN],
    tensors: { w: i8([2, 2, 1, 1], 1, 2, 3, 4), s: f32(1, 0.5), b: f32(0, 1) },
    logits: [0.1 + 0.6, 0.5 * (0.6 + 1.6) + 1],
  },
  {
    name: 'max_pool2d drops what does not fill a window',
    image: [2, 5, 1],
    pixels: [0.1, 0.9, 0.2, 0.3, 1, 0.4, 0.5, 0.8, 0.6, 1],
    graph: [{ op: 'max_pool2d', size: [2, 2], stride: [2, 2] }, FLATTEN],
    tensors: {},
    logits: [0.9, 0.8],
  },
  {
    name: 'global_avg_pool averages each channel',
    image: [2, 1, 2],
    pixels: [0.1, 0.2, 0.3, 1],
    graph: [{ op: 'global_avg_pool' }],
    tensors: {},
    logits: [0.2, 0.6],
  },
  {
    name: 'layer_norm uses the biased variance',
    image: [1, 1, 2],
    pixels: [0, 1],
    graph: [FLATTEN, { op: 'layer_norm', gamma: 'g', beta: 'b', epsilon: 0.75 }],
    tensors: { g: f32(1, 2), b: f32(0, 10) },
    // Mean 0.5, variance 0.25, deviation sqrt(0.25 + 0.75) = 1.
    logits: [-0.5, 11],
  },
];

function largestError(actual: Float32Array, expected: readonly number[]): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  return Math.max(...expected.map((value, i) => Math.abs((actual[i] ?? Number.NaN) - value)));
}

describe.each(engines)('operators in $name', ({ engine }) => {
  it.each(CASES)('$name', async ({ image, pixels, graph, tensors, logits }) => {
    const file = hybFile({ header: { ...imageHeader(...image, logits.length), graph }, tensors });
    const model = await engine.loadModel(file);
    expect(largestError(model.logits({ kind: 'image', pixels: Float32Array.from(pixels) }), logits)).toBeLessThan(1e-5);
  });

  it('embedding_bag weighs groups and pools by the square root of their size', async () => {
    const bag = {
      op: 'embedding_bag',
      weights: 'table',
      scales: 's',
      scale_axis: 'column',
      group_weights: 'g',
      pool_power: 0.5,
      bias: 'b',
      activation: 'none',
    };
    const file = hybFile({
      header: { ...TEXT_HEADER, tokenizer: { ...TEXT_HEADER.tokenizer, buckets: 1 }, graph: [bag] },
      tensors: { table: i8([1, 2], 10, -20), s: f32(0.1, 0.5), g: f32(2, 0.5), b: f32(1, 3) },
    });
    const model = await engine.loadModel(file);
    // Two words, and the windows <ab, ab>, <ab, abc, bc>: with one bucket every feature is row 0.
    const total = 2 * (2 / Math.sqrt(2)) + 0.5 * (5 / Math.sqrt(5));
    expect(largestError(model.logits({ kind: 'text', text: 'ab abc' }), [1 + total * 1, 3 - total * 10])).toBeLessThan(
      1e-5,
    );
  });

  it('embedding_bag averages with pool power 1 and takes a scale a row', async () => {
    const bag = {
      op: 'embedding_bag',
      weights: 'table',
      scales: 's',
      scale_axis: 'row',
      group_weights: 'g',
      pool_power: 1,
      activation: 'relu',
    };
    const tokenizer = { ...TEXT_HEADER.tokenizer, buckets: 1, char_ngrams: [] };
    const file = hybFile({
      header: { ...TEXT_HEADER, tokenizer, graph: [bag] },
      tensors: { table: i8([1, 2], 10, -20), s: f32(0.1), g: f32(2) },
    });
    const model = await engine.loadModel(file);
    expect(largestError(model.logits({ kind: 'text', text: 'one two three' }), [2, 0])).toBeLessThan(1e-5);
    expect(largestError(model.logits({ kind: 'text', text: '' }), [0, 0])).toBeLessThan(1e-5);
  });
});
