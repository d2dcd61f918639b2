// Owns laying out and calling the transformer's operators: embeddings of pieces, attention, residuals.

import type { Arena } from './arena.ts';
import { embedTokens } from './light-operators.ts';
import type { Call, StepOf } from './machine.ts';
import { placeFloats, placeIntegers, placePacked } from './machine.ts';
import type { Values } from './steps.ts';

/** A table of four bits stays packed: a text reads few of its rows, and it is the larger part of a small encoder's memory. */
export function tokenEmbedding({ weights, scales, positions, dim }: StepOf<'token_embedding'>, arena: Arena): Call {
  const table = {
    offset: weights.dtype === 'i4' ? placePacked(arena, weights) : placeIntegers(arena, weights),
    isPacked: weights.dtype === 'i4',
    scales: placeFloats(arena, scales) >> 2,
    positions: positions === null ? null : placeFloats(arena, positions) >> 2,
    dim,
  };
  return (machine, _from, to) => embedTokens(machine, to >> 2, table);
}

export function attention(step: StepOf<'attention'>, arena: Arena): Call {
  const { heads, dim, maxTokens } = step;
  const wide = Math.ceil(maxTokens / 4) * 4;
  const scratch = arena.shared('scores', 4 * wide * (dim / heads + maxTokens));
  return ({ kernels, tokens }, from, to) => kernels.attention(from, to, scratch(), tokens.length, dim, heads);
}

export function residualSwap({ slot, kept, flowing }: StepOf<'residual_swap'>, arena: Arena): Call {
  const place = arena.shared(`residual ${slot}`, 4 * Math.max(kept.maxSize, flowing.maxSize));
  return ({ f32, tokens }, from, to) => {
    const at = place() >> 2;
    f32.copyWithin(to >> 2, at, at + countOf(kept, tokens.length));
    f32.copyWithin(at, from >> 2, (from >> 2) + countOf(flowing, tokens.length));
  };
}

function countOf({ size, perToken }: Values, tokens: number): number {
  return perToken ? tokens * size : size;
}

export function residual(step: StepOf<'residual_start' | 'residual_add'>, arena: Arena): Call {
  const kept = arena.shared(`residual ${step.slot}`, 4 * step.maxSize);
  if (step.kind === 'residual_add') {
    return ({ kernels, tokens }, from) => kernels.add(from, kept(), countOf(step, tokens.length));
  }
  return ({ f32, tokens }, from) => {
    f32.copyWithin(kept() >> 2, from >> 2, (from >> 2) + countOf(step, tokens.length));
  };
}
