// Owns how low the values of an expression can be, as far as its last few operators tell.

import type { Expression } from './expression.ts';

const ENOUGH_OPERATORS = 8;

/** Minus infinity where it cannot be told. */
export function lowestOf(of: Expression, operators = ENOUGH_OPERATORS): number {
  if (operators === 0) return -Infinity;
  switch (of.op) {
    case 'input':
      return 0;
    case 'flatten':
    case 'pool':
    case 'max_pool':
    case 'global_avg_pool':
    case 'row_mean':
      return lowestOf(of.input, operators - 1);
    case 'affine': {
      if (of.scale.some((scale) => scale < 0)) return -Infinity;
      const lowest = lowestOf(of.input, operators - 1);
      const most = (values: Float32Array): number => values.reduce((a, b) => Math.max(a, b), 0);
      return (lowest < 0 ? lowest * most(of.scale) : 0) + of.shift.reduce((a, b) => Math.min(a, b), Infinity);
    }
    case 'unary':
      if (of.kind === 'erf' || of.kind === 'tanh') return -1;
      if (of.kind === 'gelu' || of.kind === 'silu' || of.kind === 'hard_swish') return -0.5;
      return of.kind === 'reciprocal' ? lowestOf(of.input, operators - 1) : 0;
    case 'embedding':
    case 'linear':
    case 'conv':
    case 'add':
    case 'centered':
    case 'layer_norm':
    case 'scores':
    case 'attention':
    case 'two_classes':
      return -Infinity;
  }
}
