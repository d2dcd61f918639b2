// Owns models that came quantized: dynamic (integers times integers, scaled afterwards) and QDQ (quantized and back again).
// Weights keep their integers. So do dynamically quantized activations, for the engine does as ONNX says; QDQ's are left to the engine, but for
// what they cut off below zero.

import { unary } from './arithmetic-handlers.ts';
import type { Constant } from './constant.ts';
import { constant } from './constant.ts';
import { linear } from './layer-handlers.ts';
import { lowestOf } from './lowest.ts';
import { matrixOf } from './matrix.ts';
import { signed } from './quantized-constant.ts';
import type { Handler, Operation, Value } from './value.ts';
import { viewed } from './value.ts';

/** What rounding to a range that starts at zero cuts off matters: quantizers leave out the Relu before it. */
function quantizeLinear(operation: Operation): ReturnType<Handler> {
  const view = operation.view(0);
  const zeros = operation.optional(2)?.values ?? Uint8Array.of(0);
  const lowest = zeros instanceof Int8Array ? -128 : 0;
  if (!zeros.every((zero) => zero === lowest) || lowestOf(view.of) >= 0) return { kind: 'quantized', view };
  const highest = 255 * (operation.constant(1).values[0] ?? 0);
  return { kind: 'quantized', view: unary(view, Math.abs(highest - 6) < 1e-4 ? 'relu6' : 'relu', operation.name) };
}

function dequantizeLinear(operation: Operation): ReturnType<Handler> {
  const [codes] = operation.inputs;
  if (codes?.kind === 'quantized') return viewed(codes.view);
  // Rows looked up in a quantized table: the integers are the view's, the scale is one for all.
  const scale = operation.constant(1);
  const zero = operation.optional(2);
  const view = operation.view(0);
  const { of } = view;
  if (of.op !== 'embedding' || scale.values.length !== 1) throw operation.refuse('dequantizes activations');
  const [by, minus] = [scale.values[0] ?? 0, zero?.values[0] ?? 0];
  const values = of.table.values.map((value) => (value - minus) * by);
  const scales = new Float32Array(of.table.outputs).fill(by);
  const exact = of.table.exact !== null && minus === 0 ? { q: of.table.exact.q, scales } : null;
  return viewed({ ...view, of: { ...of, table: { ...of.table, values, exact } } });
}

function dynamicQuantizeLinear(operation: Operation): ReturnType<Handler> {
  const view = operation.view(0);
  return [
    { kind: 'quantized', view },
    { kind: 'scale', view, by: null },
    { kind: 'zero', view },
  ];
}

function matMulInteger(operation: Operation): ReturnType<Handler> {
  const [codes, , zero] = operation.inputs;
  if (codes?.kind !== 'quantized' || (zero !== undefined && zero.kind !== 'zero')) {
    throw operation.refuse('multiplies integers that no dynamic quantization made');
  }
  return { kind: 'product', view: codes.view, weights: operation.constant(1), zero: operation.optional(3) };
}

/** Scales times scales, or a product times its scales. */
export function multiplyQuantized(operation: Operation): Value | null {
  const [a, b] = operation.inputs;
  if (a === undefined || b === undefined) return null;
  for (const [x, y] of [
    [a, b],
    [b, a],
  ] as const) {
    if (x.kind === 'scale' && y.kind === 'constant') {
      if (x.by !== null) throw operation.refuse('scales a scale twice');
      return { ...x, by: y.constant };
    }
    if (x.kind === 'product' && y.kind === 'scale') {
      if (x.view.of !== y.view.of) throw operation.refuse('scales a product by the scale of something else');
      const weights = scaledWeights(operation, x.weights, x.zero, y.by);
      return viewed(linear(operation, x.view, matrixOf(weights, true), null, true));
    }
  }
  return null;
}

/** Integers [inputs, outputs] as numbers, with one scale for each output or for all. */
function scaledWeights(
  operation: Operation,
  weights: Constant,
  zero: Constant | undefined,
  scale: Constant | null,
): Constant {
  const [, outputs = 1] = weights.dims;
  const scales = scale?.values ?? Float32Array.of(1);
  const zeros = zero?.values ?? Float32Array.of(0);
  if (weights.dims.length !== 2 || ![1, outputs].includes(scales.length) || ![1, outputs].includes(zeros.length)) {
    throw operation.refuse(`has integer weights of ${weights.dims.join('x')}`);
  }
  const each = (list: ArrayLike<number>, o: number): number => list[list.length === 1 ? 0 : o] ?? 0;
  const values = Float32Array.from(weights.values, (value, i) => {
    return (value - each(zeros, i % outputs)) * each(scales, i % outputs);
  });
  const made = constant('float', weights.dims, values);
  const q = signed(weights, zeros);
  if (q === null) return made;
  return { ...made, exact: { q, scales: Float32Array.from(scales), axis: scales.length === 1 ? null : 1 } };
}

export const QUANTIZED_HANDLERS: Readonly<Record<string, Handler>> = {
  QuantizeLinear: quantizeLinear,
  DequantizeLinear: dequantizeLinear,
  DynamicQuantizeLinear: dynamicQuantizeLinear,
  MatMulInteger: matMulInteger,
};
