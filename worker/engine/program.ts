// Owns turning a graph into a list of calls over one memory: where constants and scratch lie, what runs on what.
// The input is written by the caller: pixels at `image`, or features through `bag`.

import type { Arena } from './arena.ts';
import { convolution, depthwise } from './convolution.ts';
import type { Graph } from './graph.ts';
import { activate, globalAvgPool, layerNorm, maxPool } from './light-operators.ts';
import type { Call, Machine, StepOf } from './machine.ts';
import { placeFloats, placeIntegers } from './machine.ts';
import type { Step } from './steps.ts';
import { floatsOf } from './tensors.ts';

/** Features are handed to the kernel in runs of this many, so that scratch does not grow with the text. */
const IDS_A_RUN = 1024;
export type Program = { readonly inputOffset: number; readonly run: (machine: Machine) => number };

/** Reserves memory for the graph; the program may run once the arena has been filled. */
export function layOut(graph: Graph, arena: Arena): Program {
  const sizeBytes = 4 * graph.largestActivation;
  const [first, second] = [arena.reserve(sizeBytes), arena.reserve(sizeBytes)];
  const calls = graph.steps.filter((step) => step.kind !== 'flatten').map((step) => callOf(step, arena));
  return {
    inputOffset: first,
    run(machine) {
      let [from, to] = [first, second];
      for (const call of calls) {
        call(machine, from, to);
        [from, to] = [to, from];
      }
      return from;
    },
  };
}

function callOf(step: Exclude<Step, { kind: 'flatten' }>, arena: Arena): Call {
  switch (step.kind) {
    case 'embedding_bag':
      return embeddingBag(step, arena);
    case 'dense':
      return dense(step, arena);
    case 'conv2d':
      return step.depthwise ? depthwise(step, arena) : convolution(step, arena);
    case 'max_pool2d':
      return ({ f32 }, from, to) => maxPool(f32, from >> 2, to >> 2, step.window, step.input, step.output);
    case 'global_avg_pool':
      return ({ f32 }, from, to) => globalAvgPool(f32, from >> 2, to >> 2, step.input);
    case 'layer_norm':
      return normalization(step, arena);
    default:
      return step satisfies never;
  }
}

function normalization(step: StepOf<'layer_norm'>, arena: Arena): Call {
  const [gamma, beta] = [placeFloats(arena, step.gamma), placeFloats(arena, step.beta)];
  return ({ f32 }, from, to) => layerNorm(f32, from >> 2, to >> 2, step.size, gamma >> 2, beta >> 2, step.epsilon);
}

function embeddingBag(step: StepOf<'embedding_bag'>, arena: Arena): Call {
  const { dim, activation, poolPower } = step;
  const table = placeIntegers(arena, step.weights);
  const scales = placeFloats(arena, step.scales);
  const rowScales = step.scaleAxis === 'row' ? scales : 0;
  const columnScales = step.scaleAxis === 'column' ? scales >> 2 : 0;
  const bias = step.bias === null ? 0 : placeFloats(arena, step.bias) >> 2;
  const groupWeights = floatsOf(step.groupWeights).slice();
  const run = arena.reserve(IDS_A_RUN * 4);
  return ({ kernels, f32, i32, features }, _from, to) => {
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
    activate(f32, out, dim, activation);
  };
}

function dense(step: StepOf<'dense'>, arena: Arena): Call {
  const { inputs, outputs, activation } = step;
  const weights = placeIntegers(arena, step.weights);
  const [scales, bias] = [placeFloats(arena, step.scales), placeFloats(arena, step.bias)];
  const relu = activation === 'relu' ? 1 : 0;
  return ({ kernels, f32 }, from, to) => {
    kernels.dense(from, weights, scales, bias, to, inputs, outputs, relu);
    if (relu === 0) activate(f32, to >> 2, outputs, activation);
  };
}
