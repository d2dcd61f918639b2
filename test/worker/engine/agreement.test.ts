// The engines are each other's oracle: any shape, any weights, the same logits.

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { disagreement, f32, i8, noise } from './agreement.ts';
import { imageHeader, TEXT_HEADER } from './hyb-file.ts';

/** Any UTF-16, lone surrogates too. */
const anyText = fc.array(fc.nat({ max: 0xffff }), { maxLength: 40 }).map((codes) => String.fromCharCode(...codes));
const side = fc.integer({ min: 1, max: 9 });
const kernel = fc.integer({ min: 1, max: 5 });
const stride = fc.integer({ min: 1, max: 3 });

describe('plain TypeScript and both WebAssembly files agree', () => {
  it('on convolutions of any shape', async () => {
    const shapes = fc.record({
      height: side,
      width: side,
      channels: side,
      outputs: fc.integer({ min: 2, max: 19 }),
      kernel: fc.tuple(kernel, kernel),
      stride: fc.tuple(stride, stride),
      depthwise: fc.boolean(),
      activation: fc.constantFrom('none', 'relu', 'gelu', 'tanh'),
      arithmetic: fc.constantFrom('f32', 'int8'),
      seed: fc.integer(),
    });
    await fc.assert(
      fc.asyncProperty(shapes, async ({ height, width, channels, kernel: size, seed, ...rest }) => {
        const { arithmetic } = rest;
        const depthwise = rest.depthwise && arithmetic === 'f32';
        const outputs = depthwise ? channels : rest.outputs;
        fc.pre(outputs >= 2);
        const conv = { weights: 'w', scales: 's', bias: 'b', stride: rest.stride, activation: rest.activation };
        const graph = [{ op: 'conv2d', ...conv, padding: 'same', depthwise, arithmetic }, { op: 'global_avg_pool' }];
        const source = {
          header: { ...imageHeader(height, width, channels, outputs), graph },
          tensors: {
            w: i8([outputs, ...size, depthwise ? 1 : channels], seed),
            s: f32(outputs, seed + 1),
            b: f32(outputs, seed + 2),
          },
        };
        const pixels = Float32Array.from(noise(height * width * channels, seed + 3, 0, 1));
        expect(await disagreement(source, { pixels })).toBeLessThan(1e-4);
      }),
      { numRuns: 200 },
    );
  });

  it('on max pooling of any window, over the edges too', async () => {
    const shapes = fc.record({
      sides: fc.tuple(side, side, side),
      size: fc.tuple(kernel, kernel),
      stride: fc.tuple(stride, stride),
      seed: fc.integer(),
    });
    await fc.assert(
      fc.asyncProperty(shapes, async ({ sides: [height, width, channels], size, stride: step, seed }) => {
        fc.pre(channels >= 2);
        const pool = { op: 'max_pool2d', size, stride: step, padding: 'same' };
        const graph = [{ op: 'activation', activation: 'silu' }, pool, { op: 'global_avg_pool' }];
        const source = { header: { ...imageHeader(height, width, channels, channels), graph }, tensors: {} };
        const pixels = Float32Array.from(noise(height * width * channels, seed, 0, 1));
        expect(await disagreement(source, { pixels })).toBeLessThan(1e-6);
      }),
      { numRuns: 100 },
    );
  });

  it('on dense layers of any size', async () => {
    const sizes = fc.record({
      inputs: fc.integer({ min: 1, max: 40 }),
      outputs: fc.integer({ min: 2, max: 13 }),
      arithmetic: fc.constantFrom('f32', 'int8'),
    });
    await fc.assert(
      fc.asyncProperty(sizes, fc.integer(), async ({ inputs, outputs, arithmetic }, seed) => {
        const graph = [
          { op: 'flatten' },
          { op: 'dense', weights: 'w', scales: 's', bias: 'b', activation: 'relu', arithmetic },
          { op: 'layer_norm', gamma: 'g', beta: 'b', epsilon: 1e-5 },
        ];
        const tensors = {
          w: i8([outputs, inputs], seed),
          s: f32(outputs, seed + 1),
          b: f32(outputs, seed + 2),
          g: f32(outputs, seed + 3),
        };
        const pixels = Float32Array.from(noise(inputs, seed + 4, 0, 1));
        const source = { header: { ...imageHeader(1, 1, inputs, outputs), graph }, tensors };
        expect(await disagreement(source, { pixels })).toBeLessThan(1e-4);
      }),
      { numRuns: 150 },
    );
  });

  it('on embedding bags of any width, and texts of thousands of features', async () => {
    const shapes = fc.record({
      dim: fc.integer({ min: 2, max: 50 }),
      buckets: fc.integer({ min: 1, max: 300 }),
      axis: fc.constantFrom('row', 'column'),
      words: anyText,
      times: fc.constantFrom(1, 1, 1, 200),
      seed: fc.integer(),
    });
    await fc.assert(
      fc.asyncProperty(shapes, async ({ dim, buckets, axis, words, times, seed }) => {
        const bag = { op: 'embedding_bag', weights: 'w', scales: 's', scale_axis: axis, group_weights: 'g' };
        const source = {
          header: {
            ...TEXT_HEADER,
            labels: Array.from({ length: dim }, (_, i) => `label-${i}`),
            out_of_scope_label: null,
            input: { kind: 'text', max_chars: 100_000 },
            tokenizer: { ...TEXT_HEADER.tokenizer, buckets },
            graph: [{ ...bag, pool_power: 0.5, activation: 'none' }],
          },
          tensors: {
            w: i8([buckets, dim], seed),
            s: f32(axis === 'row' ? buckets : dim, seed + 1),
            g: f32(2, seed + 2),
          },
        };
        // Thousands of float32 terms of both signs nearly cancel; the order of adding then shows in the fourth digit.
        const tolerance = times === 1 ? 1e-4 : 1e-3;
        expect(await disagreement(source, { text: `${words} again `.repeat(times) })).toBeLessThan(tolerance);
      }),
      { numRuns: 120 },
    );
  });
});
