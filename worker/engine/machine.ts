// Owns what an operator's call gets to work with, and placing tensors in a model's memory.

import type { NgramBag } from '../../shared/tokenize/hashed-ngrams.ts';
import type { Arena } from './arena.ts';
import type { Kernels } from './kernels.ts';
import type { Step } from './steps.ts';
import type { Tensor } from './tensors.ts';
import { floatsOf, integersOf } from './tensors.ts';

export type Machine = {
  readonly kernels: Kernels;
  readonly f32: Float32Array;
  readonly i32: Int32Array;
  readonly i8: Int8Array;
  features: NgramBag;
  /** Ids of a text's word pieces. */
  tokens: ArrayLike<number>;
};
export type Call = (machine: Machine, from: number, to: number) => void;
export type StepOf<K extends Step['kind']> = Extract<Step, { kind: K }>;

/** Tensor names are the file's own, so they are quoted: no two lists of names give one key. */
export function keyOf(layout: string, ...tensors: Tensor[]): string {
  return JSON.stringify([layout, ...tensors.map((tensor) => tensor.name)]);
}

export function placeFloats(arena: Arena, tensor: Tensor): number {
  return arena.place(keyOf('f32', tensor), tensor.count * 4, () => floatsOf(tensor));
}

/** As in the file, two values a byte. */
export function placePacked(arena: Arena, tensor: Tensor): number {
  return arena.placeBy(keyOf('i4', tensor), tensor.bytes.length, ({ bytes }, offset) =>
    bytes.set(tensor.bytes, offset),
  );
}

export function placeIntegers(arena: Arena, tensor: Tensor): number {
  const key = keyOf('i8', tensor);
  if (tensor.dtype !== 'i4') return arena.place(key, tensor.count, () => integersOf(tensor));
  return arena.placeBy(key, tensor.count, ({ bytes, kernels }, offset) => {
    // Into the second half, from where they spread over the whole.
    const from = offset + tensor.count / 2;
    bytes.set(tensor.bytes, from);
    kernels.unpack(from, offset, tensor.count);
  });
}
