// Owns what a name in the graph stands for while it is interpreted, and what every operator's handler gets.

import type { Constant } from './constant.ts';
import type { Attribute, OnnxNode } from './decode.ts';
import { corrupt, unsupported } from './onnx-error.ts';
import type { View } from './view.ts';

export type Value =
  | { readonly kind: 'constant'; readonly constant: Constant }
  | { readonly kind: 'view'; readonly view: View }
  /** The three outputs of dynamic quantization, and the integer product before its scales. */
  | { readonly kind: 'quantized' | 'zero'; readonly view: View }
  | { readonly kind: 'scale'; readonly view: View; readonly by: Constant | null }
  | { readonly kind: 'product'; readonly view: View; readonly weights: Constant; readonly zero: Constant | undefined };

/** One node with what its inputs stand for. */
export class Operation {
  readonly node: OnnxNode;
  readonly inputs: readonly (Value | undefined)[];

  constructor(node: OnnxNode, inputs: readonly (Value | undefined)[]) {
    this.node = node;
    this.inputs = inputs;
  }

  get name(): string {
    return `${this.node.type} ${this.node.name}`;
  }

  attribute(name: string): Attribute | undefined {
    return this.node.attributes.get(name);
  }

  integer(name: string, otherwise: number): number {
    return this.attribute(name)?.integer ?? otherwise;
  }

  number(name: string, otherwise: number): number {
    return this.attribute(name)?.number ?? otherwise;
  }

  view(index: number): View {
    const value = this.inputs[index];
    if (value?.kind !== 'view') throw this.refuse(`has no activations as input ${index}`);
    return value.view;
  }

  constant(index: number): Constant {
    const constant = this.optional(index);
    if (constant === undefined) throw this.refuse(`takes an input ${index} that is not known when compiling`);
    return constant;
  }

  optional(index: number): Constant | undefined {
    const value = this.inputs[index];
    if (value !== undefined && value.kind !== 'constant')
      throw this.refuse(`takes an input ${index} that is not constant`);
    return value?.constant;
  }

  /** All inputs as constants; those that are none are missing. */
  constants(): (Constant | undefined)[] {
    return this.inputs.map((value) => (value?.kind === 'constant' ? value.constant : undefined));
  }

  refuse(problem: string): Error {
    return unsupported(`node ${this.name} ${problem}`);
  }

  corrupt(problem: string): Error {
    return corrupt(`node ${this.name} ${problem}`);
  }
}

/** One value for each output that is used. */
export type Handler = (operation: Operation) => Value | readonly (Value | undefined)[];

export function viewed(view: View): Value {
  return { kind: 'view', view };
}

export function known(constant: Constant): Value {
  return { kind: 'constant', constant };
}
