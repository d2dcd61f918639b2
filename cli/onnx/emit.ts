// Owns turning an expression into the engine's chain of operators: residuals found, constants folded into neighbours, activations
// fused. Weights stay numbers here; quantize.ts makes them integers.

import { pick } from './affine.ts';
import { applyAffine } from './fuse.ts';
import type { Expression, ExpressionOf, Order } from './expression.ts';
import { channelAxis } from './expression.ts';
import type { Layer } from './layer.ts';
import { ACTIVATIONS } from './layer.ts';
import { scaledColumns, stacked, turnedColumns, turnOf } from './matrix.ts';
import { unsupported } from './onnx-error.ts';

/** What the output was wrapped in; comparing with the original needs it. */
export type OutputKind = 'logits' | 'softmax' | 'log_softmax';

export function emit(output: Expression): { layers: Layer[]; classes: number; outputKind: OutputKind } {
  const [scores, outputKind] = unwrapped(output);
  if (scores.shape.length !== 1)
    throw unsupported(`the output has shape ${scores.shape.join('x')}, not a score a class`);
  const layers = chain(scores, null, 0);
  return { layers: pushed(layers), classes: scores.shape[0] ?? 0, outputKind };
}

/** Softmax is the engine's own last step. */
function unwrapped(output: Expression): [Expression, OutputKind] {
  if (output.op === 'two_classes') return [output, 'softmax'];
  if (output.op !== 'unary') return [output, 'logits'];
  if (output.kind === 'softmax') return [output.input, 'softmax'];
  if (output.kind === 'sigmoid' && output.shape.every((n) => n === 1)) {
    return [{ op: 'two_classes', input: output.input, shape: [2], node: output.node, order: null }, 'softmax'];
  }
  return [output, 'logits'];
}

/** As many residuals as the engine keeps at a time; without an end, a graph can be made that takes forever to lay out. */
const MAX_DEPTH = 4;

/** The layers from `start` (or the input) to `end`, inside of `depth` residuals. */
function chain(end: Expression, start: Expression | null, depth: number): Layer[] {
  if (depth > MAX_DEPTH) throw unsupported(`node ${end.node} lies in more than ${MAX_DEPTH} residuals`);
  const layers: Layer[] = [];
  const path: Expression[] = [];
  for (let at = end; at !== start; at = before(at)) {
    path.unshift(at);
    if (at.op === 'input' || at.op === 'embedding') {
      if (start !== null) throw unsupported(`node ${end.node}: branches that do not start from one another`);
      break;
    }
  }
  for (const at of path) append(layers, at, depth);
  return layers;
}

function before(of: Expression): Expression {
  if (of.op === 'add') return residualOf(of).base;
  if (of.op === 'input' || of.op === 'embedding' || of.op === 'scores') {
    throw unsupported(`node ${of.node} is not followed by what makes it attention`);
  }
  return of.input;
}

type Residual = { readonly base: Expression; readonly branch: Expression; readonly other: Expression };

/** The two sides of a sum and what both were made from, mostly one of the sides itself. */
function residualOf(of: Extract<Expression, { op: 'add' }>): Residual {
  const [a, b] = of.inputs;
  if (reaches(b, a)) return { base: a, branch: b, other: a };
  if (reaches(a, b)) return { base: b, branch: a, other: b };
  for (let at = a; at.op !== 'input' && at.op !== 'embedding' && at.op !== 'scores';) {
    at = before(at);
    if (reaches(b, at)) return { base: at, branch: a, other: b };
  }
  throw unsupported(`node ${of.node} adds two branches that have nothing in common`);
}

const reached = new WeakMap<Expression, Set<Expression>>();

/** Everything on the way back from `from`; through sums, whichever side. */
function reaches(from: Expression, to: Expression): boolean {
  let found = reached.get(from);
  if (found === undefined) {
    found = new Set<Expression>();
    const open: Expression[] = [from];
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      if (found.has(at)) continue;
      found.add(at);
      if (at.op === 'add') open.push(...at.inputs);
      else if (at.op === 'scores') open.push(at.query.of, at.key.of);
      else if (at.op !== 'input' && at.op !== 'embedding') open.push(at.input);
    }
    reached.set(from, found);
  }
  return found.has(to);
}

