// Owns turning a graph into a list of calls over one memory: where constants and scratch lie, what runs on what.
// The input is written by the caller: pixels at `inputOffset`, or a text's features or tokens in the machine.

import type { Arena } from './arena.ts';
import { convolution, depthwise, maxPool } from './convolution.ts';
import { dense, embeddingBag, normalization } from './dense.ts';
import type { Graph } from './graph.ts';
import { activate, globalAvgPool, l2Normalize, meanOfRows } from './light-operators.ts';
import type { Call, Machine } from './machine.ts';
import { attention, residual, residualSwap, tokenEmbedding } from './sequence.ts';
import type { Step } from './steps.ts';

export type Program = { readonly inputOffset: number; readonly run: (machine: Machine) => number };

/** Reserves memory for the graph; the program may run once the arena has been filled. */
export function layOut(graph: Graph, arena: Arena): Program {
  const sizeBytes = 4 * graph.largestActivation;
  const [first, second] = [arena.reserve(sizeBytes), arena.reserve(sizeBytes)];
  const calls = graph.steps.filter((step) => step.kind !== 'flatten').map((step) => callOf(step, arena));
  arena.settle();
  return {
    inputOffset: first,
    run(machine) {
      let [from, to] = [first, second];
      for (const { call, inPlace } of calls) {
        call(machine, from, to);
        if (!inPlace) [from, to] = [to, from];
      }
      return from;
    },
  };
}

type Placed = { readonly call: Call; readonly inPlace: boolean };

function callOf(step: Exclude<Step, { kind: 'flatten' }>, arena: Arena): Placed {
  if (step.kind === 'residual_start' || step.kind === 'residual_add') {
    return { call: residual(step, arena), inPlace: true };
  }
  if (step.kind === 'activation') {
    const { activation, size, perToken } = step;
    const call: Call = (machine, from) =>
      activate(machine, from >> 2, perToken ? machine.tokens.length * size : size, activation);
    return { call, inPlace: true };
  }
  if (step.kind === 'l2_normalize') {
    return { call: ({ f32 }, from) => l2Normalize(f32, from >> 2, step.size), inPlace: true };
  }
  return { call: movingCall(step, arena), inPlace: false };
}

type Moving = Exclude<Step, { kind: 'flatten' | 'activation' | 'l2_normalize' | 'residual_start' | 'residual_add' }>;

function movingCall(step: Moving, arena: Arena): Call {
  switch (step.kind) {
    case 'embedding_bag':
      return embeddingBag(step, arena);
    case 'dense':
      return dense(step, arena);
    case 'conv2d':
      return step.depthwise ? depthwise(step, arena) : convolution(step, arena);
    case 'max_pool2d':
      return maxPool(step);
    case 'global_avg_pool':
      return ({ f32 }, from, to) => globalAvgPool(f32, from >> 2, to >> 2, step.input);
    case 'residual_swap':
      return residualSwap(step, arena);
    case 'layer_norm':
      return normalization(step, arena);
    case 'token_embedding':
      return tokenEmbedding(step, arena);
    case 'attention':
      return attention(step, arena);
    case 'sequence_pool':
      return ({ f32, tokens }, from, to) =>
        meanOfRows(f32, from >> 2, to >> 2, step.pool === 'first' ? 1 : tokens.length, step.dim);
    default:
      return step satisfies never;
  }
}
