// Owns whether layers made for the longest text hold for shorter ones: the engine has one set of weights for all lengths.

import type { Layer } from './layer.ts';

/** Constants that come from a number of tokens differ more, rounded ones less. */
const ROUNDING = 1e-4;

/** The first layer that another number of tokens changes; -1 where there is none. Positions may only be left out at the end. */
export function changedLayer(layers: readonly Layer[], shorter: readonly Layer[]): number {
  if (layers.length !== shorter.length) return Math.min(layers.length, shorter.length);
  return layers.findIndex((layer, i) => {
    const other = shorter[i];
    const [a, b] = [numbersOf(layer), other === undefined ? [] : numbersOf(other)];
    return layer.op !== other?.op || a.length !== b.length || a.some((list, k) => !startsWith(list, b[k] ?? list));
  });
}

function numbersOf(layer: Layer): readonly ArrayLike<number>[] {
  switch (layer.op) {
    case 'token_embedding':
      return [layer.table.values, layer.positions];
    case 'dense':
    case 'conv2d':
      return [layer.weights.values, layer.bias];
    case 'layer_norm':
      return [layer.gamma, layer.beta, [layer.epsilon]];
    case 'affine':
      return [layer.scale, layer.shift];
    case 'activation':
    case 'attention':
    case 'flatten':
    case 'global_avg_pool':
    case 'max_pool2d':
    case 'residual_add':
    case 'residual_start':
    case 'residual_swap':
    case 'sequence_pool':
      return [];
  }
}

function startsWith(list: ArrayLike<number>, start: ArrayLike<number>): boolean {
  for (let i = 0; i < start.length; i += 1) {
    const [a, b] = [list[i] ?? 0, start[i] ?? 0];
    if (Math.abs(a - b) > ROUNDING * Math.max(Math.abs(a), Math.abs(b))) return false;
  }
  return true;
}
