// Owns constants that a file holds as integers with scales: to numbers, remembering the integers, and back.

import type { Constant } from './constant.ts';
import { axisOf, sizeOf } from './constant.ts';
import type { OnnxNode } from './decode.ts';
import { corrupt, unsupported } from './onnx-error.ts';

type Axis = { readonly axis: number | null; readonly indexOf: (i: number) => number };

/** Which scale belongs to value i. */
function axisOfScales(x: Constant, scale: Constant, node: OnnxNode): Axis {
  if (scale.values.length === 1) return { axis: null, indexOf: () => 0 };
  if (scale.dims.length !== 1) throw unsupported(`${node.type} ${node.name}: scales for blocks`);
  const axis = axisOf(node.attributes.get('axis')?.integer ?? 1, x.dims.length);
  const size = x.dims[axis] ?? 0;
  if (scale.values.length !== size)
    throw corrupt(`${node.type} ${node.name}: ${scale.values.length} scales for ${size}`);
  const run = sizeOf(x.dims.slice(axis + 1));
  return { axis, indexOf: (i) => Math.floor(i / run) % size };
}

export function dequantize(x: Constant, scale: Constant, zero: Constant | undefined, node: OnnxNode): Constant {
  const { axis, indexOf } = axisOfScales(x, scale, node);
  const zeros = zero?.values ?? new Int8Array(scale.values.length);
  const values = new Float32Array(x.values.length);
  for (let i = 0; i < values.length; i += 1) {
    const at = indexOf(i);
    values[i] = ((x.values[i] ?? 0) - (zeros[at] ?? 0)) * (scale.values[at] ?? 0);
  }
  const result: Constant = { type: 'float', dims: x.dims, values };
  const q = signed(x, zeros);
  return q === null ? result : { ...result, exact: { q, scales: Float32Array.from(scale.values), axis } };
}

/** As int8 around zero, where the zero point allows it. */
export function signed(x: Constant, zeros: ArrayLike<number>): Int8Array | null {
  const all = Array.from(zeros);
  if (x.values instanceof Int8Array && all.every((zero) => zero === 0)) return x.values;
  if (x.values instanceof Uint8Array && all.every((zero) => zero === 128)) {
    return Int8Array.from(x.values, (value) => value - 128);
  }
  return null;
}

export function quantize(x: Constant, scale: Constant, zero: Constant | undefined, node: OnnxNode): Constant {
  const { indexOf } = axisOfScales(x, scale, node);
  const isSigned = zero?.values instanceof Int8Array;
  const [low, high] = isSigned ? [-128, 127] : [0, 255];
  const values = isSigned ? new Int8Array(x.values.length) : new Uint8Array(x.values.length);
  for (let i = 0; i < values.length; i += 1) {
    const at = indexOf(i);
    const level = Math.round((x.values[i] ?? 0) / (scale.values[at] ?? 1)) + (zero?.values[at] ?? 0);
    values[i] = Math.min(high, Math.max(low, level));
  }
  return { type: 'integer', dims: x.dims, values };
}