function append(layers: Layer[], of: Expression, depth: number): void {
  switch (of.op) {
    case 'input':
      if (of.kind === 'ids')
        throw unsupported(`input ${of.node} of whole numbers is taken for tokens, and none is looked up`);
      return;
    case 'embedding':
      layers.push({ op: 'token_embedding', table: of.table, positions: positionsOf(of), tokens: of.shape[0] ?? 0 });
      return;
    case 'flatten':
      if (of.input.shape.length !== 3) throw unsupported(`node ${of.node} lays a sequence flat`);
      appendFlatten(layers, of);
      return;
    case 'linear':
      appendLinear(layers, of);
      return;
    case 'conv':
      appendConv(layers, of);
      return;
    case 'max_pool':
      layers.push({ op: 'max_pool2d', size: of.size, stride: of.stride, padding: of.padding });
      return;
    case 'global_avg_pool':
      layers.push({ op: 'global_avg_pool' });
      return;
    case 'pool':
      layers.push({ op: 'sequence_pool', pool: of.pool });
      return;
    case 'affine':
      applyAffine(layers, { ...of, scale: turned(of.scale, of.order), shift: turned(of.shift, of.order) });
      return;
    case 'unary':
      appendActivation(layers, of);
      return;
    case 'add': {
      const { base, branch, other } = residualOf(of);
      const shortcut =
        other === base ? [] : [{ op: 'residual_swap' } as const, ...pushed(chain(other, base, depth + 1))];
      layers.push({ op: 'residual_start' }, ...chain(branch, base, depth + 1), ...shortcut, { op: 'residual_add' });
      return;
    }
    case 'layer_norm':
      layers.push({
        op: 'layer_norm',
        gamma: turned(of.gamma, of.order),
        beta: turned(of.beta, of.order),
        epsilon: of.epsilon,
      });
      return;
    case 'attention':
      layers.push({ op: 'dense', weights: of.weights, bias: of.bias, activation: 'none', ...inputOf(of) });
      layers.push({ op: 'attention', heads: of.heads });
      return;
    case 'two_classes':
      appendTwoClasses(layers, of);
      return;
    case 'row_mean':
    case 'centered':
    case 'scores':
      throw unsupported(`node ${of.node} is not part of a layer norm or of attention`);
    default:
      of satisfies never;
  }
}

/** A scale by channel becomes one by value, in the engine's order. */
function appendFlatten(layers: Layer[], of: Extract<Expression, { op: 'flatten' }>): void {
  const last = layers.at(-1);
  if (last?.op !== 'affine') {
    layers.push({ op: 'flatten' });
    return;
  }
  const channels = of.input.shape[channelAxis(of.input)] ?? 1;
  const spread = (values: Float32Array): Float32Array =>
    Float32Array.from({ length: of.shape[0] ?? 0 }, (_, i) => pick(values, i % channels));
  layers[layers.length - 1] = { op: 'flatten' };
  layers.push({ op: 'affine', scale: spread(last.scale), shift: spread(last.shift) });
}

function turned(values: Float32Array, order: Order): Float32Array {
  const turn = turnOf(order);
  return turn === null || values.length === 1 ? values : values.map((_, i) => values[turn(i)] ?? 0);
}

function positionsOf({ positions, shape }: Extract<Expression, { op: 'embedding' }>): Float32Array {
  return positions ?? new Float32Array((shape[0] ?? 0) * (shape[1] ?? 0));
}

