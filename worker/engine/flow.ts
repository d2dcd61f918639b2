// Owns what flows from operator to operator while a graph is read: kinds and sizes, nothing of their values.

import type { Fields } from './fields.ts';
import type { Image, Step, Values } from './steps.ts';
import type { Tensor, TensorTable } from './tensors.ts';

/** A text's features or pieces, a vector, an image, or a row for each piece. */
export type Flow =
  | { readonly kind: 'features'; readonly groups: number; readonly buckets: number; readonly maxChars: number }
  | { readonly kind: 'tokens'; readonly pieces: number; readonly maxTokens: number }
  | Activations;
type Activations =
  | { readonly kind: 'vector'; readonly size: number }
  | { readonly kind: 'image'; readonly image: Image }
  | { readonly kind: 'sequence'; readonly maxTokens: number; readonly size: number };

export type Read = { readonly step: Step; readonly output: Activations; readonly multiplyAdds: number };
/** `open` holds what each residual started with, the innermost last. */
export type Reader = (op: Fields, tensors: TensorTable, input: Flow, open: Flow[]) => Read;

export const MAX_OPEN_RESIDUALS = 4;

/** Values at most. */
export function sizeOf(flow: Flow): number {
  switch (flow.kind) {
    case 'vector':
      return flow.size;
    case 'image':
      return flow.image.height * flow.image.width * flow.image.channels;
    case 'sequence':
      return flow.maxTokens * flow.size;
    case 'features':
    case 'tokens':
      return 0;
    default:
      return flow satisfies never;
  }
}

/** How many values a residual keeps: of a sequence only those of the tokens there are. */
export function residualSize(flow: Flow): Values {
  const perToken = flow.kind === 'sequence';
  return { size: perToken ? flow.size : sizeOf(flow), maxSize: sizeOf(flow), perToken };
}

export function vector(size: number): Activations {
  return { kind: 'vector', size };
}

export function needImage(op: Fields, input: Flow): Image {
  if (input.kind !== 'image') throw op.refuse('op', `takes an image, not a ${input.kind}`);
  return input.image;
}

export function dimension(tensor: Tensor, axis: number): number {
  return tensor.shape[axis] ?? 0;
}
