// Owns walking the graph once, for one answer: batch 1, a text of as many tokens as the model takes at most, nothing masked. What
// is known is computed; what depends on the input becomes an expression. Unknown operators are named with their node.

import type { Constant } from './constant.ts';
import { filled } from './constant.ts';
import { scaledAndShifted } from './affine.ts';
import { ARITHMETIC_HANDLERS } from './arithmetic-handlers.ts';
import type { OnnxInput, OnnxModel, OnnxNode } from './decode.ts';
import type { Expression } from './expression.ts';
import { foldOf } from './fold.ts';
import { LAYER_HANDLERS } from './layer-handlers.ts';
import { ML_HANDLERS } from './ml-handlers.ts';
import { corrupt, OnnxError, unsupported } from './onnx-error.ts';
import { multiplyQuantized, QUANTIZED_HANDLERS } from './quantized-handlers.ts';
import { SHAPE_HANDLERS } from './shape-handlers.ts';
import type { Handler, Value } from './value.ts';
import { known, Operation, viewed } from './value.ts';
import type { View } from './view.ts';
import { wholeView } from './view.ts';

export type InputOptions = {
  /** Height, width and channels of what a model of plain numbers takes. */
  readonly image: readonly [number, number, number] | null;
  /** What 0 and 1 of the engine's input stand for; null: 0..255 for bytes, else as they are. */
  readonly range: readonly [number, number] | null;
  readonly tokens: number;
};

export type Interpreted = {
  readonly output: View;
  readonly input: OnnxInput;
  readonly kind: 'text' | 'image';
  /** Height, width, channels. */
  readonly image: readonly [number, number, number] | null;
  readonly range: readonly [number, number];
};

const DEFAULT_DOMAIN: Readonly<Record<string, Handler>> = {
  ...SHAPE_HANDLERS,
  ...ARITHMETIC_HANDLERS,
  ...LAYER_HANDLERS,
  ...QUANTIZED_HANDLERS,
};
const INTEGER_TYPES = [6, 7];
const NUMBER_TYPES = [1, 2, 10, 11];
const BYTE = 2;
const MASK = /mask/i;

export function interpret(model: OnnxModel, output: string, options: InputOptions): Interpreted {
  const values = new Map<string, Value>();
  for (const [name, constant] of model.constants) values.set(name, known(constant));
  const nodes = neededNodes(model.nodes, output);
  const used = new Set(nodes.flatMap(({ inputs }) => inputs));
  let main: Omit<Interpreted, 'output'> | null = null;
  for (const input of model.inputs.filter(({ name }) => used.has(name) || name === output)) {
    const found = readInput(input, options);
    values.set(input.name, found.value);
    if (found.main === null) continue;
    if (main !== null) throw unsupported(`inputs ${main.input.name} and ${input.name}: the engine takes one`);
    main = found.main;
  }
  if (main === null) throw unsupported(`output ${output} depends on no input`);
  const length = main.kind === 'text' ? (main.input.dims[1] ?? null) : null;
  if (length !== null && ![...used].some((name) => MASK.test(name))) {
    throw unsupported(`input ${main.input.name} has a fixed length of ${length} and no mask: export with an open one`);
  }
  for (const node of nodes) evaluate(node, values);
  const value = values.get(output);
  if (value?.kind !== 'view') throw unsupported(`output ${output} is not computed from activations`);
  return { output: value.view, ...main };
}

/** In an order in which each comes after what it needs. */
function neededNodes(nodes: readonly OnnxNode[], output: string): OnnxNode[] {
  const makers = new Map<string, OnnxNode>();
  for (const node of nodes) {
    for (const name of node.outputs.filter((one) => one !== '')) {
      if (makers.has(name)) throw corrupt(`${name} is made by two nodes`);
      makers.set(name, node);
    }
  }
  const ordered: OnnxNode[] = [];
  const state = new Map<OnnxNode, 'open' | 'done'>();
  const stack: { node: OnnxNode; next: number }[] = [];
  const enter = (name: string): void => {
    const node = makers.get(name);
    if (node === undefined || state.get(node) === 'done') return;
    if (state.get(node) === 'open') throw corrupt(`the graph runs in a circle through node ${node.type} ${node.name}`);
    state.set(node, 'open');
    stack.push({ node, next: 0 });
  };
  enter(output);
  for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
    const name = top.node.inputs[top.next];
    top.next += 1;
    if (name !== undefined) enter(name);
    else {
      state.set(top.node, 'done');
      ordered.push(top.node);
      stack.pop();
    }
  }
  return ordered;
}

function evaluate(node: OnnxNode, values: Map<string, Value>): void {
  const inputs = node.inputs.map((name) => {
    if (name === '') return undefined;
    const value = values.get(name);
    if (value === undefined) throw unsupported(`node ${node.type} ${node.name} needs ${name}, which nothing makes`);
    return value;
  });
  const operation = new Operation(node, inputs);
  const results = [resultsOf(operation)].flat();
  node.outputs.forEach((name, i) => {
    const result = results[i];
    if (name !== '' && result !== undefined) values.set(name, result);
  });
}