function appendLinear(layers: Layer[], of: Extract<Expression, { op: 'linear' }>): void {
  let weights = turnedColumns(of.weights, of.input.order);
  const bias = Float32Array.from(of.bias ?? new Float32Array(weights.outputs));
  const last = layers.at(-1);
  // What scales and shifts the inputs goes into the weights.
  if (last?.op === 'affine') {
    layers.pop();
    const { scale, shift } = last;
    weights.values.forEach((w, i) => {
      const o = Math.floor(i / weights.inputs);
      bias[o] = (bias[o] ?? 0) + w * pick(shift, i % weights.inputs);
    });
    weights = scaledColumns(weights, (i) => pick(scale, i));
  }
  layers.push({ op: 'dense', weights, bias, activation: 'none', ...inputOf(of) });
}

function inputOf({ shape, dynamic }: ExpressionOf<'linear' | 'attention'>): { isSequence: boolean; dynamic: boolean } {
  return { isSequence: shape.length === 2, dynamic };
}

function appendConv(layers: Layer[], of: Extract<Expression, { op: 'conv' }>): void {
  const { weights, stride, padding, depthwise } = of;
  // A shift of the input would be padded with zeros that are not shifted, so it needs an operator of its own.
  const last = layers.at(-1);
  if (last?.op === 'affine') {
    layers.pop();
    layers.push(channelwise(last, of.input));
  }
  const bias = Float32Array.from(of.bias ?? new Float32Array(weights.shape[0]));
  layers.push({ op: 'conv2d', weights, bias, stride, padding, depthwise, activation: 'none' });
}

/** x * scale + shift as a depthwise convolution of one pixel, exact in int8 but for rounding the scale. */
function channelwise(affine: Extract<Layer, { op: 'affine' }>, input: Expression): Layer {
  const channels = input.shape[channelAxis(input)] ?? 1;
  const each = (values: Float32Array): Float32Array =>
    Float32Array.from({ length: channels }, (_, i) => pick(values, i));
  return {
    op: 'conv2d',
    weights: { shape: [channels, 1, 1, 1], values: each(affine.scale), exact: null },
    bias: each(affine.shift),
    stride: [1, 1],
    padding: 'valid',
    depthwise: true,
    activation: 'none',
  };
}

function appendActivation(layers: Layer[], of: Extract<Expression, { op: 'unary' }>): void {
  const { kind } = of;
  const activation = ACTIVATIONS.find((one) => one === kind);
  if (activation === undefined) {
    throw unsupported(`node ${of.node}: ${kind} is no activation of the engine, nor part of a pattern it knows`);
  }
  pushAffine(layers, of);
  const last = layers.at(-1);
  if ((last?.op === 'dense' || last?.op === 'conv2d') && last.activation === 'none') {
    layers[layers.length - 1] = { ...last, activation };
  } else layers.push({ op: 'activation', activation });
}

/** An affine step that nothing took: on images an operator of its own. */
function pushAffine(layers: Layer[], of: Extract<Expression, { op: 'unary' }>): void {
  const last = layers.at(-1);
  if (last?.op !== 'affine') return;
  if (of.shape.length !== 3) throw unsupported(`node ${of.node} follows a scale that no layer can take`);
  layers.pop();
  layers.push(channelwise(last, of.input));
}

/** Scores 0 and z: softmax over them is the logistic function of z. */
function appendTwoClasses(layers: Layer[], of: Extract<Expression, { op: 'two_classes' }>): void {
  const last = layers.pop();
  if (last?.op !== 'dense' || last.activation !== 'none' || last.weights.outputs !== 1) {
    throw unsupported(`node ${of.node} takes the logistic function of what no product made`);
  }
  const { inputs } = last.weights;
  const zeros = { q: new Int8Array(inputs), scales: Float32Array.of(last.weights.exact?.scales[0] ?? 1) };
  const none = { outputs: 1, inputs, values: new Float32Array(inputs), exact: zeros };
  const bias = Float32Array.of(0, last.bias[0] ?? 0);
  layers.push({ ...last, weights: stacked([none, last.weights]), bias });
}

function pushed(layers: Layer[]): Layer[] {
  if (layers.some(({ op }) => op === 'affine')) throw unsupported('a scale that no layer can take');
  return layers;
}
