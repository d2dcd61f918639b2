// Owns the shape of an operator once its header entry has been read and checked: plain numbers and tensors.

import type { Tensor } from './tensors.ts';

export type Activation = 'none' | 'relu' | 'gelu' | 'tanh' | 'relu6' | 'sigmoid' | 'silu' | 'hard_swish';
/** What a product with weights is computed in; `int8` quantizes its input row by row, `int8_shared` with one scale for all rows. */
export type Arithmetic = 'f32' | 'int8' | 'int8_shared';
export type Image = { readonly height: number; readonly width: number; readonly channels: number };

/** A window sliding over an image; padding before the image, zeros beyond it on every side. */
export type Window = {
  readonly kernelHeight: number;
  readonly kernelWidth: number;
  readonly strideY: number;
  readonly strideX: number;
  readonly padTop: number;
  readonly padLeft: number;
};

export type Step =
  | {
      readonly kind: 'embedding_bag';
      readonly weights: Tensor;
      readonly scales: Tensor;
      readonly scaleAxis: 'row' | 'column';
      readonly groupWeights: Tensor;
      readonly poolPower: number;
      readonly bias: Tensor | null;
      readonly activation: Activation;
      readonly buckets: number;
      readonly dim: number;
    }
  | {
      readonly kind: 'dense';
      readonly weights: Tensor;
      readonly scales: Tensor;
      readonly bias: Tensor;
      readonly activation: Activation;
      readonly inputs: number;
      readonly outputs: number;
      /** Applied to each of a sequence's rows; a vector is one row. */
      readonly maxRows: number;
      readonly arithmetic: Arithmetic;
    }
  | {
      readonly kind: 'conv2d';
      readonly weights: Tensor;
      readonly scales: Tensor;
      readonly bias: Tensor;
      readonly activation: Activation;
      readonly depthwise: boolean;
      readonly arithmetic: Arithmetic;
      readonly window: Window;
      readonly input: Image;
      readonly output: Image;
    }
  | { readonly kind: 'max_pool2d'; readonly window: Window; readonly input: Image; readonly output: Image }
  | { readonly kind: 'global_avg_pool'; readonly input: Image }
  | { readonly kind: 'flatten' }
  | {
      readonly kind: 'layer_norm';
      readonly gamma: Tensor;
      readonly beta: Tensor;
      readonly epsilon: number;
      readonly size: number;
      readonly perToken: boolean;
    }
  | {
      readonly kind: 'token_embedding';
      readonly weights: Tensor;
      readonly scales: Tensor;
      readonly positions: Tensor | null;
      readonly dim: number;
    }
  | { readonly kind: 'attention'; readonly heads: number; readonly dim: number; readonly maxTokens: number }
  | { readonly kind: 'sequence_pool'; readonly pool: 'mean' | 'first'; readonly dim: number }
  | { readonly kind: 'l2_normalize'; readonly size: number }
  | { readonly kind: 'activation'; readonly activation: Activation; readonly size: number; readonly perToken: boolean }
  | (Residual & { readonly kind: 'residual_start' })
  | {
      readonly kind: 'residual_swap';
      readonly slot: number;
      /** What is kept and what flows, before; they change places. */
      readonly kept: Values;
      readonly flowing: Values;
    }
  | (Residual & { readonly kind: 'residual_add' });

/** With `perToken`, `size` values for each token. */
export type Values = { readonly size: number; readonly maxSize: number; readonly perToken: boolean };

/** `slot` counts the residuals that are open. */
type Residual = Values & { readonly slot: number };
