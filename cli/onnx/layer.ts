// Owns the engine's operators while their weights are still numbers.

import type { ConvWeights, Matrix } from './expression.ts';

export const ACTIVATIONS = ['relu', 'gelu', 'tanh', 'relu6', 'sigmoid', 'silu', 'hard_swish'] as const;
type Activation = 'none' | (typeof ACTIVATIONS)[number];

export type Layer =
  | {
      readonly op: 'token_embedding';
      readonly table: Matrix;
      readonly positions: Float32Array;
      readonly tokens: number;
    }
  | {
      readonly op: 'dense';
      readonly weights: Matrix;
      readonly bias: Float32Array;
      readonly activation: Activation;
      readonly isSequence: boolean;
      /** The input is to be quantized with one scale for all rows, as DynamicQuantizeLinear does. */
      readonly dynamic: boolean;
    }
  | {
      readonly op: 'conv2d';
      readonly weights: ConvWeights;
      readonly bias: Float32Array;
      readonly stride: readonly [number, number];
      readonly padding: 'same' | 'valid';
      readonly depthwise: boolean;
      readonly activation: Activation;
    }
  | { readonly op: 'layer_norm'; readonly gamma: Float32Array; readonly beta: Float32Array; readonly epsilon: number }
  | {
      readonly op: 'max_pool2d';
      readonly size: readonly [number, number];
      readonly stride: readonly [number, number];
      readonly padding: 'same' | 'valid';
    }
  | { readonly op: 'sequence_pool'; readonly pool: 'mean' | 'first' }
  | { readonly op: 'attention'; readonly heads: number }
  | { readonly op: 'activation'; readonly activation: (typeof ACTIVATIONS)[number] }
  | { readonly op: 'global_avg_pool' | 'flatten' | 'residual_start' | 'residual_swap' | 'residual_add' }
  /** Waits for a layer that can take it; none is left at the end. */
  | { readonly op: 'affine'; readonly scale: Float32Array; readonly shift: Float32Array };
