// Owns laying out and calling operators on vectors and rows: embedding bags, dense layers, layer norm.

import type { Arena } from './arena.ts';
import { integerProduct } from './integer-product.ts';
import { activate } from './light-operators.ts';
import type { Call, StepOf } from './machine.ts';
import { placeFloats, placeIntegers } from './machine.ts';
import { floatsOf } from './tensors.ts';

/** Features are handed to the kernel in runs of this many, so that scratch does not grow with the text. */
const IDS_A_RUN = 1024;

export function normalization(step: StepOf<'layer_norm'>, arena: Arena): Call {
  const [gamma, beta] = [placeFloats(arena, step.gamma), placeFloats(arena, step.beta)];
  const { size, perToken, epsilon } = step;
  return ({ kernels, tokens }, from, to) =>
    kernels.layerNorm(from, to, perToken ? tokens.length : 1, size, gamma, beta, epsilon);
}

export function embeddingBag(step: StepOf<'embedding_bag'>, arena: Arena): Call {
  const { dim, activation, poolPower } = step;
  const table = placeIntegers(arena, step.weights);
  const scales = placeFloats(arena, step.scales);
  const rowScales = step.scaleAxis === 'row' ? scales : 0;
  const columnScales = step.scaleAxis === 'column' ? scales >> 2 : 0;
  const bias = step.bias === null ? 0 : placeFloats(arena, step.bias) >> 2;
  const groupWeights = floatsOf(step.groupWeights).slice();
  const run = arena.reserve(IDS_A_RUN * 4);
  return (machine, _from, to) => {
    const { kernels, f32, i32, features } = machine;
    const out = to >> 2;
    f32.fill(0, out, out + dim);
    let start = 0;
    for (let g = 0; g < groupWeights.length; g += 1) {
      const end = features.groupEnds[g] ?? start;
      const count = end - start;
      const factor = (groupWeights[g] ?? 0) / (poolPower === 1 ? Math.max(1, count) : Math.sqrt(Math.max(1, count)));
      while (start < end) {
        const size = Math.min(IDS_A_RUN, end - start);
        for (let i = 0; i < size; i += 1) i32[(run >> 2) + i] = features.ids[start + i] ?? 0;
        kernels.bag(to, table, dim, run, size, rowScales, factor);
        start += size;
      }
    }
    for (let d = 0; d < dim; d += 1) {
      const scale = columnScales === 0 ? 1 : (f32[columnScales + d] ?? 0);
      f32[out + d] = (f32[out + d] ?? 0) * scale + (bias === 0 ? 0 : (f32[bias + d] ?? 0));
    }
    activate(machine, out, dim, activation);
  };
}

export function dense(step: StepOf<'dense'>, arena: Arena): Call {
  const { inputs, outputs, activation, maxRows } = step;
  const relu = activation === 'relu' ? 1 : 0;
  if (step.arithmetic !== 'f32') {
    const product = integerProduct(arena, step, inputs, outputs, {
      maxRows,
      shared: step.arithmetic === 'int8_shared',
    });
    return (machine, from, to) => {
      const rows = maxRows === 1 ? 1 : machine.tokens.length;
      product(machine, from, to, rows, relu);
      if (relu === 0) activate(machine, to >> 2, rows * outputs, activation);
    };
  }
  const weights = placeIntegers(arena, step.weights);
  const [scales, bias] = [placeFloats(arena, step.scales), placeFloats(arena, step.bias)];
  return (machine, from, to) => {
    machine.kernels.dense(from, weights, scales, bias, to, inputs, outputs, relu);
    if (relu === 0) activate(machine, to >> 2, outputs, activation);
  };
}
