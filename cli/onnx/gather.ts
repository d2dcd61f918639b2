// Owns looking up constants by constants, in the three ways ONNX has.

import type { Constant } from './constant.ts';
import { axisOf, emptyLike, sizeOf, stridesOf } from './constant.ts';
import type { OnnxNode } from './decode.ts';
import { need } from './dims.ts';
import { corrupt } from './onnx-error.ts';

export function gather(inputs: readonly (Constant | undefined)[], node: OnnxNode): Constant {
  const [data, indices] = [need(inputs, 0), need(inputs, 1)];
  const axis = axisOf(node.attributes.get('axis')?.integer ?? 0, data.dims.length);
  const [before, size, after] = [
    sizeOf(data.dims.slice(0, axis)),
    data.dims[axis] ?? 0,
    sizeOf(data.dims.slice(axis + 1)),
  ];
  const dims = [...data.dims.slice(0, axis), ...indices.dims, ...data.dims.slice(axis + 1)];
  const values = emptyLike(data, sizeOf(dims));
  let to = 0;
  for (let b = 0; b < before; b += 1) {
    for (const index of indices.values) {
      const at = index < 0 ? index + size : index;
      if (!(at >= 0 && at < size)) throw corrupt(`index ${index} of ${size}`);
      for (let a = 0; a < after; a += 1) values[to++] = data.values[(b * size + at) * after + a] ?? 0;
    }
  }
  return { type: data.type, dims, values };
}

export function gatherElements(inputs: readonly (Constant | undefined)[], node: OnnxNode): Constant {
  const [data, indices] = [need(inputs, 0), need(inputs, 1)];
  const axis = axisOf(node.attributes.get('axis')?.integer ?? 0, data.dims.length);
  const [from, to] = [stridesOf(data.dims), stridesOf(indices.dims)];
  if (from.length !== to.length) throw corrupt('has indices of another rank');
  const size = data.dims[axis] ?? 0;
  const values = emptyLike(data, indices.values.length);
  for (let i = 0; i < values.length; i += 1) {
    const index = indices.values[i] ?? 0;
    const at = index < 0 ? index + size : index;
    if (!(at >= 0 && at < size)) throw corrupt(`index ${index} of ${size}`);
    const place = to.map((stride, k) => Math.floor(i / stride) % Math.max(1, indices.dims[k] ?? 1));
    const offset = place.reduce((sum, n, k) => sum + (k === axis ? at : n) * (from[k] ?? 0), 0);
    if (offset >= data.values.length) throw corrupt('has indices larger than its data');
    values[i] = data.values[offset] ?? 0;
  }
  return { type: data.type, dims: indices.dims, values };
}

/** Each row of the last axis of `indices` names a place in `data`, or a slice of it. */
export function gatherNd(inputs: readonly (Constant | undefined)[], node: OnnxNode): Constant {
  const [data, indices] = [need(inputs, 0), need(inputs, 1)];
  const batch = node.attributes.get('batch_dims')?.integer ?? 0;
  const depth = indices.dims.at(-1) ?? 0;
  if (batch < 0 || batch >= indices.dims.length || batch + depth > data.dims.length || depth < 1) {
    throw corrupt(`takes ${depth} indices after ${batch} of ${data.dims.length} axes`);
  }
  const inner = data.dims.slice(batch + depth);
  const [run, strides] = [sizeOf(inner), stridesOf(data.dims)];
  const rows = indices.values.length / depth;
  const rowsABatch = rows / Math.max(1, sizeOf(indices.dims.slice(0, batch)));
  const dims = [...indices.dims.slice(0, -1), ...inner];
  const values = emptyLike(data, sizeOf(dims));
  for (let row = 0; row < rows; row += 1) {
    let offset = Math.floor(row / rowsABatch) * sizeOf(data.dims.slice(batch));
    for (let k = 0; k < depth; k += 1) {
      const [index, size] = [indices.values[row * depth + k] ?? 0, data.dims[batch + k] ?? 0];
      const at = index < 0 ? index + size : index;
      if (!(at >= 0 && at < size)) throw corrupt(`index ${index} of ${size}`);
      offset += at * (strides[batch + k] ?? 0);
    }
    for (let i = 0; i < run; i += 1) values[row * run + i] = data.values[offset + i] ?? 0;
  }
  return { type: data.type, dims, values };
}
