// Owns folding a scale and a shift into the layer before them; what none can take waits for the next.

import { pick } from './affine.ts';
import type { ConvWeights, ExpressionOf } from './expression.ts';
import { channelAxis } from './expression.ts';
import type { Layer } from './layer.ts';
import { scaledRows } from './matrix.ts';
import { unsupported } from './onnx-error.ts';

export function applyAffine(layers: Layer[], affine: ExpressionOf<'affine'>): void {
  const { scale, shift, axis } = affine;
  const last = layers.at(-1);
  const byRow = axis === null || axis === affine.shape.length - 1;
  const byChannel = axis === null || axis === channelAxis(affine.input);
  if (last?.op === 'dense' && last.activation === 'none' && byRow) {
    const weights = scaledRows(last.weights, (o) => pick(scale, o));
    layers[layers.length - 1] = { ...last, weights, bias: moved(last.bias, scale, shift) };
  } else if (last?.op === 'conv2d' && last.activation === 'none' && byChannel) {
    const weights = scaledConv(last.weights, scale);
    layers[layers.length - 1] = { ...last, weights, bias: moved(last.bias, scale, shift) };
  } else if (last?.op === 'layer_norm' && byRow) {
    const gamma = last.gamma.map((value, i) => value * pick(scale, i));
    layers[layers.length - 1] = { ...last, gamma, beta: moved(last.beta, scale, shift) };
  } else if (last?.op === 'affine') {
    throw unsupported(`node ${affine.node} scales along another axis than what comes before`);
  } else if (affine.shape.length === 3 ? byChannel : byRow) {
    layers.push({ op: 'affine', scale, shift });
  } else throw unsupported(`node ${affine.node} scales along an axis that no layer can take`);
}

function moved(bias: Float32Array, scale: Float32Array, shift: Float32Array): Float32Array {
  return bias.map((value, i) => value * pick(scale, i) + pick(shift, i));
}

function scaledConv(weights: ConvWeights, scale: Float32Array): ConvWeights {
  const run = weights.values.length / weights.shape[0];
  const values = weights.values.map((value, i) => value * pick(scale, Math.floor(i / run)));
  const scales = weights.exact?.scales.map((value, o) => value * pick(scale, o));
  const positive = scales?.every((value) => value > 0) ?? false;
  const exact = weights.exact !== null && scales !== undefined && positive ? { q: weights.exact.q, scales } : null;
  return { ...weights, values, exact };
}
