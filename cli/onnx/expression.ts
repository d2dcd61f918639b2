// Owns what a graph becomes while it is read: expressions over activations of one answer (no batch), in contiguous order.

import type { Exact } from './constant.ts';

/** Rows of outputs: row-major [outputs, inputs]. */
export type Matrix = {
  readonly outputs: number;
  readonly inputs: number;
  readonly values: Float32Array;
  /** Integers these values came from, with a scale for each output. */
  readonly exact: { readonly q: Int8Array; readonly scales: Float32Array } | null;
};

export type ConvWeights = {
  /** [outputs, height, width, inputs], or [channels, height, width, 1]. */
  readonly shape: readonly [number, number, number, number];
  readonly values: Float32Array;
  readonly exact: { readonly q: Int8Array; readonly scales: Float32Array } | null;
};

/** How a vector made from an image is ordered: 'chw' must be turned, for the engine keeps channels last. */
export type Order = { readonly height: number; readonly width: number; readonly channels: number } | null;

type Common = {
  /** Sequences [tokens, n], vectors [n], images [c, h, w], or what lies between. */
  readonly shape: readonly number[];
  /** The ONNX node, for messages. */
  readonly node: string;
  readonly order: Order;
};

export type Unary =
  | 'relu'
  | 'relu6'
  | 'silu'
  | 'hard_swish'
  | 'tanh'
  | 'gelu'
  | 'erf'
  | 'sqrt'
  | 'reciprocal'
  | 'square'
  | 'softmax'
  | 'sigmoid'
  | 'isnan';

export type Expression = Common &
  (
    | { readonly op: 'input'; readonly kind: 'values' | 'ids'; readonly layout: 'chw' | 'hwc' }
    | {
        readonly op: 'embedding';
        readonly table: Matrix;
        readonly positions: Float32Array | null;
      }
    | {
        readonly op: 'linear';
        readonly input: Expression;
        readonly weights: Matrix;
        readonly bias: Float32Array | null;
        /** Its input was quantized by DynamicQuantizeLinear. */
        readonly dynamic: boolean;
      }
    | {
        readonly op: 'conv';
        readonly input: Expression;
        readonly weights: ConvWeights;
        readonly bias: Float32Array | null;
        readonly stride: readonly [number, number];
        readonly padding: 'same' | 'valid';
        readonly depthwise: boolean;
      }
    | {
        readonly op: 'max_pool';
        readonly input: Expression;
        readonly size: readonly [number, number];
        readonly stride: readonly [number, number];
        readonly padding: 'same' | 'valid';
      }
    | { readonly op: 'global_avg_pool'; readonly input: Expression }
    | { readonly op: 'flatten'; readonly input: Expression }
    | { readonly op: 'pool'; readonly input: Expression; readonly pool: 'mean' | 'first' }
    /** x * scale + shift, by the values of one axis or the same for all. */
    | {
        readonly op: 'affine';
        readonly input: Expression;
        readonly axis: number | null;
        readonly scale: Float32Array;
        readonly shift: Float32Array;
      }
    | { readonly op: 'unary'; readonly input: Expression; readonly kind: Unary }
    | { readonly op: 'add'; readonly inputs: readonly [Expression, Expression] }
    | { readonly op: 'row_mean'; readonly input: Expression }
    | { readonly op: 'centered'; readonly input: Expression }
    | {
        readonly op: 'layer_norm';
        readonly input: Expression;
        readonly gamma: Float32Array;
        readonly beta: Float32Array;
        readonly epsilon: number;
      }
    | { readonly op: 'scores'; readonly query: Head; readonly key: Head; readonly heads: number }
    | {
        readonly op: 'attention';
        readonly input: Expression;
        readonly weights: Matrix;
        readonly bias: Float32Array;
        readonly dynamic: boolean;
        readonly heads: number;
      }
    | { readonly op: 'two_classes'; readonly input: Expression }
  );

/** Where each head's values lie in the rows of an expression: column = offset + head * headStride + i * stride. */
export type Head = {
  readonly of: Expression;
  readonly offset: number;
  readonly headStride: number;
  readonly stride: number;
  readonly size: number;
};

export type ExpressionOf<K extends Expression['op']> = Extract<Expression, { op: K }>;

/** Scales of a tensor for each index of `axis`, if they were for that axis or for all. */
export function exactRows(exact: Exact | undefined, axis: number, rows: number): Float32Array | null {
  if (exact === undefined) return null;
  if (exact.axis === null) return new Float32Array(rows).fill(exact.scales[0] ?? 0);
  return exact.axis === axis ? exact.scales : null;
}

/** Whether an image's channels come last: only of inputs, and of what changes them value by value. */
export function isChannelsLast(of: Expression): boolean {
  let at = of;
  while (at.op === 'affine' || at.op === 'unary' || at.op === 'add') at = at.op === 'add' ? at.inputs[0] : at.input;
  return at.op === 'input' && at.layout === 'hwc';
}

/** Of an image. */
export function channelAxis(of: Expression): number {
  return isChannelsLast(of) ? of.shape.length - 1 : 0;
}
