// Owns the arithmetic of shapes that folding constants and viewing activations share.

import type { Constant } from './constant.ts';
import { axisOf, listOf, sizeOf } from './constant.ts';
import type { OnnxNode } from './decode.ts';
import { corrupt, unsupported } from './onnx-error.ts';

/** Input `index`, which must be there. */
export function need(inputs: readonly (Constant | undefined)[], index: number): Constant {
  const input = inputs[index];
  if (input === undefined) throw corrupt(`input ${index} is missing`);
  return input;
}

export function reshapedDims(dims: readonly number[], wanted: readonly number[], allowZero: boolean): number[] {
  const filledIn = wanted.map((n, i) => (n === 0 && !allowZero ? (dims[i] ?? 0) : n));
  const known = filledIn.reduce((product, n) => (n === -1 ? product : product * n), 1);
  const rest = sizeOf(dims) / known;
  const result = filledIn.map((n) => (n === -1 ? rest : n));
  if (result.some((n) => !Number.isInteger(n) || n < 0) || sizeOf(result) !== sizeOf(dims)) {
    throw corrupt(`${dims.join('x')} cannot become ${wanted.join('x')}`);
  }
  return result;
}

export function axesOf(inputs: readonly (Constant | undefined)[], node: OnnxNode, index: number): number[] | null {
  const input = inputs[index];
  if (input !== undefined) return listOf(input);
  return node.attributes.get('axes')?.integers.slice() ?? null;
}

/** The axes that a mean or a sum is over: all of them where none is named, or none where the node says so. */
export function reducedAxes(
  dims: readonly number[],
  inputs: readonly (Constant | undefined)[],
  node: OnnxNode,
): Set<number> {
  const named = axesOf(inputs, node, 1) ?? [];
  if (named.length > 0) return new Set(named.map((axis) => axisOf(axis, dims.length)));
  return new Set(node.attributes.get('noop_with_empty_axes')?.integer === 1 ? [] : dims.keys());
}

export function squeezedDims(dims: readonly number[], axes: readonly number[] | null): number[] {
  if (axes === null) return dims.filter((n) => n !== 1);
  const dropped = new Set(axes.map((axis) => axisOf(axis, dims.length)));
  return dims.filter((_, i) => !dropped.has(i));
}

export function unsqueezedDims(dims: readonly number[], axes: readonly number[]): number[] {
  const rank = dims.length + axes.length;
  const added = new Set(axes.map((axis) => axisOf(axis, rank)));
  const rest = dims.slice();
  return Array.from({ length: rank }, (_, i) => (added.has(i) ? 1 : (rest.shift() ?? 1)));
}

export function flattenedDims(dims: readonly number[], node: OnnxNode): number[] {
  const axis = node.attributes.get('axis')?.integer ?? 1;
  const at = axis === dims.length ? axis : axisOf(axis, dims.length);
  return [sizeOf(dims.slice(0, at)), sizeOf(dims.slice(at))];
}

export type Cut = { readonly axis: number; readonly start: number; readonly step: number; readonly count: number };

export function cutsOf(dims: readonly number[], inputs: readonly (Constant | undefined)[]): Cut[] {
  const [starts, ends] = [listOf(need(inputs, 1)), listOf(need(inputs, 2))];
  const axes = inputs[3] === undefined ? starts.map((_, i) => i) : listOf(inputs[3]);
  return axes.map((named, i) => {
    const axis = axisOf(named, dims.length);
    const size = dims[axis] ?? 0;
    const step = inputs[4]?.values[i] ?? 1;
    if (step < 1) throw unsupported('a slice that runs backwards');
    const within = (n: number): number => Math.min(size, Math.max(0, n < 0 ? n + size : n));
    const [start, end] = [within(starts[i] ?? 0), within(ends[i] ?? size)];
    return { axis, start, step, count: Math.max(0, Math.ceil((end - start) / step)) };
  });
}

export function permutationOf(node: OnnxNode, rank: number): number[] {
  const perm = node.attributes.get('perm')?.integers ?? Array.from({ length: rank }, (_, i) => rank - 1 - i);
  if (perm.length !== rank || new Set(perm).size !== rank || perm.some((axis) => !(axis >= 0 && axis < rank))) {
    throw corrupt(`permutation ${perm.join(', ')} of ${rank} axes`);
  }
  return perm.slice();
}

export function shapeSlice(dims: readonly number[], node: OnnxNode): number[] {
  return dims.slice(node.attributes.get('start')?.integer ?? 0, node.attributes.get('end')?.integer ?? dims.length);
}
