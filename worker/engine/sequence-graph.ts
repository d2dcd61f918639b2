// Owns reading the transformer's operators from the header: embeddings of pieces, attention, pooling, residuals.

import type { Fields } from './fields.ts';
import type { Flow, Read } from './flow.ts';
import { dimension, residualSize, sizeOf, vector } from './flow.ts';
import type { Step } from './steps.ts';
import type { TensorTable } from './tensors.ts';

export function readTokenEmbedding(op: Fields, tensors: TensorTable, input: Flow): Read {
  if (input.kind !== 'tokens') throw op.refuse('op', `takes a text's word pieces, not a ${input.kind}`);
  const weights = tensors.weights(op, 'weights', 2);
  const [pieces, dim] = [dimension(weights, 0), dimension(weights, 1)];
  if (pieces !== input.pieces) throw op.refuse('weights', `has ${pieces} rows for ${input.pieces} pieces`);
  const positions = op.has('positions') ? tensors.matrix(op, 'positions', input.maxTokens, dim) : null;
  const scales = tensors.floats(op, 'scales', pieces);
  return {
    step: { kind: 'token_embedding', weights, scales, positions, dim },
    output: { kind: 'sequence', maxTokens: input.maxTokens, size: dim },
    multiplyAdds: 2 * input.maxTokens * dim,
  };
}

export function readAttention(op: Fields, _tensors: TensorTable, input: Flow): Read {
  if (input.kind !== 'sequence') throw op.refuse('op', `takes a sequence, not a ${input.kind}`);
  const heads = op.integer('heads', 1, 256);
  const { maxTokens } = input;
  const dim = input.size / 3;
  if (dim % (4 * heads) !== 0) {
    throw op.refuse('heads', `does not split ${input.size} into queries, keys and values of a multiple of 4 each`);
  }
  return {
    step: { kind: 'attention', heads, dim, maxTokens },
    output: { kind: 'sequence', maxTokens, size: dim },
    multiplyAdds: 2 * maxTokens * maxTokens * dim,
  };
}

export function readSequencePool(op: Fields, _tensors: TensorTable, input: Flow): Read {
  if (input.kind !== 'sequence') throw op.refuse('op', `takes a sequence, not a ${input.kind}`);
  const pool = op.oneOf('pool', ['mean', 'first']);
  return {
    step: { kind: 'sequence_pool', pool, dim: input.size },
    output: vector(input.size),
    multiplyAdds: sizeOf(input),
  };
}

export function readResidualAdd(op: Fields, _tensors: TensorTable, input: Flow, open: Flow[]): Read {
  const start = open.pop();
  if (start === undefined) throw op.refuse('op', 'adds a residual that was not started');
  if (input.kind === 'features' || input.kind === 'tokens' || !sameShape(start, input)) {
    throw op.refuse('op', 'adds a residual of another shape');
  }
  return {
    step: { kind: 'residual_add', slot: open.length, ...residualSize(input) },
    output: input,
    multiplyAdds: sizeOf(input),
  };
}

/** What flows is kept, and what was kept flows: the other branch starts from where the first did. */
export function readResidualSwap(op: Fields, _tensors: TensorTable, input: Flow, open: Flow[]): Read {
  const start = open.pop();
  if (start === undefined) throw op.refuse('op', 'swaps a residual that is not started');
  if (input.kind === 'features' || input.kind === 'tokens' || start.kind === 'features' || start.kind === 'tokens') {
    throw op.refuse('op', `takes no ${input.kind}`);
  }
  open.push(input);
  const step: Step = {
    kind: 'residual_swap',
    slot: open.length - 1,
    kept: residualSize(start),
    flowing: residualSize(input),
  };
  return { step, output: start, multiplyAdds: sizeOf(input) + sizeOf(start) };
}

function sameShape(a: Flow, b: Flow): boolean {
  if (a.kind === 'image' && b.kind === 'image') {
    return (
      a.image.height === b.image.height && a.image.width === b.image.width && a.image.channels === b.image.channels
    );
  }
  return a.kind === b.kind && a.kind !== 'image' && sizeOf(a) === sizeOf(b);
}
