/**
 * One or more inputs of one kind, already checked against the model's input specification: what every place takes.
 * Owns the types and how a batch is counted and divided.
 */
import type { NamedTensor } from './tensor.ts';

type ChatRole = 'system' | 'user' | 'assistant';

type ChatMessage = { readonly role: ChatRole; readonly content: string };

export type TextInput = { readonly kind: 'text'; readonly texts: readonly string[] };

export type ImageInput = {
  readonly kind: 'image';
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  /** Row-major, channel last, values 0..1; length height * width * channels each. */
  readonly images: readonly Float32Array[];
};

export type NumbersInput = {
  readonly kind: 'numbers';
  /** Finite features, `size` each. */
  readonly size: number;
  readonly rows: readonly Float32Array[];
};

/** Passed through as they are; the whole request is one input, whatever its batch dimension says. */
export type TensorsInput = { readonly kind: 'tensors'; readonly tensors: readonly NamedTensor[] };

/** A conversation to be continued; one input. */
export type ChatInput = {
  readonly kind: 'chat';
  readonly messages: readonly ChatMessage[];
  readonly maxTokens: number | undefined;
  readonly temperature: number | undefined;
  readonly topP: number | undefined;
  readonly stop: readonly string[];
  readonly seed: number | undefined;
};

export type ModelInput = TextInput | ImageInput | NumbersInput | TensorsInput | ChatInput;

export function inputCount(input: ModelInput): number {
  switch (input.kind) {
    case 'text':
      return input.texts.length;
    case 'image':
      return input.images.length;
    case 'numbers':
      return input.rows.length;
    case 'tensors':
    case 'chat':
      return 1;
  }
}

/** The inputs at the given positions, in that order. */
export function selectInputs(input: ModelInput, positions: readonly number[]): ModelInput {
  switch (input.kind) {
    case 'text':
      return { kind: 'text', texts: pick(input.texts, positions) };
    case 'image':
      return { ...input, images: pick(input.images, positions) };
    case 'numbers':
      return { ...input, rows: pick(input.rows, positions) };
    case 'tensors':
    case 'chat':
      return input;
  }
}

function pick<T>(values: readonly T[], positions: readonly number[]): T[] {
  return positions.flatMap((position) => {
    const value = values[position];
    return value === undefined ? [] : [value];
  });
}
