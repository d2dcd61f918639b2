// Owns making small transformer models of any shape for tests.

import { f32, i8 } from './agreement.ts';
import type { ModelSource, TensorSource } from './hyb-file.ts';
import { TEXT_HEADER } from './hyb-file.ts';

export const PIECES = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', 'a', 'b', '##b', 'word', '!'];

export function vocabulary(pieces: readonly string[] = PIECES): TensorSource {
  const values = [...Buffer.from(pieces.join('\n'), 'utf8')];
  return { dtype: 'u8', shape: [values.length], values };
}

type Shape = {
  readonly headSize: number;
  readonly heads: number;
  readonly hidden: number;
  readonly layers: number;
  readonly maxTokens: number;
  readonly labels: number;
  readonly pool: string;
  readonly seed: number;
};

export function encoder(shape: Shape): ModelSource {
  const { heads, hidden, layers, maxTokens, labels, seed } = shape;
  const dim = shape.headSize * heads;
  let salt = seed;
  const next = (): number => (salt += 7919);
  const tensors: ModelSource['tensors'] = {
    vocabulary: vocabulary(),
    words: i8([PIECES.length, dim], next()),
    'words.scales': f32(PIECES.length, next()),
    places: f32([maxTokens, dim], next(), 1),
  };
  const dense = (name: string, inputs: number, outputs: number, activation: string): Record<string, unknown> => {
    tensors[name] = i8([outputs, inputs], next());
    tensors[`${name}.scales`] = f32(outputs, next());
    tensors[`${name}.bias`] = f32(outputs, next(), 0.5);
    const parts = { weights: name, scales: `${name}.scales`, bias: `${name}.bias` };
    return { op: 'dense', ...parts, activation, arithmetic: 'int8' };
  };
  const norm = (name: string): Record<string, unknown> => {
    tensors[`${name}.gamma`] = f32(dim, next(), 1);
    tensors[`${name}.beta`] = f32(dim, next(), 1);
    return { op: 'layer_norm', gamma: `${name}.gamma`, beta: `${name}.beta`, epsilon: 1e-6 };
  };
  const layer = (_: unknown, i: number): Record<string, unknown>[] => [
    { op: 'residual_start' },
    dense(`qkv${i}`, dim, 3 * dim, 'none'),
    { op: 'attention', heads },
    dense(`out${i}`, dim, dim, 'none'),
    { op: 'residual_add' },
    norm(`first${i}`),
    { op: 'residual_start' },
    dense(`up${i}`, dim, hidden, 'gelu'),
    dense(`down${i}`, hidden, dim, 'none'),
    { op: 'residual_add' },
    norm(`second${i}`),
  ];
  const graph = [
    { op: 'token_embedding', weights: 'words', scales: 'words.scales', positions: 'places' },
    norm('start'),
    ...Array.from({ length: layers }, layer).flat(),
    { op: 'sequence_pool', pool: shape.pool },
    dense('head', dim, labels, 'none'),
  ];
  return {
    header: {
      ...TEXT_HEADER,
      labels: Array.from({ length: labels }, (_, i) => `label-${i}`),
      out_of_scope_label: null,
      input: { kind: 'text', max_chars: 1000 },
      tokenizer: {
        kind: 'wordpiece',
        version: 1,
        vocabulary: 'vocabulary',
        lowercase: true,
        max_tokens: maxTokens,
      },
      graph,
    },
    tensors,
  };
}