function resultsOf(operation: Operation): Value | readonly (Value | undefined)[] {
  const { node, inputs } = operation;
  if (node.type === 'Constant' && node.domain === '') return known(constantOf(operation));
  const fold = foldOf(node);
  if (fold !== undefined && inputs.every((value) => value === undefined || value.kind === 'constant')) {
    return known(named(operation, () => fold(operation.constants(), node)));
  }
  if (node.type === 'Mul') {
    const quantized = multiplyQuantized(operation);
    if (quantized !== null) return quantized;
  }
  const handlers = { '': DEFAULT_DOMAIN, 'ai.onnx': DEFAULT_DOMAIN, 'ai.onnx.ml': ML_HANDLERS }[node.domain] ?? {};
  const handler = Object.hasOwn(handlers, node.type) ? handlers[node.type] : undefined;
  if (handler === undefined) {
    const operator = node.domain === '' ? node.type : `${node.domain}.${node.type}`;
    throw unsupported(`operator ${operator} (node ${node.name}): the engine has none`);
  }
  return named(operation, () => handler(operation));
}

/** Says which node it was. */
function named<T>(operation: Operation, compute: () => T): T {
  try {
    return compute();
  } catch (error) {
    if (!(error instanceof OnnxError) || error.message.includes(operation.node.name)) throw error;
    throw new OnnxError(error.code, `node ${operation.name}: ${error.message}`, { cause: error });
  }
}

function constantOf(operation: Operation): Constant {
  const attribute = [...operation.node.attributes].find(([name]) => name.startsWith('value'));
  const [name, value] = attribute ?? ['', undefined];
  if (value?.tensor !== undefined) return value.tensor;
  if (name === 'value_float') return { type: 'float', dims: [], values: Float32Array.of(value?.number ?? 0) };
  if (name === 'value_int') return { type: 'integer', dims: [], values: Float64Array.of(value?.integer ?? 0) };
  if (name === 'value_floats') return list('float', value?.numbers ?? []);
  if (name === 'value_ints') return list('integer', value?.integers ?? []);
  throw operation.refuse('holds no tensor');
}

function list(type: 'float' | 'integer', numbers: readonly number[]): Constant {
  const values = type === 'float' ? Float32Array.from(numbers) : Float64Array.from(numbers);
  return { type, dims: [numbers.length], values };
}

export function isOfTokens({ elementType, dims }: OnnxInput): boolean {
  return INTEGER_TYPES.includes(elementType) && dims.length === 2;
}

function readInput(
  input: OnnxInput,
  options: InputOptions,
): { value: Value; main: Omit<Interpreted, 'output'> | null } {
  const { name, elementType, dims } = input;
  const [batch] = dims;
  if (dims.length > 1 && batch !== null && batch !== 1) {
    throw unsupported(`input ${name} takes ${batch} at a time: export with a batch of one, or an open one`);
  }
  if (isOfTokens(input)) return readTextInput(input, options.tokens);
  if (!NUMBER_TYPES.includes(elementType)) throw unsupported(`input ${name} has element type ${elementType}`);
  const own = dims.slice(1);
  if (own.length === 0 || own.length > 3 || own.some((n) => n === null)) {
    throw unsupported(`input ${name} has shape ${dims.map((n) => n ?? '?').join('x')}: only the batch may be open`);
  }
  const sizes = own.map((n) => n ?? 1);
  const shape = imageShape(sizes, options.image);
  const image = { op: 'input', kind: 'values', shape: shape.shape, node: name, order: null } as const;
  const of: Expression = { ...image, layout: shape.layout };
  const range = options.range ?? (elementType === BYTE ? [0, 255] : [0, 1]);
  const [low, high] = range;
  const scale = { type: 'float', dims: [], values: Float32Array.of(high - low) } as const;
  const shift = { type: 'float', dims: [], values: Float32Array.of(low) } as const;
  const view = scaledAndShifted(wholeView(of, [1, ...sizes]), scale, shift, `input ${name}`);
  return { value: viewed(view), main: { input, kind: 'image', image: shape.image, range } };
}

type ImageShape = { shape: number[]; layout: 'chw' | 'hwc'; image: [number, number, number] };

function imageShape(sizes: readonly number[], given: InputOptions['image']): ImageShape {
  const [a = 1, b = 1, c = 1] = sizes;
  const total = sizes.reduce((product, n) => product * n, 1);
  if (sizes.length === 3) {
    const last = [1, 3, 4].includes(c) && ![1, 3, 4].includes(a);
    return last
      ? { shape: [a, b, c], layout: 'hwc', image: [a, b, c] }
      : { shape: [a, b, c], layout: 'chw', image: [b, c, a] };
  }
  const [height, width, channels] = given ?? (sizes.length === 2 ? [a, b, 1] : [1, 1, a]);
  if (height * width * channels !== total) {
    throw unsupported(`an image of ${height}x${width}x${channels} where the model takes ${total} values`);
  }
  return { shape: [height, width, channels], layout: 'hwc', image: [height, width, channels] };
}

function readTextInput(input: OnnxInput, tokens: number): { value: Value; main: Omit<Interpreted, 'output'> | null } {
  const { name } = input;
  const dims = [1, tokens];
  if (MASK.test(name)) return { value: known(filled('integer', dims, 1)), main: null };
  if (/type|segment/i.test(name)) return { value: known(filled('integer', dims, 0)), main: null };
  if (/position/i.test(name)) {
    return {
      value: known({ type: 'integer', dims, values: Float64Array.from({ length: tokens }, (_, i) => i) }),
      main: null,
    };
  }
  const of: Expression = { op: 'input', kind: 'ids', layout: 'hwc', shape: [tokens], node: name, order: null };
  return { value: viewed(wholeView(of, dims)), main: { input, kind: 'text', image: null, range: [0, 1] } };
}
